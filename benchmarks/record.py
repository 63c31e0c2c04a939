"""What recording costs a program: its time against the plain one, and bytes of journal in an hour."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.record import program
from measure import Row, Spread, compare, finish, interleave

BOUND = 2.0  # times the plain program


def worker(name: str, loops: int) -> list[str]:
    """In pyperf's worker mode a benchmark runs in its own process and starts no other."""
    spec = importlib.util.find_spec("pyperformance")
    assert spec is not None and spec.origin is not None
    script = Path(spec.origin).parent / "data-files" / "benchmarks" / f"bm_{name}" / "run_benchmark.py"
    return [str(script), "--worker", "--loops", str(loops), "--values", "1", "--warmups", "0"]


PROGRAMS = {
    "go": lambda: worker("go", 12),
    "deltablue": lambda: worker("deltablue", 300),
    "richards": lambda: worker("richards", 30),
    "networkx, tests of its generators and utilities": lambda: [
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "networkx.generators", "networkx.utils")
    ],
    "nothing": lambda: [os.devnull],
}


class Program:
    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.bytes_an_hour: list[float] = []

    def plain(self) -> float:
        return self._run(dict(os.environ))

    def recorded(self) -> float:
        """The program's own process only: what reads the journal is another one."""
        is_module = self.arguments[0] == "-m"
        recorded = program.Program(self.arguments[is_module], is_module, ())
        with tempfile.TemporaryDirectory() as journal:
            seconds = self._run(recorded.environment(journal, HOT_AFTER, os.environ))
            used = 0
            for path in Path(journal).glob("*.journal"):
                with path.open("rb") as file:
                    used += int.from_bytes(file.read(16)[8:], "little")
        self.bytes_an_hour.append(used / seconds * 3600)
        return seconds

    def _run(self, environment: dict[str, str]) -> float:
        command = [sys.executable, *self.arguments]
        with tempfile.TemporaryDirectory() as directory:
            start = time.perf_counter()
            subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3, help="runs of each program, plain and recorded in turn")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results as it is")
    arguments = parser.parse_args()
    rows = []
    for name, of in PROGRAMS.items():
        run = Program(of())
        taken = interleave({"plain": run.plain, "recorded": run.recorded}, arguments.samples)
        bound = None if name == "nothing" else BOUND
        rows.append(compare(f"{name}: recorded", "s", taken["recorded"], taken["plain"], bound, "base: plain"))
        megabytes = [number / 1e6 for number in run.bytes_an_hour]
        rows.append(Row(f"{name}: journal, at the rate of this run", "MB an hour", Spread.of(megabytes)))
    return finish("record", "What recording costs", rows, check=arguments.check, write=not arguments.no_write)


if __name__ == "__main__":
    sys.exit(main())
