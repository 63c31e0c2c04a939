"""A file that is at its place only when it is whole."""

import contextlib
import os
import secrets
import stat
from types import TracebackType
from typing import Final, Self


class Output:
    """Makes a file without a name in the directory of path, or raises OSError; commit() gives it its name.

    So a process that is killed leaves nothing behind, and a program that looks into its directory sees nothing. Where
    the file system has no such files, it has a hidden name until then. A file that it replaces hands on its mode, and a
    link to it goes on being one.
    """

    def __init__(self, path: str) -> None:
        self.target: Final = os.path.realpath(path)  # through links; and the directory may change meanwhile
        self._mode: int | None = None  # of the file that is replaced
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(self.target).st_mode
            if not stat.S_ISREG(mode):
                raise FileExistsError(f"{path} is there, and no regular file; name another one")
            self._mode = stat.S_IMODE(mode)
        new = 0o666 if self._mode is None else self._mode & 0o666 | stat.S_IWUSR
        directory = os.path.dirname(self.target)
        self._hidden: Final = os.path.join(directory, f".depwatch-{secrets.token_hex(6)}")
        self._file: Final = _open_nameless(directory, new)
        self.path: Final = self._hidden if self._file is None else f"/proc/self/fd/{self._file}"
        if self._file is None:
            os.close(os.open(self._hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, new))

    def write(self, text: str) -> int:
        """Put a file with this text at its place; return its size in bytes."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.commit()

    def commit(self) -> int:
        """Put the file at its place; return its size in bytes."""
        size = os.stat(self.path).st_size
        if self._mode is not None:
            os.chmod(self.path, self._mode)
        if self._file is not None:
            # A link cannot replace a file, a rename can. Only with src_dir_fd does os.link() follow links.
            os.link(self.path, self._hidden, src_dir_fd=self._file, follow_symlinks=True)
        os.replace(self._hidden, self.target)
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._hidden)


def _open_nameless(directory: str, mode: int) -> int | None:
    """A descriptor; None if the file system has no files without a name, or if /proc would not give it one."""
    try:
        file = os.open(directory, os.O_TMPFILE | os.O_WRONLY, mode)
    except OSError:
        return None  # what is wrong with the directory, opening a file with a name will tell
    if not os.path.exists(f"/proc/self/fd/{file}"):
        os.close(file)
        return None
    return file
