"""What is in a journal becomes rows of a trace; what cannot be right is left out and counted."""

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from journals import JournalWriter, entry
from rows import parquet_rows, trace_rows, write_trace

from depwatch.compare.trace.entries import ENTRY, JSON, NUMBER, STRING
from depwatch.compare.trace.journal import HEADER, Journal
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row
from depwatch.compare.trace.writer import TraceWriter

ROWS: list[dict[str, Any]] = [
    {"kind": "object", "time": 1, "object": 0, "type": "module", "name": "app", "file": "<program>/app.py"},
    {"kind": "object", "time": 1, "object": 1, "type": "dict", "name": "a dict"},
    {"kind": "facet", "time": 1, "facet": 0, "object": 0, "type": "global", "name": "RATE"},
    {"kind": "function", "time": 2, "function": 0, "name": "f", "file": "<string>", "line": 1, "count": 0},
    {
        "kind": "dependency",
        "time": 3,
        "function": 0,
        "facet": 0,
        "object": 0,
        "value": -1,
        "patchable": False,
        "type": "int",
    },
    {"kind": "dependency", "time": 3, "function": 0, "facet": 0, "object": 1, "via": 0, "value": 7, "patchable": True},
    {"kind": "resolved", "time": 3, "function": 0, "calls": 10},
    {"kind": "calls", "time": 4, "function": 0, "calls": 11},
    {"kind": "calls", "time": 4, "function": 0, "calls": 1 << 62, "object": 0, "count": 4294967295},
    {"kind": "change", "time": 4, "object": 0, "count": 1, "type": "modified", "file": "<else>/x.py", "line": 5},
    {"kind": "value", "time": 4, "facet": 0, "object": 0, "count": 1, "value": -2, "same": False, "type": "str"},
    {"kind": "value", "time": 4, "facet": 0, "object": 0, "count": 1, "value": 3, "same": True},
    {"kind": "drain", "time": 5},
    {"kind": "gone", "time": 6, "function": 0},
    {"kind": "gone", "time": 6, "object": 0},
    {"kind": "tick", "time": 7, "calls": 0},
    {"kind": "end", "time": 8, "calls": 0, "value": 0},
]


def journal_of(directory: Path, rows: list[dict[str, Any]], segment: int = 1 << 20) -> JournalWriter:
    journal = JournalWriter(directory, segment)
    for row in rows:
        journal.row(**row)
    return journal


def read(directory: Path) -> tuple[Journal, int]:
    """Read a journal to its end: the journal, and how many rows it had."""
    journal = Journal(directory)
    rows = sum(len(part) for part in journal.read(1 << 30))
    journal.close()
    return journal, rows


@pytest.mark.parametrize("group", [1, 2, 5, 1000])
@pytest.mark.parametrize("segment", [HEADER + 128, 1 << 20])
def test_each_kind_of_row_comes_out_as_it_went_in(tmp_path: Path, group: int, segment: int) -> None:
    journal = journal_of(tmp_path, ROWS, segment)
    journal.json({"places": {"program": "here"}})
    path = write_trace(tmp_path, journal, group=group)
    assert parquet_rows(path) == ROWS
    with Trace(path) as trace:
        without_zeros = [{k: v for k, v in row.items() if v or k not in ("calls", "count")} for row in ROWS]
        assert trace_rows(trace) == without_zeros
        assert trace.program == {"places": {"program": "here"}}
        assert trace.complete


def test_segments_are_read_while_they_grow_and_deleted_when_they_are_read(tmp_path: Path) -> None:
    writing = JournalWriter(tmp_path, HEADER + 4 * 64)
    reading = Journal(tmp_path)
    seen = []
    for time in range(10):
        writing.row("drain", time)
        seen += [row for part in reading.read() for row in part["time"].tolist()]
        assert seen == list(range(time + 1))
        assert len(os.listdir(tmp_path)) == 1
    assert list(reading.read()) == []
    reading.close()
    assert reading.dropped == 0


