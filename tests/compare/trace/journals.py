"""Writes a journal as the recorded program does, for tests of what reads it."""

import json
import mmap
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from depwatch.compare.trace.entries import ENTRY, GIVEN, JSON, NULL, NUMBER, PATCHABLE, SAME, STRING
from depwatch.compare.trace.journal import HEADER, MAGIC
from depwatch.compare.trace.schema import Row

SEGMENT = 4 << 20
TEXTS = ("type", "name", "file")


class JournalWriter:
    def __init__(self, directory: str | Path, segment: int = SEGMENT) -> None:
        self.directory = directory
        self.size = segment
        self.number = -1
        self.strings: dict[str, int] = {}
        self.map: mmap.mmap | None = None
        self._next()

    def row(self, kind: str, time: int, **columns: Any) -> None:
        for name in TEXTS:
            if name in columns:
                columns[name] = self.string(columns[name])
        self.put(entry(NUMBER[Row(kind)], time=time, **columns))

    def string(self, text: str) -> int:
        if text not in self.strings:
            self.strings[text] = len(self.strings)
            data = text.encode("utf-8", "surrogatepass")[:1000]
            self.put(entry(STRING, name=self.strings[text], count=len(data)), data)
        return self.strings[text]

    def json(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.put(entry(JSON, count=len(data)), data)

    def put(self, head: bytes, data: bytes = b"") -> None:
        data = head + data + bytes(-len(data) % ENTRY.itemsize)
        if self.used + len(data) > self.size - HEADER:
            self._next()
        assert self.map is not None
        at = HEADER + self.used
        self.map[at : at + len(data)] = data
        self.used += len(data)
        self.map[8:16] = struct.pack("<Q", self.used)

    def _next(self) -> None:
        old = self.map
        self.number += 1
        file = os.open(os.path.join(self.directory, f"{self.number:08}.journal"), os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(file, self.size)
        self.map = mmap.mmap(file, self.size)
        os.close(file)
        self.map[:8] = MAGIC
        self.used = 0
        if old is not None:
            old[16:24] = struct.pack("<Q", 1)
            old.close()


def entry(kind: int, **columns: Any) -> bytes:
    """One entry; text columns are numbers of strings."""
    made = np.zeros(1, ENTRY)
    for name in ("function", "object", "facet", "via", "moments", *TEXTS):
        made[name] = NULL
    made["kind"] = kind
    for name, value in columns.items():
        if name in ("same", "patchable"):
            made["flags"] |= (SAME if name == "same" else PATCHABLE) if value else 0
        else:
            made[name] = value
        if name in GIVEN:
            made["flags"] |= GIVEN[name]
    return made.tobytes()
