"""Libraries that use numba, under patch(): which of their functions are watched, and what their test suites cost so.

Each test must have the same outcome as with plain numba. --few: a part of each suite, for that alone; plain numba runs
it only where a test does not pass. Sdists, and what tests import, are downloaded once into benchmarks/.build/suites.

Two libraries are measured at a time, each on a processor of its own: its tests under patch(), then with plain numba.
Each sample is kept in benchmarks/.build/libraries, so that a run which was stopped goes on where it was (--fresh: from
the start). First comes one sample of each library; then more of those that take least, while --minutes are not over.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from json import dumps, loads
from pathlib import Path
from typing import Any

# This directory comes first where Python looks for modules, and has a file called numba.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
sys.path.insert(1, str(Path(__file__).resolve().parent))
from measure import HERE, ROOT, Row, Spread, compare, finish, write_json  # noqa: E402
from suites import Failed, prepared, seconds_of  # noqa: E402

WATCHED, COST = 0.8, 1.1  # at least this share of the functions; at most this ratio of processor time
JOBS = 2  # libraries at a time
ONE_THREAD = dict.fromkeys((f"{name}_NUM_THREADS" for name in ("NUMBA", "OMP", "OPENBLAS", "MKL")), "1")


@dataclass(frozen=True)
class Suite:
    """How to run the tests of an sdist, named NAME-VERSION, whose package is called NAME."""

    sdist: str
    needs: tuple[str, ...]  # what the tests import beside it
    tests: tuple[str, ...]  # arguments of pytest
    few: tuple[str, ...]  # the same, for a part that takes some seconds

    @property
    def package(self) -> str:
        return self.sdist.rpartition("-")[0]


CLIFFORD = ("numba_extensions", "io", "dg3c", "degenerate")
SPARSE = ("dot", "compressed", "coo_numba", "conversion")
SUITES = {
    suite.package: suite
    for suite in (
        Suite("numba_stats-1.14.0", ("pytest", "scipy"), ("tests",), ("tests/test_norm.py", "tests/test_expon.py")),
        Suite(
            "quantecon-0.13.1",
            ("pytest",),
            ("quantecon",),
            tuple(f"quantecon/optimize/tests/test_{part}.py" for part in ("root_finding", "linprog_simplex")),
        ),
        Suite(
            "stumpy-1.14.1",
            ("pytest", "pandas", "dask[distributed]"),
            ("tests/test_core.py",),
            ("tests/test_core.py", "-k", "mass or rolling"),
        ),
        Suite(
            "pynndescent-0.7.0",
            ("pytest",),
            tuple(f"pynndescent/tests/test_{part}.py" for part in ("distances", "rank")),
            ("pynndescent/tests/test_rank.py",),
        ),
        Suite(
            "sparse-0.19.3",
            ("pytest", "scipy", "dask[array]"),
            tuple(f"sparse/numba_backend/tests/test_{part}.py" for part in SPARSE),
            ("sparse/numba_backend/tests/test_coo_numba.py", "sparse/numba_backend/tests/test_conversion.py"),
        ),
        Suite(
            "clifford-1.5.1",
            ("pytest", "pytest-benchmark", "ipython"),
            ("--benchmark-disable", *(f"clifford/test/test_{part}.py" for part in CLIFFORD)),
            ("--benchmark-disable", "clifford/test/test_numba_extensions.py"),
        ),
    )
}


@dataclass(frozen=True)
class Run:
    """One run of a suite's tests: the processor time in seconds, what became of each test, and of the functions."""

    seconds: float
    verdicts: dict[str, str]
    found: dict[str, Any]  # under patch() only

    @property
    def outcomes(self) -> str:
        return ", ".join(f"{number} {verdict}" for verdict, number in Counter(self.verdicts.values()).most_common())