def test_one_call_of_read_takes_no_more_than_so_many_segments(tmp_path: Path) -> None:
    journal_of(tmp_path, [{"kind": "drain", "time": time} for time in range(10)], HEADER + 64)
    journal = Journal(tmp_path)
    assert [part["time"].tolist() for part in journal.read(3)] == [[0], [1], [2]]
    assert [part["time"].tolist() for part in journal.read(100)] == [[3], [4], [5], [6], [7], [8], [9]]
    journal.close()


def test_text_that_looks_like_entries_is_none(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, 1 << 16)
    looks = entry(STRING, name=9, count=500) + entry(JSON, count=3) + entry(NUMBER[Row.DRAIN]) + entry(200)
    number = journal.string("x" * 40 + looks.decode("latin-1"))
    journal.row("drain", 5)
    reading, rows = read(tmp_path)
    assert rows == 1
    assert reading.dropped == 0
    assert list(reading.strings) == [number]


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        (b"", ""),
        (b"a\0b", "a\0b"),
        ("é" * 500 + "é", "é" * 500),
        (b"a" * 999 + "é".encode(), "a" * 999 + "\\xc3"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\udc80".encode("utf-8", "surrogatepass"), "\\udc80"),
    ],
    ids=["empty", "nul", "whole characters", "cut in a character", "no utf-8", "lone surrogate"],
)
def test_any_bytes_make_a_string(tmp_path: Path, text: bytes | str, read_as: str) -> None:
    data = (text if isinstance(text, bytes) else text.encode())[:1000]
    journal = JournalWriter(tmp_path)
    journal.put(entry(STRING, name=0, count=len(data)), data)
    journal.put(entry(NUMBER[Row.OBJECT], time=1, object=0, type=0, name=0))
    path = write_trace(tmp_path, journal)
    assert parquet_rows(path) == [{"kind": "object", "time": 1, "object": 0, "type": read_as, "name": read_as}]


