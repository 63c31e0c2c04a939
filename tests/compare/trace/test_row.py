"""A row of the journal is in Python what it is in C.

Both must have it: a trace is read, and its kinds are typed for mypy, without the recorder, which only a recorded
program loads. _tap.pyx takes its numbers from the header.
"""

import re

import numpy as np

from depwatch.compare.trace import entries
from depwatch.compare.trace.schema import MISSING, UNKNOWN, Row
from support import ROOT

TAP = ROOT / "depwatch" / "compare" / "record" / "tap"
HEADER = (TAP / "journal.h").read_text()
TYPES = {"uint64_t": "<u8", "uint32_t": "<u4", "int32_t": "<i4", "uint8_t": "u1"}
FLAGS = {
    "SAME": entries.SAME,
    "SAME_GIVEN": entries.SAME_GIVEN,
    "PATCHABLE": entries.PATCHABLE,
    "PATCHABLE_GIVEN": entries.PATCHABLE_GIVEN,
    "CALLS": entries.CALLS_GIVEN,
    "COUNT": entries.COUNT_GIVEN,
    "VALUE": entries.VALUE_GIVEN,
}


def test_the_fields_of_a_row_lie_where_c_puts_them() -> None:
    (body,) = re.findall(r"typedef struct Row \{(.*?)\} Row;", HEADER, re.DOTALL)
    fields = []
    for kind, names in re.findall(r"(\w+) (.*?);", body):
        for name, several in re.findall(r"(\w+)(?:\[(\d+)\])?", names):
            fields.append((name, f"V{several}" if several else TYPES[kind]))
    assert np.dtype(fields, align=True) == np.dtype(fields) == entries.ENTRY


def test_the_kinds_of_rows_have_the_numbers_that_c_gives_them() -> None:
    (body,) = re.findall(r"typedef enum Kind \{(.*?)\} Kind;", HEADER, re.DOTALL)
    kinds = re.findall(r"ROW_(\w+)(?: = (\d+))?", body)
    assert [name for name, number in kinds if not number] == [row.name for row in Row]
    assert {name: int(number) for name, number in kinds if number} == {"JSON": entries.JSON, "STRING": entries.STRING}


def test_the_flags_and_what_stands_for_nothing_are_those_of_c() -> None:
    flags = {name: int(number) for name, number in re.findall(r"FLAG_(\w+) = (\d+)", HEADER)}
    assert flags == FLAGS
    assert entries.NULL == 2**32 - 1 and "#define NONE UINT32_MAX" in HEADER
    values = re.findall(r"\b(MISSING|UNKNOWN) = (-\d+)", (TAP / "tap.h").read_text())
    assert {name: int(number) for name, number in values} == {"MISSING": MISSING, "UNKNOWN": UNKNOWN}