def run_once(suite: Suite, tests: tuple[str, ...], patched: bool) -> Run:
    unpacked, installed = prepared(suite.sdist, [*suite.needs])
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-p", "verdicts")
    with tempfile.TemporaryDirectory() as folder:
        counts, verdicts = Path(folder) / "counts", Path(folder) / "verdicts"
        seconds = seconds_of(
            *("pytest", *options, *(("-p", "patched") if patched else ()), *tests),
            cwd=unpacked,
            path=os.pathsep.join([str(installed), str(HERE / "programs")]),
            statuses=(0, 1),  # 1: some tests fail
            **ONE_THREAD,
            NUMBA_CACHE_DIR=folder,  # cold, so both compile all
            PATCHED_COUNTS=str(counts),
            VERDICTS=str(verdicts),
        )
        return Run(seconds, loads(verdicts.read_text()), loads(counts.read_text()) if patched else {})


def sample(suite: Suite, patched_first: bool) -> tuple[Run, Run]:
    """A run under patch() and one with plain numba, one after the other on the same processor."""
    runs = {patched: run_once(suite, suite.tests, patched) for patched in (patched_first, not patched_first)}
    check_same(suite, runs[True], runs[False])
    return runs[True], runs[False]


def check_same(suite: Suite, patched: Run, plain: Run) -> None:
    """Raises Failed, with a list, if a test has not the same outcome in both."""
    before, after = plain.verdicts, patched.verdicts
    differing = [
        f"  {test}: {before.get(test, 'not run')} with plain numba, {after.get(test, 'not run')} under patch()"
        for test in {**before, **after}
        if before.get(test) != after.get(test)
    ]
    if differing:
        raise Failed("\n".join([f"{suite.sdist}: {len(differing)} tests differ", *differing]))


def counted(package: str, found: dict[str, Any]) -> tuple[int, Counter[str]]:
    """How many functions of a package were compiled or refused, and those that were refused, by reason."""
    own = {name for name, compiled in found["functions"].items() if compiled and name.startswith(f"{package}.")}
    plain = {name: why for name, why in found["plain"].items() if name.startswith(f"{package}.")}
    return len(own | plain.keys()), Counter(kind(why) for why in plain.values())


def kind(why: str) -> str:
    """A reason without what it says of one function, and without a place of this machine."""
    return re.sub(r"^.*? is (?=a |an )| \(/.*$", "", why.partition(":")[0].partition(";")[0])


def share_of(suite: Suite, found: dict[str, Any]) -> Row:
    functions, refused = counted(suite.package, found)
    return Row(
        f"{suite.sdist}: share of {functions} functions that is watched",
        "",
        Spread.of([1 - refused.total() / functions]),
        at_least=WATCHED,
        note=", ".join(f"{number} refused: {why}" for why, number in refused.most_common()),
    )


def rows_of(suite: Suite, taken: list[tuple[Run, Run]]) -> list[Row]:
    times = compare(
        f"{suite.sdist}: its tests ({taken[0][0].outcomes})",
        "s",
        [patched.seconds for patched, _ in taken],
        [plain.seconds for _, plain in taken],
        COST,
        f"processor time, {len(taken)} samples; base: the same with plain numba, its cache empty",
    )
    return [share_of(suite, taken[0][0].found), times]


def facts(suite: Suite, taken: list[tuple[Run, Run]]) -> dict[str, Any]:
    """What the JSON says of a library beside the rows."""
    patched = taken[0][0]
    functions, refused = counted(suite.package, patched.found)
    return {
        "tests": dict(Counter(patched.verdicts.values())),
        "functions": functions,
        "refused": dict(refused),
        "without_disk": len(patched.found["without_disk"]),
    }


class Kept:
    """The samples that were taken of each library, also by runs before this one, on disk."""

    def __init__(self, names: list[str], fresh: bool) -> None:
        self._folder = HERE / ".build" / "libraries" / f"{sys.implementation.cache_tag}-{_state()}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.taken: dict[str, list[tuple[Run, Run]]] = {}
        for name in names:
            if fresh:
                self._file(name).unlink(missing_ok=True)
            if self._file(name).exists():
                self.taken[name] = [(Run(**one), Run(**two)) for one, two in loads(self._file(name).read_text())]

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def add(self, name: str, taken: tuple[Run, Run]) -> None:
        self.taken.setdefault(name, []).append(taken)
        self._file(name).write_text(dumps([[asdict(run) for run in pair] for pair in self.taken[name]]))

    def seconds(self, name: str) -> float:
        """What one sample of a library takes."""
        return sum(run.seconds for run in self.taken[name][0])


