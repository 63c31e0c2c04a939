"""check() finds what breaks a rule of docs/trace-format.md, and nothing in a trace that keeps them."""

from pathlib import Path
from typing import Any

import pytest
from journals import JournalWriter
from rows import write_trace

from depwatch.compare.trace import check
from depwatch.compare.trace.reader import Trace

GOOD: list[dict[str, Any]] = [
    {"kind": "object", "time": 0, "object": 0, "type": "module", "name": "app", "file": "<program>/app.py"},
    {"kind": "object", "time": 0, "object": 1, "type": "builtins", "name": "builtins"},
    {"kind": "facet", "time": 0, "facet": 0, "object": 0, "type": "global", "name": "RATE"},
    {"kind": "function", "time": 2, "function": 0, "name": "f", "file": "<string>", "line": 1, "count": 2},
    {"kind": "dependency", "time": 3, "function": 0, "facet": 0, "object": 0, "value": 1, "patchable": True},
    {"kind": "dependency", "time": 3, "function": 0, "facet": 0, "object": 1, "value": 1, "patchable": True},
    {"kind": "resolved", "time": 3, "function": 0, "calls": 10},
    {"kind": "calls", "time": 4, "function": 0, "calls": 11},
    {"kind": "change", "time": 4, "object": 0, "count": 1, "type": "modified"},
    {"kind": "value", "time": 4, "facet": 0, "object": 0, "count": 1, "value": 2, "same": False, "type": "int"},
    {"kind": "calls", "time": 5, "function": 0, "calls": 20, "object": 0, "count": 3},
    {"kind": "change", "time": 5, "object": 0, "count": 3, "type": "modified"},
    {"kind": "value", "time": 5, "facet": 0, "object": 0, "count": 2, "value": -2, "same": False},
    {"kind": "drain", "time": 6},
    {"kind": "gone", "time": 6, "object": 0},
    {"kind": "calls", "time": 7, "function": 0, "calls": 21},
    {"kind": "tick", "time": 7, "calls": 30},
    {"kind": "end", "time": 8, "calls": 30},
]


def checked(directory: Path, rows: list[dict[str, Any]]) -> list[str]:
    journal = JournalWriter(directory)
    for row in rows:
        journal.row(**row)
    with Trace(write_trace(directory, journal)) as trace:
        return check(trace)


def test_a_trace_that_keeps_the_rules_breaks_none(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD) == []


@pytest.mark.parametrize("rows", range(len(GOOD)))
def test_a_trace_that_was_cut_anywhere_breaks_no_rule(tmp_path: Path, rows: int) -> None:
    assert checked(tmp_path, GOOD[:rows]) == []


@pytest.mark.parametrize(
    ("at", "row", "sentences"),
    [
        (1, {"object": 0}, ["defines one object of several"] * 2 + ["its object is defined by no row before it"]),
        (2, {"object": 7}, ["its object is defined by no row before it"]),
        (2, {"type": "local"}, ["has a type that facets do not have"]),
        (4, {"facet": 1}, ["its facet is defined by no row before it"]),
        (4, {"via": 1}, ["its via is defined by no row before it"]),
        (4, {"function": 5}, ["its function is defined by no row before it", "followed by no resolved"]),
        (7, {"calls": 9}, ["has fewer calls than a row of that function before it"]),
        (8, {"type": "moved"}, ["has a type that changes do not have"]),
        (9, {"object": 1}, ["comes before any change of its object"]),
        (9, {"time": 5}, ["has another time than the change it belongs to"]),
        (10, {"object": None}, ["has an object without a count, or a count without an object"]),
        (12, {"count": 4}, ["counts more changes than the change it belongs to"]),
        (16, {"kind": "drain", "calls": None}, ["does not come right after a tick"]),
    ],
)
def test_a_broken_rule_is_told_with_its_row(tmp_path: Path, at: int, row: dict[str, Any], sentences: list[str]) -> None:
    changed = {name: value for name, value in (GOOD[at] | row).items() if value is not None}
    told = checked(tmp_path, [*GOOD[:at], changed, *GOOD[at + 1 :]])
    assert len(told) == len(sentences)
    for text, sentence in zip(told, sentences, strict=True):
        assert text.startswith("row ")
        assert sentence in text


def test_many_broken_rows_are_told_once(tmp_path: Path) -> None:
    told = checked(tmp_path, [{"kind": "resolved", "time": 1, "function": 3, "calls": 1}] * 20)
    text = "its function is defined by no row before it"
    assert told == [*(f"row {row} (resolved): {text}" for row in range(5)), f"15 more rows: {text}"]
