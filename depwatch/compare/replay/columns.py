"""A trace as numpy columns: the rows in their order, with a number for every null."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from depwatch.compare.trace.schema import Row

type Numbers = NDArray[Any]

NONE: Final = 0xFFFFFFFF  # null, of a number of a function, object, facet or string
KINDS: Final = {row.value: number for number, row in enumerate(Row)}
NUMBER: Final = {row: number for number, row in enumerate(Row)}

_WIDE: Final = {"time": np.uint64, "calls": np.uint64, "value": np.int64}  # all else: uint32


@dataclass(frozen=True, slots=True)
class Columns:
    """Each column has one entry a row; `type`, `name` and `file` are places in their own list of strings."""

    kind: Numbers
    time: Numbers
    function: Numbers
    object: Numbers
    facet: Numbers
    via: Numbers
    calls: Numbers
    count: Numbers
    value: Numbers
    same: Numbers
    patchable: Numbers
    type: Numbers
    name: Numbers
    file: Numbers
    line: Numbers
    types: list[str]
    names: list[str]
    files: list[str]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        columns: dict[str, Numbers] = {}
        texts: dict[str, list[str]] = {}
        for field in table.schema:
            column = table.column(field.name).unify_dictionaries().combine_chunks()
            if pa.types.is_dictionary(field.type):
                chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
                texts[field.name] = chunk.dictionary.to_pylist()
                column = chunk.indices
            columns[field.name] = _numbers(column, field.name)
        kinds = np.array([KINDS[kind] for kind in texts.pop("kind")], np.uint8)
        columns["kind"] = kinds[columns["kind"]] if len(kinds) else columns["kind"].astype(np.uint8)
        return cls(**columns, types=texts["type"], names=texts["name"], files=texts["file"])

    def __len__(self) -> int:
        return len(self.kind)

    def rows(self, kind: Row) -> Numbers:
        """The places of all rows of a kind."""
        return np.flatnonzero(self.kind == NUMBER[kind])


def _numbers(column: Any, name: str) -> Numbers:
    if pa.types.is_boolean(column.type):
        return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), np.uint8)
    wide = _WIDE.get(name)
    null = (0 if name in ("count", "line", "calls", "value") else NONE) if column.null_count else None
    if null is not None:
        column = column.cast(pa.int64() if wide is None else column.type).fill_null(null)
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.uint32 if wide is None else wide)