def _state() -> str:
    """Changes if depwatch, numba or a suite does."""
    checksum = hashlib.sha256(f"{version('numba')} {SUITES}".encode())
    for folder in (ROOT / "depwatch", ROOT / "ext"):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".pyx", ".pxd", ".pxi", ".c", ".h"):
                checksum.update(file.read_bytes())
    return checksum.hexdigest()[:16]


def measure(names: list[str], kept: Kept, samples: int, minutes: float, write: Callable[[], Any]) -> list[str]:
    """Take samples, two libraries at a time, and write after each; what went wrong with whom."""
    end, wrong = time.monotonic() + 60 * minutes, []
    for number in range(samples):
        todo = [name for name in names if len(kept.taken.get(name, ())) <= number]
        if number:  # those that take least come first, and those for which no time is left do not come at all
            todo.sort(key=kept.seconds)
        with ThreadPoolExecutor(JOBS) as pool:

            def one(name: str, number: int = number) -> None:
                if number == 0 or time.monotonic() + kept.seconds(name) < end:
                    patched, plain = sample(SUITES[name], number % 2 == 0)
                    kept.add(name, (patched, plain))
                    print(f"{name}: {patched.seconds:.1f} s under patch(), {plain.seconds:.1f} s without", flush=True)

            started = {pool.submit(one, name): name for name in todo}
            for each in as_completed(started):
                if (error := each.exception()) is None:
                    write()
                elif isinstance(error, Failed):
                    wrong.append(f"numba_libraries: {error}")
                else:
                    raise error
        names = [name for name in names if name in kept.taken]
    return wrong


def few(names: list[str]) -> tuple[list[Row], list[str]]:
    """A part of each suite under patch(); with plain numba, too, where a test does not pass."""
    rows, wrong = [], []
    for name in names:
        suite = SUITES[name]
        try:
            patched = run_once(suite, suite.few, True)
            if {*patched.verdicts.values()} - {"passed", "skipped"} or not patched.verdicts:
                check_same(suite, patched, run_once(suite, suite.few, False))
        except Failed as error:
            wrong.append(f"numba_libraries: {error}")
        else:
            rows.append(share_of(suite, patched.found))
    return rows, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one sample of each")
    parser.add_argument("--few", action="store_true", help="a part of each suite, once, and no times")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ as it is")
    parser.add_argument("--fresh", action="store_true", help="leave out what earlier runs have measured")
    parser.add_argument("--minutes", type=float, default=20, help="after which no second or third sample is begun")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"of {', '.join(SUITES)} (default: all)")
    arguments = parser.parse_args()
    names = arguments.libraries or [*SUITES]
    title = "Libraries that use numba, under patch()"
    if arguments.few:
        rows, wrong = few(names)
        status = finish("numba_libraries", title, rows, check=arguments.check, write=False)
    else:
        kept = Kept(names, arguments.fresh)

        def written() -> tuple[list[Row], dict[str, Any]]:
            measured = {SUITES[name]: kept.taken[name] for name in names if name in kept.taken}
            rows = [row for suite, taken in measured.items() for row in rows_of(suite, taken)]
            more = {"libraries": {suite.sdist: facts(suite, taken) for suite, taken in measured.items()}}
            if write:
                write_json("numba_libraries", rows, more)
            return rows, more

        write = not (arguments.no_write or arguments.libraries)
        wrong = measure(names, kept, 1 if arguments.quick else 3, arguments.minutes, written)
        rows, more = written()
        status = finish("numba_libraries", title, rows, check=arguments.check, write=write, more=more)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else status


if __name__ == "__main__":
    sys.exit(main())
