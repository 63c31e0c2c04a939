"""A trace is read whole, or refused in one line that says what is wrong and where."""

import json
import os
import random
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import JournalWriter
from rows import parquet_rows, trace_rows, write_trace

from depwatch.compare.trace.folder import TraceError
from depwatch.compare.trace.reader import NO_VALUE, Trace
from depwatch.compare.trace.schema import OLDEST, OPTIONAL, REQUIRED, SCHEMA, VERSION, Row

PROGRAM = {"command": ["program.py"], "exit": 0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A trace in three row groups, without an end."""
    journal = JournalWriter(tmp_path, 1 << 16)
    journal.json(PROGRAM)
    journal.row("function", 1, function=0, name="f", file="<program>/f.py", line=3, count=2)
    for time in range(2, 9):
        journal.row("calls", time, function=0, calls=10 * time)
    return write_trace(tmp_path, journal, group=3)


def refused(path: Path | str) -> str:
    with pytest.raises(TraceError) as caught:
        read_all(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def read_all(path: Path | str) -> list[dict[str, Any]]:
    with Trace(path) as trace:
        return trace_rows(trace)


def test_columns_are_arrays_with_numbers_for_null(path: Path) -> None:
    with Trace(path) as trace:
        assert (trace.rows, trace.program, trace.complete, trace.exit) == (8, PROGRAM, False, 0)
        assert trace.seconds == 8e-9
        assert trace.column("kind").tolist() == [2] + [5] * 7
        assert trace.column("calls").tolist() == [0, 20, 30, 40, 50, 60, 70, 80]
        assert trace.column("name").tolist() == [0] + [0xFFFFFFFF] * 7
        assert trace.column("same").tolist() == [-1] * 8
        assert trace.column("value").tolist() == [NO_VALUE] * 8
        assert trace.strings == ["f"]
        assert trace.column("calls") is trace.column("calls")
        types = {name: str(trace.column(name).dtype) for name in SCHEMA.names}
    assert types == {
        "kind": "uint8",
        "time": "uint64",
        "calls": "uint64",
        "value": "int32",
        "same": "int8",
        "patchable": "int8",
        **dict.fromkeys(["function", "object", "facet", "via", "count", "moments", "line"], "uint32"),
        **dict.fromkeys(["type", "name", "file"], "uint32"),
    }


def test_a_trace_of_nothing_is_one(tmp_path: Path) -> None:
    pq.write_table(SCHEMA.empty_table(), tmp_path / "t.parquet")
    with Trace(tmp_path / "t.parquet") as trace:
        assert (trace.rows, trace.program, trace.complete, trace.exit, trace.seconds) == (0, {}, False, None, 0)
        assert trace.column("name").tolist() == trace.column("same").tolist() == []


def test_row_groups_with_dictionaries_of_their_own_have_one_list_of_strings(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path)
    for number, name in enumerate("abcab"):
        journal.row("object", number, object=number, type="type", name=name, file=name)
    with Trace(write_trace(tmp_path, journal, group=2)) as trace:
        names = [trace.strings[number] for number in trace.column("name")]
        files = [trace.strings[number] for number in trace.column("file")]
        assert names == files == list("abcab")
        assert trace.strings == ["a", "b", "c"]


@pytest.mark.parametrize("keep", ["nothing", "three bytes", "the magic", "a half", "all but the last byte"])
def test_a_truncated_trace_is_refused_in_one_line(path: Path, keep: str) -> None:
    data = path.read_bytes()
    sizes = {"nothing": 0, "three bytes": 3, "the magic": 4, "a half": len(data) // 2}
    size = sizes.get(keep, len(data) - 1)
    path.write_bytes(data[:size])
    message = refused(path)
    if size < 4:
        assert message == f"is no Parquet file: it begins with {data[:size]!r}, not b'PAR1'"
    else:
        assert message == (
            f"is truncated: {size:,} bytes are there, and the end of a Parquet file is not among them; "
            "copy it again, or record again"
        )


def test_a_file_cut_in_the_middle_with_its_end_in_place_is_refused(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:100] + data[300:])
    assert refused(path).startswith("is damaged: ")


def test_a_column_that_cannot_be_read_is_named(path: Path) -> None:
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(1).column(SCHEMA.get_field_index("calls"))
    start = column.data_page_offset
    for at in range(start + column.total_compressed_size - 8, start + column.total_compressed_size):
        data[at] ^= 0xFF
    path.write_bytes(data)
    message = refused(path)
    assert message.startswith("is damaged: row group 1 of 3, column 'calls' cannot be read: ")


def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("kind,time\n")
    assert refused(path) == "is no Parquet file: it begins with b'kind', not b'PAR1'"
    pq.write_table(pa.table({"a": [1]}), path)
    assert refused(path) == "is a Parquet file, but no trace: it has no metadata depwatch.trace"


@pytest.mark.parametrize("found", [str(OLDEST - 1), str(VERSION + 1), "x", "", "9" * 5000])
@pytest.mark.parametrize("writer", ["", "9.8"])
def test_a_trace_of_another_version_is_refused_with_the_remedy(tmp_path: Path, found: str, writer: str) -> None:
    path = tmp_path / "x.parquet"
    metadata = {"depwatch.trace": found} | ({"depwatch.program": json.dumps({"depwatch": writer})} if writer else {})
    pq.write_table(SCHEMA.with_metadata(metadata).empty_table(), path)
    remedy = "install a newer depwatch" if found == str(VERSION + 1) else "record again"
    assert refused(path) == (
        f"is a trace of version {found}; this depwatch, {version('depwatch')}, reads version {VERSION}: "
        f"{remedy}, or use the one that wrote it{' (9.8)' if writer else ''}"
    )


def test_a_trace_with_other_columns_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = SCHEMA.empty_table()
    at = SCHEMA.get_field_index("calls")
    pq.write_table(table.remove_column(at), path)
    assert refused(path) == f"has no column 'calls', and a trace of version {VERSION} has"
    pq.write_table(table.set_column(at, "calls", pa.array([], pa.int64())), path)
    assert refused(path) == "column 'calls' is int64, not uint64"


def test_a_kind_that_is_not_known_is_refused_in_one_line(path: Path) -> None:
    table = pq.read_table(path)
    for kind, shown in (("other", "'other'"), (None, "None")):
        kinds = pa.array([kind] * len(table), pa.string()).dictionary_encode().cast(SCHEMA.field("kind").type)
        schema = SCHEMA.set(0, SCHEMA.field("kind").with_nullable(True))
        pq.write_table(pa.Table.from_arrays([kinds, *table.columns[1:]], schema=schema), path)
        assert refused(path) == f"row group 0 has rows of the kind {shown}"


@pytest.mark.parametrize("program", ["[]", "{", "[" * 100_000])
def test_metadata_that_is_no_json_object_is_refused_in_one_line(tmp_path: Path, program: str) -> None:
    path = tmp_path / "x.parquet"
    metadata = {**(SCHEMA.metadata or {}), "depwatch.program": program}
    pq.write_table(SCHEMA.with_metadata(metadata).empty_table(), path)
    assert refused(path) == f"its metadata depwatch.program is no JSON object: {program[:40].encode()!r}"


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path / "x") == "cannot be opened: No such file or directory"
    assert refused(tmp_path) == "is no file; name a trace that `depwatch record` wrote"
    os.mkfifo(tmp_path / "fifo")
    assert refused(tmp_path / "fifo") == "is no file; name a trace that `depwatch record` wrote"
    assert refused("/dev/null") == "is no file; name a trace that `depwatch record` wrote"


@pytest.mark.slow
def test_damaged_bytes_anywhere_are_refused_in_one_line_or_harmless(tmp_path: Path, path: Path) -> None:
    """In a process of its own: that pyarrow survives it is part of the test."""
    script = f"""
import random, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_trace_reader import TraceError, read_all
path = Path({str(path)!r})
data, whole, chance = path.read_bytes(), read_all(path), random.Random(1)
refused = same = 0
for _ in range(400):
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 8))):
        damaged[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(damaged)
    try:
        same += read_all(path) == whole
    except TraceError as error:
        assert len(str(error).splitlines()) == 1, error
        refused += 1
print(refused + same, refused > 100)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("400 True\n", "", 0)


_U32 = st.integers(0, (1 << 32) - 2)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(["function", "object", "facet", "via", "moments"], _U32 | st.integers(0, 3)),
    "calls": st.integers(0, (1 << 64) - 1) | st.integers(0, 1000),
    "count": st.integers(1, (1 << 32) - 1),
    "value": st.integers(-2, (1 << 31) - 1),
    "same": st.booleans(),
    "patchable": st.booleans(),
    **dict.fromkeys(["type", "name", "file"], _TEXT | st.sampled_from(["a", "b"])),
    "line": st.integers(1, (1 << 32) - 1),
}


