"""Makes traces by hand, row by row, as real Parquet files."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from depwatch.compare.trace.schema import SCHEMA

METADATA = {
    "command": ["program.py"],
    "python": "3.13.0",
    "depwatch": "0.1.0",
    "started": "2026-11-24T14:00:00Z",
    "places": {},
}


class Building:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.metadata: dict[str, Any] = dict(METADATA)
        self.time = 0
        self._next = {"function": 0, "object": 0, "facet": 0}
        self._object_of: dict[int, int] = {}
        self._calls: dict[int, int] = {}

    def row(self, kind: str, **columns: Any) -> None:
        self.rows.append({"kind": kind, "time": self.time, **columns})

    def passes(self, ns: int) -> None:
        self.time += ns

    def object(self, type: str = "module", name: str = "program", file: str | None = None) -> int:
        number = self._number("object")
        self.row("object", object=number, type=type, name=name, file=file)
        return number

    def facet(self, object: int, name: str = "RATE", type: str = "global") -> int:
        number = self._number("facet")
        self._object_of[number] = object
        self.row("facet", facet=number, object=object, type=type, name=name)
        return number

    def function(self, name: str = "cost", points: int = 3) -> int:
        number = self._number("function")
        self._calls[number] = 0
        self.row("function", function=number, name=name, file="<program>/program.py", line=1, count=points)
        return number

    def resolved(self, function: int, dependencies: Iterable["dict[str, Any]"], calls: int | None = None) -> None:
        """Each dependency: facet, and perhaps objects, via, value, patchable."""
        for dependency in dependencies:
            facet = dependency["facet"]
            for number in dependency.get("objects") or (self._object_of[facet],):
                self.row(
                    "dependency",
                    function=function,
                    facet=facet,
                    object=number,
                    via=dependency.get("via"),
                    value=dependency.get("value", 0),
                    patchable=dependency.get("patchable", True),
                    type="int",
                )
        self.row("resolved", function=function, calls=self._calls[function] + 1 if calls is None else calls)

    def calls(
        self, function: int, more: int, object: int | None = None, count: int | None = None, moments: int | None = None
    ) -> None:
        self._calls[function] += more
        self.row("calls", function=function, calls=self._calls[function], object=object, count=count, moments=moments)

    def change(
        self,
        object: int,
        values: Sequence[tuple[int, int]] = (),
        *,
        same: bool = False,
        count: int = 1,
        counts: Sequence[int] = (),
        moments: int | None = None,
        moments_of: Sequence[int | None] = (),
        type: str = "modified",
        file: str | None = "<program>/program.py",
        line: int | None = 7,
    ) -> None:
        """values: (facet, number of its value now)."""
        self.row("change", object=object, count=count, moments=moments, type=type, file=file, line=line)
        for i, (facet, value) in enumerate(values):
            times = counts[i] if counts else count
            in_moments = moments_of[i] if moments_of else None
            row = {"count": times, "moments": in_moments, "value": value, "same": same, "type": "int"}
            self.row("value", facet=facet, object=object, **row)

    def drain(self) -> None:
        self.row("drain")

    def gone(self, *, function: int | None = None, object: int | None = None) -> None:
        self.row("gone", function=function, object=object)

    def lost(self, facet: int, value: int) -> None:
        self.row("lost", facet=facet, value=value)

    def tick(self, others: int = 0) -> None:
        """others: calls of functions that are not in the trace."""
        self.row("tick", calls=sum(self._calls.values()) + others)

    def end(self, status: int = 0, others: int = 0) -> None:
        self.tick(others)
        self.row("end", calls=sum(self._calls.values()) + others, value=status)

    def table(self) -> pa.Table:
        columns = {field.name: [row.get(field.name) for row in self.rows] for field in SCHEMA}
        schema = SCHEMA.with_metadata({**SCHEMA.metadata, b"depwatch.program": json.dumps(self.metadata).encode()})
        return pa.table({name: pa.array(column, schema.field(name).type) for name, column in columns.items()}, schema)

    def rows_as_read(self) -> list[dict[str, Any]]:
        """With all columns."""
        names = SCHEMA.names
        return [{name: row.get(name) for name in names} for row in self.rows]

    def write(self, path: Path) -> Path:
        pq.write_table(self.table(), path, compression="zstd")
        return path

    def _number(self, kind: str) -> int:
        self._next[kind] += 1
        return self._next[kind]


def hot_function() -> tuple[Building, int, int, int]:
    """A program, a module, a facet of it, and a function that depends on that and was called a hundred times."""
    building = Building()
    module = building.object()
    rate = building.facet(module)
    function = building.function()
    building.calls(function, 9)
    building.resolved(function, [{"facet": rate}])
    building.calls(function, 91)
    return building, module, rate, function
