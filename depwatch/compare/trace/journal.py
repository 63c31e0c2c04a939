"""Reads the journal that a recorded program writes, while it writes it.

The program may die at any moment, or write over its own memory: whatever cannot be right is dropped and counted.
"""

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from .entries import ENTRY, JSON, ROWS, STRING, Entries

MAGIC: Final = b"DWJRNL1\n"
HEADER: Final = 64  # bytes
_FIELDS: Final = struct.Struct("<8sQQ")


class Journal:
    """What is in the directory so far: rows, strings and metadata. Segments that were read to their end are deleted."""

    def __init__(self, directory: str | Path) -> None:
        self.strings: Final[dict[int, str]] = {}
        self.metadata: Final[dict[str, Any]] = {}
        self.dropped = 0  # entries
        self._directory: Final = directory
        self._segment = 0
        self._file: int | None = None  # descriptor of that segment
        self._at = HEADER  # how far it was read

    def read(self, segments: int = 16) -> Iterator[Entries]:
        """The rows since the last call, in parts of at most one segment; not more than so many segments."""
        for _ in range(segments):
            if self._file is None and not self._open():
                return
            used, closed = self._progress()
            if closed:
                used, _ = self._progress()  # `closed` may have been set after `used` was read
            data = self._take(used)
            if data:
                yield self._rows(data)
            if not closed:
                return
            self._next()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _path(self) -> str:
        return os.path.join(self._directory, f"{self._segment:08}.journal")

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path(), os.O_RDONLY)
        except FileNotFoundError:
            return False
        return True

    def _progress(self) -> tuple[int, bool]:
        """How many bytes may be read, and whether the next segment exists."""
        assert self._file is not None
        header = os.pread(self._file, _FIELDS.size, 0)
        if len(header) < _FIELDS.size:
            return 0, False
        magic, used, closed = _FIELDS.unpack(header)
        return (used, closed == 1) if magic == MAGIC else (0, False)

    def _take(self, used: int) -> bytes:
        """What is new. Read, not mapped: a file that gets shorter under a mapping would kill us."""
        assert self._file is not None
        end = HEADER + used // ENTRY.itemsize * ENTRY.itemsize
        room = os.fstat(self._file).st_size - self._at
        wanted = min(end - self._at, room - room % ENTRY.itemsize)
        data = os.pread(self._file, wanted, self._at) if wanted > 0 else b""
        data = data[: len(data) - len(data) % ENTRY.itemsize]
        self._at += len(data)
        return data

    def _next(self) -> None:
        path = self._path()
        self.close()
        self._segment += 1
        self._at = HEADER
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def _rows(self, data: bytes) -> Entries:
        entries = np.frombuffer(data, ENTRY)
        kinds = entries["kind"]
        known = kinds < len(ROWS)
        own = 0  # entries that are no rows, and the text that follows them, which may look like anything
        end = 0  # of the last such text
        for at in np.flatnonzero(kinds >= JSON).tolist():
            if at < end:
                continue
            entry = entries[at]
            size = int(entry["count"])
            begin = at + 1
            end = begin + -(-size // ENTRY.itemsize)
            own += min(end, len(entries)) - at
            known[begin:end] = False
            text = data[begin * ENTRY.itemsize : begin * ENTRY.itemsize + size]
            if len(text) < size or not self._keep(int(entry["kind"]), int(entry["name"]), text):
                self.dropped += 1
        rows = entries[known]
        self.dropped += len(entries) - own - len(rows)
        return rows

    def _keep(self, kind: int, number: int, text: bytes) -> bool:
        if kind == STRING:
            self.strings.setdefault(number, _decoded(text))
            return True
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict):
            return False
        self.metadata.update(value)
        return True


def _decoded(text: bytes) -> str:
    """Any bytes, as a string that has an encoding in UTF-8: lone surrogates and broken characters are spelled out."""
    try:
        string = text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        string = text.decode("utf-8", "backslashreplace")
    return string.encode("utf-8", "backslashreplace").decode("utf-8")
