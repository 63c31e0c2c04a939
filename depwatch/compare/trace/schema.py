"""The one schema of a trace, versioned; docs/trace-format.md explains every row."""

from enum import StrEnum
from typing import Final

import pyarrow as pa

VERSION: Final = 1


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
