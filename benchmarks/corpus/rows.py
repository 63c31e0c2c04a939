"""Rows of a benchmark's results, and of a table in Markdown."""

from typing import Any


def bytes_of(results: dict[str, Any], case: str) -> float:
    """The median of a row. Raises KeyError if there is none of that case."""
    for row in results["rows"]:
        if row["case"] == case:
            return float(row["value"]["median"])
    raise KeyError(case)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns of numbers are those whose first cell begins with a digit."""
    first = rows[0] if rows else head
    rule = ["---:" if cell[:1].isdigit() else "---" for cell in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
