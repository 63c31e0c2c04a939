"""A file that is at its place only when it is whole."""

import contextlib
import os
import secrets
import stat
from types import TracebackType
from typing import Final, Self


class Output:
    """Makes a temporary file beside path, or raises OSError; commit() gives it its name, else it is removed."""

    def __init__(self, path: str) -> None:
        self._target: Final = os.path.realpath(path)  # through links; and the directory may change meanwhile
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(self._target).st_mode):
                raise FileExistsError(f"{path} is there, and no regular file; name another one")
        self.path: Final = os.path.join(os.path.dirname(self._target), f".depwatch-{secrets.token_hex(6)}")
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))

    def commit(self) -> int:
        """Put the file at its place; return its size in bytes."""
        size = os.stat(self.path).st_size
        os.replace(self.path, self._target)
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
