"""The one schema of a trace, versioned; docs/trace-format.md explains every row."""

from enum import StrEnum
from typing import Final

import pyarrow as pa

VERSION: Final = 3  # of traces that are written
OLDEST: Final = 3  # that are read; docs/trace-format.md says what changed, and what readers may rely on


class Row(StrEnum):
    """What a row says: its column `kind`."""

    OBJECT = "object"
    FACET = "facet"
    FUNCTION = "function"
    DEPENDENCY = "dependency"
    RESOLVED = "resolved"
    CALLS = "calls"
    CHANGE = "change"
    VALUE = "value"
    DRAIN = "drain"
    GONE = "gone"
    TICK = "tick"
    END = "end"
    LOST = "lost"


_TEXT: Final = pa.dictionary(pa.int32(), pa.string())

SCHEMA: Final = pa.schema(
    [
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("time", pa.uint64(), nullable=False),  # ns since the program began; never descends
        pa.field("function", pa.uint32()),
        pa.field("object", pa.uint32()),
        pa.field("facet", pa.uint32()),
        pa.field("via", pa.uint32()),
        pa.field("calls", pa.uint64()),
        pa.field("count", pa.uint32()),
        pa.field("moments", pa.uint32()),
        pa.field("value", pa.int32()),
        pa.field("same", pa.bool_()),
        pa.field("patchable", pa.bool_()),
        pa.field("type", _TEXT),
        pa.field("name", _TEXT),
        pa.field("file", _TEXT),
        pa.field("line", pa.uint32()),
    ],
    metadata={"depwatch.trace": str(VERSION)},
)

# The columns that a row of a kind has, and those that it may have; all others are null.
REQUIRED: Final[dict[Row, frozenset[str]]] = {
    Row.OBJECT: frozenset({"object", "type", "name"}),
    Row.FACET: frozenset({"facet", "object", "type", "name"}),
    Row.FUNCTION: frozenset({"function", "name", "count"}),
    Row.DEPENDENCY: frozenset({"function", "facet", "object", "value", "patchable"}),
    Row.RESOLVED: frozenset({"function", "calls"}),
    Row.CALLS: frozenset({"function", "calls"}),
    Row.CHANGE: frozenset({"object", "count", "type"}),
    Row.VALUE: frozenset({"facet", "object", "count", "value", "same"}),
    Row.DRAIN: frozenset(),
    Row.GONE: frozenset(),  # one of its optional ones
    Row.TICK: frozenset({"calls"}),
    Row.END: frozenset({"calls"}),
    Row.LOST: frozenset({"facet", "value"}),
}
OPTIONAL: Final[dict[Row, frozenset[str]]] = {
    Row.OBJECT: frozenset({"file"}),
    Row.FACET: frozenset(),
    Row.FUNCTION: frozenset({"file", "line"}),
    Row.DEPENDENCY: frozenset({"via", "type"}),
    Row.RESOLVED: frozenset(),
    Row.CALLS: frozenset({"object", "count", "moments"}),
    Row.CHANGE: frozenset({"file", "line", "moments"}),
    Row.VALUE: frozenset({"type", "moments"}),
    Row.DRAIN: frozenset(),
    Row.GONE: frozenset({"function", "object"}),
    Row.TICK: frozenset(),
    Row.END: frozenset({"value"}),
    Row.LOST: frozenset(),
}

# What `value` says instead of a number.
MISSING: Final = -1
UNKNOWN: Final = -2
