"""An entry of the journal, and a row of a trace in memory: 64 bytes, all columns, nulls as numbers."""

from typing import Any, Final

import numpy as np

from .schema import OPTIONAL, REQUIRED, Row

type Entries = np.ndarray[Any, np.dtype[np.void]]

ENTRY: Final = np.dtype(
    [
        ("time", "<u8"),
        ("calls", "<u8"),
        ("function", "<u4"),
        ("object", "<u4"),
        ("facet", "<u4"),
        ("via", "<u4"),
        ("count", "<u4"),
        ("value", "<i4"),
        ("line", "<u4"),  # 0: null
        ("type", "<u4"),  # numbers of strings
        ("name", "<u4"),
        ("file", "<u4"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("pad", "V2"),
        ("moments", "<u4"),
    ]
)

NULL: Final = 0xFFFFFFFF

# The kinds of a row are the numbers of Row's members; these two are of the journal only.
ROWS: Final = tuple(Row)
JSON: Final = 254
STRING: Final = 255
NUMBER: Final = {row: number for number, row in enumerate(ROWS)}

# flags
SAME: Final = 1
SAME_GIVEN: Final = 2
PATCHABLE: Final = 4
PATCHABLE_GIVEN: Final = 8
CALLS_GIVEN: Final = 16
COUNT_GIVEN: Final = 32
VALUE_GIVEN: Final = 64

GIVEN: Final = {
    "calls": CALLS_GIVEN,
    "count": COUNT_GIVEN,
    "value": VALUE_GIVEN,
    "same": SAME_GIVEN,
    "patchable": PATCHABLE_GIVEN,
}
NULLABLE: Final = (*GIVEN, "function", "object", "facet", "via", "line", "type", "name", "file", "moments")


def given(entries: Entries, column: str) -> Any:
    """Which of the entries have that column."""
    if column in GIVEN:
        return (entries["flags"] & GIVEN[column]) != 0
    return entries[column] != (0 if column == "line" else NULL)


def _by_kind(columns: dict[Row, frozenset[str]], column: str) -> Any:
    return np.array([column in columns[row] for row in ROWS])


_REQUIRED: Final = {column: _by_kind(REQUIRED, column) for column in NULLABLE}
_ALLOWED: Final = {column: _by_kind(REQUIRED, column) | _by_kind(OPTIONAL, column) for column in NULLABLE}


def required(kinds: Any, column: str) -> Any:
    """For rows of these kinds: whether they must have that column."""
    return _REQUIRED[column][kinds]


def allowed(kinds: Any, column: str) -> Any:
    """For rows of these kinds: whether they may have that column."""
    return _ALLOWED[column][kinds]
