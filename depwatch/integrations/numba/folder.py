"""Folder: the files in which the code of one function is stored, in the folder that numba's locator names for it.

A file is written anew and put in place at once, so that nobody reads half of one. Whatever else is wrong with a file
or the folder makes it as if there was no file.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from typing import Any, Final

ENTRIES: Final = 8  # for one signature: a flag has two values
MOST: Final = 64  # for one function, with those of its signatures, and of what its source was before
_MAGIC: Final = b"depwatch numba 1\n"
_SUFFIX: Final = ".dwn"


class Entry:
    """One file: a head, which says what the code rests on, and the code."""

    def __init__(self, path: str, head: bytes) -> None:
        self.path: Final = path
        self.head: Final = head

    def code(self) -> bytes | None:
        """None if the file is gone, another one, or damaged."""
        parts = _read(self.path, True)
        return parts[1] if parts is not None and parts[0] == self.head else None


class Folder:
    """Where the code of one function is."""

    def __init__(self, cache: Any) -> None:
        """cache: numba's, which has found the folder and a name."""
        self._locator: Final = cache._impl.locator
        self.path: Final[str] = cache.cache_path
        self._base: Final = os.path.join(self.path, cache._impl.filename_base)

    def entries(self, key: str) -> Iterator[Entry]:
        for path in self._paths(key):
            if (parts := _read(path, False)) is not None:
                yield Entry(path, parts[0])

    def _paths(self, key: str) -> list[str]:
        return [f"{self._base}.{key}.{number}{_SUFFIX}" for number in range(ENTRIES)]

    def add(self, key: str, head: bytes, code: bytes, replaced: Entry | None) -> None:
        """Store an entry in place of another one, by default of the oldest if there are many. Raises OSError."""
        self._locator.ensure_cache_path()
        path = min(self._paths(key), key=_time_of) if replaced is None else replaced.path
        _write(path, _packed(head, code))
        self._drop()

    def _drop(self) -> None:
        name = os.path.basename(self._base)
        with os.scandir(self.path) as found:
            ours = [each.path for each in found if each.name.startswith(f"{name}.") and each.name.endswith(_SUFFIX)]
        for path in sorted(ours, key=_time_of)[: max(0, len(ours) - MOST)]:
            with contextlib.suppress(OSError):  # another process was faster
                os.unlink(path)

    def clear(self) -> None:
        """Remove all that is stored of the function. Raises OSError."""
        name = os.path.basename(self._base)
        for found in os.listdir(self.path):
            if found.startswith(f"{name}.") and found.endswith(_SUFFIX):
                os.unlink(os.path.join(self.path, found))


def _time_of(path: str) -> int:
    """When a file was written; before all others if there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def _packed(head: bytes, code: bytes) -> bytes:
    return b"".join((_MAGIC, len(head).to_bytes(8), _digest(head), _digest(code), head, code))


def _read(path: str, whole: bool) -> tuple[bytes, bytes] | None:
    """The head and, if the whole is wanted, the code; None for what is no file of ours, or not whole."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            length, of_head, of_code = int.from_bytes(file.read(8)), file.read(32), file.read(32)
            head = file.read(min(length, os.fstat(file.fileno()).st_size))
            code = file.read() if whole else b""
    except OSError:
        return None
    if _digest(head) != of_head or (whole and _digest(code) != of_code):
        return None
    return head, code


def _write(path: str, data: bytes) -> None:
    unfinished = f"{path}.tmp.{uuid.uuid4().hex[:16]}"
    try:
        with open(unfinished, "wb") as file:
            file.write(data)
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