def test_metadata_is_merged_and_no_object_is_none(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    journal.json({"a": 1, "b": 2})
    journal.json({"b": 3})
    for text in (b"[1]", b"{", b"\xff", b"[" * 100_000):
        journal.put(entry(JSON, count=len(text)), text)
    reading, rows = read(tmp_path)
    assert (reading.metadata, reading.dropped, rows) == ({"a": 1, "b": 3}, 4, 0)


@pytest.mark.parametrize("used", [64 * 3, 64 * 3 - 1, 64 * 2 + 1])
def test_an_entry_that_is_not_complete_is_not_read(tmp_path: Path, used: int) -> None:
    journal = journal_of(tmp_path, [{"kind": "drain", "time": time} for time in range(5)])
    assert journal.map is not None
    journal.map[8:16] = struct.pack("<Q", used)
    assert read(tmp_path)[1] == used // 64


def test_a_count_of_bytes_beyond_the_file_is_no_crash(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [{"kind": "drain", "time": 0}], HEADER + 10 * 64)
    assert journal.map is not None
    journal.map[8:16] = struct.pack("<Q", (1 << 64) - 1)
    reading, rows = read(tmp_path)
    assert (rows, reading.dropped) == (10, 0)  # empty entries look like objects; the writer refuses those


def test_text_that_is_cut_off_is_dropped(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    journal.row("drain", 0)
    journal.put(entry(STRING, name=0, count=1000), b"only this")
    reading, rows = read(tmp_path)
    assert (rows, reading.strings, reading.dropped) == (1, {}, 1)


def test_a_file_that_is_no_segment_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "00000000.journal").write_bytes(b"\xff" * 1000)
    assert read(tmp_path)[1] == 0
    (tmp_path / "00000000.journal").write_bytes(b"")
    assert read(tmp_path)[1] == 0


def wrong(kind: Row, **columns: Any) -> bytes:
    return entry(NUMBER[kind], time=5, **columns)


@pytest.mark.parametrize(
    "bad",
    [
        entry(100, time=5),
        entry(NUMBER[Row.DRAIN], time=1 << 63),
        wrong(Row.OBJECT, object=0, type=0, name=77),
        wrong(Row.OBJECT, type=0, name=0),
        wrong(Row.CALLS, function=0),
        wrong(Row.RESOLVED, calls=3),
        wrong(Row.CHANGE, object=0, type=0, count=0),
        wrong(Row.VALUE, facet=0, object=0, count=1, value=-3, same=True),
        wrong(Row.VALUE, facet=0, object=0, count=0, value=1, same=True),
        wrong(Row.VALUE, facet=0, object=0, count=1, value=1),
        wrong(Row.DEPENDENCY, function=0, facet=0, object=0, value=1),
        wrong(Row.GONE),
        wrong(Row.GONE, function=0, object=0),
        wrong(Row.TICK),
    ],
)
def test_a_row_that_cannot_be_right_is_dropped_and_counted(tmp_path: Path, bad: bytes) -> None:
    journal = JournalWriter(tmp_path)
    journal.string("text")
    journal.row("drain", 4)
    journal.put(bad)
    journal.row("drain", 6)
    reading = Journal(tmp_path)
    writer = TraceWriter(str(tmp_path / "made.parquet"), reading.strings)
    for rows in reading.read():
        writer.add(rows)
    reading.close()
    writer.close({}, 0)
    assert (writer.rows, reading.dropped + writer.dropped, writer.raised) == (2, 1, 0)
    assert parquet_rows(tmp_path / "made.parquet") == [{"kind": "drain", "time": 4}, {"kind": "drain", "time": 6}]


def test_columns_that_a_kind_does_not_have_are_null(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    journal.row("drain", 4, function=1, object=2, facet=3, via=4, calls=5, count=6, value=7, line=8, same=True)
    assert parquet_rows(write_trace(tmp_path, journal)) == [{"kind": "drain", "time": 4}]


def test_an_optional_text_that_was_never_given_is_null(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    number = journal.string("modified")
    journal.put(entry(NUMBER[Row.CHANGE], time=1, object=0, count=1, type=number, file=12345, line=3))
    assert parquet_rows(write_trace(tmp_path, journal)) == [
        {"kind": "change", "time": 1, "object": 0, "count": 1, "type": "modified", "line": 3}
    ]


def test_times_that_descend_are_raised_and_counted(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [{"kind": "drain", "time": time} for time in (3, 9, 8, 2, 10)])
    reading = Journal(tmp_path)
    writer = TraceWriter(str(tmp_path / "made.parquet"), reading.strings, group=2)
    for rows in reading.read():
        writer.add(rows)
    reading.close()
    writer.close({}, 0)
    assert [row["time"] for row in parquet_rows(tmp_path / "made.parquet")] == [3, 9, 9, 9, 10]
    assert (writer.raised, writer.dropped) == (2, 0)
    assert journal.number == 0


@pytest.mark.parametrize("group", [1, 2, 3, 100])
def test_the_end_comes_last_with_the_true_exit_status(tmp_path: Path, group: int) -> None:
    journal = JournalWriter(tmp_path)
    journal.row("tick", 1, calls=5)
    journal.row("end", 2)
    journal.row("drain", 3)  # of a thread, or of what runs at exit
    assert parquet_rows(write_trace(tmp_path, journal, status=-9, group=group)) == [
        {"kind": "tick", "time": 1, "calls": 5},
        {"kind": "drain", "time": 3},
        {"kind": "end", "time": 3, "calls": 5, "value": -9},
    ]


def test_an_entry_has_64_bytes() -> None:
    assert ENTRY.itemsize == 64
    assert ENTRY.fields is not None
    assert {name: place[1] for name, place in ENTRY.fields.items()} == {
        "time": 0,
        "calls": 8,
        "function": 16,
        "object": 20,
        "facet": 24,
        "via": 28,
        "count": 32,
        "value": 36,
        "line": 40,
        "type": 44,
        "name": 48,
        "file": 52,
        "kind": 56,
        "flags": 57,
        "pad": 58,
        "moments": 60,
    }
