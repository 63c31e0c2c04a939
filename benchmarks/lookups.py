"""What share of the look-ups that CPython specialises hot code for is followed by the recorder.

The count is one apart from the recorder's: see programs/census. --more adds programs, each what follows `python`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import HERE, Row, Spread, finish
from record import worker

LEAST = 0.9  # by calls
PROGRAMS = {
    "deltablue": lambda: worker("deltablue", 20),
    "go": lambda: worker("go", 2),
    "richards": lambda: worker("richards", 3),
    "jinja2": lambda: [str(HERE / "corpus" / "programs" / "render_jinja2.py")],
    "networkx": lambda: ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "networkx.generators"],
}


def census(arguments: list[str]) -> dict[str, list[int]]:
    """By instruction: how many, how many followed, both weighted by calls."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "census.json"
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE / "programs" / "census"), *filter(None, sys.path)]),
            "DEPWATCH_CENSUS": str(path),
        }
        command = [sys.executable, "-m", "depwatch", "record", "-o", str(Path(directory) / "t.parquet"), *arguments]
        subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, check=True)
        counted: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))["counted"]
    return counted


def rows_of(name: str, counted: dict[str, list[int]]) -> list[Row]:
    rows = []
    for kind in ("attribute", "global", "call"):
        of_kind = [row for instruction, row in counted.items() if instruction.startswith(kind)]
        sites, followed, calls, followed_calls = (sum(column) for column in zip(*of_kind, strict=True))
        note = f"{followed:,} of {sites:,} instructions"
        share = Spread.of([followed_calls / calls if calls else 1.0])
        rows.append(Row(f"{name}: {kind}s followed, by calls", "", share, note=note, at_least=LEAST))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--more", action="append", default=[], metavar="COMMAND", help="what follows `python`")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results as it is")
    arguments = parser.parse_args()
    programs: dict[str, Any] = PROGRAMS | {words: lambda words=words: shlex.split(words) for words in arguments.more}
    rows = [row for name, of in programs.items() for row in rows_of(name, census(of()))]
    return finish("lookups", "What is followed", rows, check=arguments.check, write=not arguments.no_write)


if __name__ == "__main__":
    sys.exit(main())
