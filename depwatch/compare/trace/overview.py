"""What happened in many traces, counted by DuckDB: rows, changes by type, file and cause, and the worst facets.

Counts of several traces are added up, so that each may be counted where it lies.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from .causes import cause
from .reader import TraceError

WORST: Final = 20  # files and facets that are listed
MEMORY: Final = "1GB"  # DuckDB spills beyond that

type Facet = tuple[str, str, str]  # its type, the name of its object, its own

# One number of an object or a facet means another thing in each file.
_ROWS: Final = "SELECT kind::VARCHAR, count(*) FROM trace GROUP BY ALL"
_CHANGES: Final = """
    SELECT type::VARCHAR, file::VARCHAR, sum(count)::BIGINT FROM trace WHERE kind = 'change' GROUP BY ALL"""
_FACETS: Final = """
    WITH
        object AS (SELECT filename, object, name FROM trace WHERE kind = 'object'),
        facet AS (SELECT filename, facet, object, type, name FROM trace WHERE kind = 'facet'),
        value AS (
            SELECT filename, facet, sum(count)::BIGINT AS changes, count(DISTINCT filename) AS traces
            FROM trace WHERE kind = 'value' AND NOT same GROUP BY filename, facet)
    SELECT facet.type::VARCHAR, object.name::VARCHAR, facet.name::VARCHAR, sum(value.changes)::BIGINT
    FROM value JOIN facet USING (filename, facet) JOIN object USING (filename, object)
    GROUP BY ALL"""


@dataclass(slots=True)
class Tally:
    """Counts that can be added up."""

    traces: int = 0
    rows: Counter[str] = field(default_factory=Counter)  # by kind
    changes: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # by type and file
    facets: Counter[Facet] = field(default_factory=Counter)  # changes that changed the value

    def add(self, other: "Tally") -> None:
        self.traces += other.traces
        self.rows.update(other.rows)
        self.changes.update(other.changes)
        self.facets.update(other.facets)


def tally(paths: Sequence[str]) -> Tally:
    """Count what is in these traces, which must have been checked. Raises TraceError."""
    try:
        with duckdb.connect(config={"memory_limit": MEMORY}) as connection:
            connection.read_parquet(list(paths), filename=True).create_view("trace")
            return Tally(
                len(paths),
                Counter(dict(connection.execute(_ROWS).fetchall())),
                Counter({(kind, file): count for kind, file, count in connection.execute(_CHANGES).fetchall()}),
                Counter({(kind, of, name): count for kind, of, name, count in connection.execute(_FACETS).fetchall()}),
            )
    except duckdb.Error as error:
        where = paths[0] if len(paths) == 1 else f"one of {len(paths)} traces"
        raise TraceError(f"{where}: is damaged: {str(error).splitlines()[0]}") from None


def overview(tallies: Iterable[Tally]) -> dict[str, Any]:
    """The sum of all, as JSON: the same whatever their order."""
    total = Tally()
    for each in tallies:
        total.add(each)
    types, files, causes = Counter[str](), Counter[str](), Counter[str]()
    for (kind, file), count in total.changes.items():
        types[kind] += count
        files[file or ""] += count
        causes[cause(file)] += count
    return {
        "traces": total.traces,
        "rows": total.rows.total(),
        "kinds": _sorted(total.rows),
        "changes": total.changes.total(),
        "types": _sorted(types),
        "causes": _sorted(causes),
        "files": [{"file": file or None, "changes": count} for file, count in _worst(files)],
        "facets": [
            {"kind": kind, "object": of, "facet": name, "changes": count}
            for (kind, of, name), count in _worst(total.facets)
        ],
    }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _worst[Key: (str, Facet)](counts: Counter[Key]) -> list[tuple[Key, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORST]
