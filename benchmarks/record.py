"""What recording costs a program: processor time against the plain one, an empty call, and bytes of journal in an hour.

Processor time is that of the program's own process: what reads the journal is another one.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import depwatch
from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.record import program
from measure import HERE, Row, Spread, compare, finish, interleave

BOUND = 1.3  # times the plain program: the median of all but the one that does nothing
OF_NOTHING = 2.0
A_CALL = 40.0  # ns more for an empty call


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
    "jinja2": lambda: [str(HERE / "corpus" / "programs" / "render_jinja2.py")],
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
        """Seconds of processor time."""
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen(
                [sys.executable, *self.arguments], cwd=directory, env=environment, stdout=subprocess.DEVNULL
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, self.arguments
            return used.ru_utime + used.ru_stime


def an_empty_call(recorded: bool) -> float:
    """ns, of many; in a process of its own."""
    script = str(HERE / "programs" / "empty_call.py")
    of = program.Program(script, False, ())
    with tempfile.TemporaryDirectory() as journal:
        environment = of.environment(journal, HOT_AFTER, os.environ) if recorded else dict(os.environ)
        done = subprocess.run([sys.executable, script], env=environment, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3, help="runs of each program, plain and recorded in turn")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results as it is")
    arguments = parser.parse_args()
    # As pip does when it installs; PYTHONDONTWRITEBYTECODE may keep the first run from doing it.
    compileall.compile_dir(Path(depwatch.__file__).parent, quiet=1)
    rows: list[Row] = []
    ratios: list[float] = []
    for name, of in PROGRAMS.items():
        run = Program(of())
        taken = interleave({"plain": run.plain, "recorded": run.recorded}, arguments.samples)
        bound = OF_NOTHING if name == "nothing" else None
        rows.append(compare(f"{name}: recorded", "s", taken["recorded"], taken["plain"], bound, "base: plain"))
        if name != "nothing":
            ratios.append(median(a / b for a, b in zip(taken["recorded"], taken["plain"], strict=True)))
        megabytes = [number / 1e6 for number in run.bytes_an_hour]
        rows.append(Row(f"{name}: journal, at the rate of this run", "MB an hour", Spread.of(megabytes)))
    rows.append(Row("median of the programs but nothing", "", Spread.of(ratios), bound=BOUND))
    calls = interleave(
        {"plain": lambda: an_empty_call(False), "recorded": lambda: an_empty_call(True)}, arguments.samples
    )
    more = [a - b for a, b in zip(calls["recorded"], calls["plain"], strict=True)]
    rows.append(Row("an empty call, more", "ns", Spread.of(more), bound=A_CALL))
    return finish("record", "What recording costs", rows, check=arguments.check, write=not arguments.no_write)


if __name__ == "__main__":
    sys.exit(main())
