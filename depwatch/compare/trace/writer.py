"""Writes the rows of a trace as Parquet, a row group at a time."""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .entries import ENTRY, GIVEN, NULL, NULLABLE, NUMBER, PATCHABLE, ROWS, SAME, Entries, allowed, given, required
from .schema import SCHEMA, UNKNOWN, Row

GROUP: Final = 131_072  # rows: 8 MiB as entries

_LATEST: Final = (1 << 63) - 1  # ns
_TEXTS: Final = ("type", "name", "file")
_RISING: Final = ("time", "calls")
_KINDS: Final = pa.array([row.value for row in ROWS])


class TraceWriter:
    """Makes a trace at path of rows as the journal has them; strings are looked up when a row group is full.

    Rows that cannot be right are dropped and counted. Memory: two row groups. Raises OSError or pa.ArrowException.
    """

    def __init__(self, path: str, strings: Mapping[int, str], group: int = GROUP) -> None:
        self.rows = 0
        self.functions = 0
        self.dropped = 0
        self.raised = 0  # rows whose time was before that of an earlier one, and was set to it
        self._strings: Final = strings
        self._pending = np.empty(group, ENTRY)
        self._filled = 0
        self._time = 0  # of the last row
        self._calls = 0  # of the last tick
        self._end: Entries | None = None
        # Texts and numbers repeat within a row group; times and calls rise by little.
        self._file: Final = pq.ParquetWriter(
            path,
            SCHEMA,
            compression="zstd",
            use_dictionary=[name for name in SCHEMA.names if name not in _RISING],
            column_encoding=dict.fromkeys(_RISING, "DELTA_BINARY_PACKED"),
            write_page_checksum=True,
        )

    def add(self, rows: Entries) -> None:
        """Append the rows; the row `end` is kept for close(), as nothing comes after it."""
        ends = rows["kind"] == NUMBER[Row.END]
        if ends.any():
            self._end = rows[ends][-1:]
            rows = rows[~ends]
        rows = self._right(rows)
        self.functions += int(np.count_nonzero(rows["kind"] == NUMBER[Row.FUNCTION]))
        ticks = rows["calls"][rows["kind"] == NUMBER[Row.TICK]]
        if len(ticks):
            self._calls = int(ticks[-1])
        while len(rows):
            part = rows[: len(self._pending) - self._filled]
            self._pending[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rows = rows[len(part) :]
            if self._filled == len(self._pending):
                self._flush()

    def close(self, program: Mapping[str, Any], status: int | None) -> None:
        """Write what is left: the row `end`, with the program's true exit status, and the metadata.

        status None: it is not known, but for what the journal says."""
        if self._end is not None:
            end, self._end = self._end, None
            end["time"] = min(max(int(end["time"][0]), self._time), _LATEST)
            end["calls"] = self._calls
            end["flags"] |= GIVEN["calls"]
            if status is not None:
                end["value"] = status
                end["flags"] |= GIVEN["value"]
            self._append_last(end)
        self._flush()
        self._file.add_key_value_metadata({"depwatch.program": json.dumps(program)})
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, where it cannot be finished."""
        self._filled = 0
        self._file.close()

    def _append_last(self, end: Entries) -> None:
        self._pending[self._filled] = end[0]  # a full group is flushed at once: there is room for one
        self._filled += 1

    def _right(self, rows: Entries) -> Entries:
        kinds = rows["kind"]
        wrong = rows["time"] > _LATEST
        for column in NULLABLE:
            wrong |= required(kinds, column) & ~given(rows, column)
        for column in _TEXTS:
            wrong |= required(kinds, column) & ~self._are_known(rows[column])
        wrong |= ((kinds == NUMBER[Row.VALUE]) | (kinds == NUMBER[Row.DEPENDENCY])) & (rows["value"] < UNKNOWN)
        wrong |= ((kinds == NUMBER[Row.CHANGE]) | (kinds == NUMBER[Row.VALUE])) & (rows["count"] == 0)
        wrong |= (kinds == NUMBER[Row.GONE]) & (given(rows, "function") == given(rows, "object"))
        self.dropped += int(np.count_nonzero(wrong))
        rows = rows[~wrong]
        if len(rows):
            times = np.maximum.accumulate(np.maximum(rows["time"], np.uint64(self._time)))
            self.raised += int(np.count_nonzero(times != rows["time"]))
            rows["time"] = times
            self._time = int(times[-1])
        return rows

    def _are_known(self, numbers: Any) -> Any:
        unique, inverse = np.unique(numbers, return_inverse=True)
        return np.array([number in self._strings for number in unique.tolist()], bool)[inverse]

    def _flush(self) -> None:
        if not self._filled:
            return
        rows = self._pending[: self._filled]
        arrays = [self._array(name, rows) for name in SCHEMA.names]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self.rows += self._filled
        self._filled = 0

    def _array(self, name: str, rows: Entries) -> Any:
        kinds = rows["kind"]
        if name == "kind":
            return pa.DictionaryArray.from_arrays(kinds.astype(np.int8), _KINDS)
        if name == "time":
            return pa.array(rows["time"])
        null = ~(allowed(kinds, name) & given(rows, name))
        if name in _TEXTS:
            return self._text(np.where(null, NULL, rows[name]))
        if name == "same" or name == "patchable":
            return pa.array((rows["flags"] & (SAME if name == "same" else PATCHABLE)) != 0, mask=null)
        return pa.array(rows[name], mask=null)

    def _text(self, numbers: Any) -> Any:
        """A dictionary of its own for each row group: with all strings so far, every group would repeat them."""
        unique, inverse = np.unique(numbers, return_inverse=True)
        codes: dict[str, int] = {}  # two numbers may have one text; a dictionary may not have it twice
        text_of = [self._strings.get(number) for number in unique.tolist()]
        code_of = np.array([-1 if text is None else codes.setdefault(text, len(codes)) for text in text_of], np.int32)
        column = code_of[inverse]
        return pa.DictionaryArray.from_arrays(pa.array(column, mask=column < 0), pa.array(list(codes), pa.string()))
