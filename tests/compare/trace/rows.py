"""Traces as rows of Python objects: {column: value} without nulls."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from journals import JournalWriter

from depwatch.compare.trace.entries import NULL, ROWS
from depwatch.compare.trace.journal import Journal
from depwatch.compare.trace.reader import NO_VALUE, Trace
from depwatch.compare.trace.schema import SCHEMA
from depwatch.compare.trace.writer import TraceWriter

_NULLS = {"calls": 0, "count": 0, "line": 0, "value": NO_VALUE, "same": -1, "patchable": -1}


def parquet_rows(path: str | Path) -> list[dict[str, Any]]:
    """As pyarrow reads them."""
    rows = pq.read_table(path).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def trace_rows(trace: Trace) -> list[dict[str, Any]]:
    """As Trace gives them; calls, count and line have no null of their own, so a 0 is left out."""
    columns = {name: trace.column(name).tolist() for name in SCHEMA.names}
    rows = []
    for at in range(trace.rows):
        row: dict[str, Any] = {"kind": str(ROWS[columns["kind"][at]])}
        for name in SCHEMA.names[1:]:
            value = columns[name][at]
            if name == "time" or value != _NULLS.get(name, NULL):
                row[name] = trace.strings[value] if name in ("type", "name", "file") else value
        rows.append(row)
    return rows


def write_trace(directory: Path, journal: JournalWriter, status: int = 0, group: int = 1 << 17) -> Path:
    """What the supervisor does of a whole journal."""
    path = directory / "made.parquet"
    reading = Journal(journal.directory)
    writer = TraceWriter(str(path), reading.strings, group)
    for rows in reading.read(1 << 30):
        writer.add(rows)
    reading.close()
    writer.close(reading.metadata, status)
    return path
