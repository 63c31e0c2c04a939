"""What the notebooks read: the results that ./dev bench and ./dev compare --corpus have left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("DEPWATCH_RESULTS", Path(__file__).parent.parent / "benchmarks" / "results"))


def found(name: str) -> list[Path]:
    """The results of one benchmark, a file for each version of Python, the last version last."""
    return sorted(FOLDER.glob(f"{name}-*.json"), key=lambda path: [int(n) if n.isdigit() else 0 for n in numbers(path)])


def numbers(path: Path) -> list[str]:
    return path.stem.rpartition("-")[2].split(".")


def load(name: str) -> dict[str, Any]:
    """The result of a benchmark on the last version of Python that it was run on."""
    files = found(name)
    if not files:
        raise FileNotFoundError(f"no result of {name} in {FOLDER.name}: ./dev bench {name} makes one")
    data: dict[str, Any] = json.loads(files[-1].read_text())
    return data


def chosen(trace: dict[str, Any]) -> str:
    """How a program of the corpus was chosen: hand, pyperformance or rank; hand in results from before the rules."""
    return str(trace.get("chosen", "hand"))


def row(data: dict[str, Any], case: str) -> dict[str, Any]:
    """The first row of a benchmark whose case begins like this."""
    for one in data["rows"]:
        if one["case"].strip().startswith(case):
            found: dict[str, Any] = one
            return found
    raise KeyError(f"{data['benchmark']} has no row that begins with {case!r}")


def median(data: dict[str, Any], case: str) -> float:
    return float(row(data, case)["value"]["median"])


def where(data: dict[str, Any]) -> str:
    """For captions: what it was measured on."""
    machine = data["machine"]
    return f"CPython {machine['python']}, {machine['cpu']}, {machine['cores']} cores"