@st.composite
def _row(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from([row for row in Row if row not in (Row.END, Row.GONE)]))
    optional = sorted(OPTIONAL[kind])
    chosen = draw(st.sets(st.sampled_from(optional))) if optional else set()
    names = REQUIRED[kind] | chosen
    return {"kind": str(kind), **{name: draw(_COLUMNS[name]) for name in sorted(names)}}


@given(
    rows=st.lists(_row(), max_size=30),
    steps=st.lists(st.integers(0, 1 << 40), min_size=30, max_size=30),
    group=st.integers(1, 10),
    segment=st.sampled_from([1 << 9, 1 << 12]),
)
def test_any_journal_comes_out_of_the_trace_as_it_went_in(
    rows: list[dict[str, Any]], steps: list[int], group: int, segment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    times = np.cumsum(steps).tolist()
    rows = [{"time": time, **row} for time, row in zip(times, rows, strict=False)]
    journal = JournalWriter(directory, segment)
    for row in rows:
        journal.row(**row)
    path = write_trace(directory, journal, group=group)
    assert parquet_rows(path) == rows
    assert read_all(path) == [{k: v for k, v in row.items() if v or k != "calls"} for row in rows]


def test_random_bytes_in_a_journal_are_no_crash(tmp_path: Path) -> None:
    chance = random.Random(7)
    journal = JournalWriter(tmp_path, 1 << 12)
    for _ in range(2000):
        journal.put(chance.randbytes(64))
    path = write_trace(tmp_path, journal)
    read_all(path)
