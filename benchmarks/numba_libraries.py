"""Libraries that use numba, under patch(): which of their functions are watched, and what their test suites cost so.

Each test must have the same outcome as with plain numba. --few: a part of each suite, for that alone.
Their sdists, and what their tests import, are downloaded once into benchmarks/.build/suites.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any

# This directory comes first where Python looks for modules, and has a file called numba.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
sys.path.insert(1, str(Path(__file__).resolve().parent))
from measure import HERE, Row, Spread, compare, finish  # noqa: E402
from suites import prepared, run  # noqa: E402

WATCHED, COST = 0.8, 1.1  # at least this share of the functions; at most this ratio of processor time


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


class Run:
    """One run of a suite's tests: the processor time in seconds, what became of each test, and of the functions."""

    def __init__(self, suite: Suite, tests: tuple[str, ...], patched: bool) -> None:
        unpacked, installed = prepared(suite.sdist, [*suite.needs])
        options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-p", "verdicts")
        with tempfile.TemporaryDirectory() as folder:
            counts, verdicts = Path(folder) / "counts", Path(folder) / "verdicts"
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(
                *("pytest", *options, *(("-p", "patched") if patched else ()), *tests),
                cwd=unpacked,
                path=os.pathsep.join([str(installed), str(HERE / "programs")]),
                statuses=(0, 1),  # 1: some tests fail
                NUMBA_CACHE_DIR=folder,  # cold, so both compile all
                PATCHED_COUNTS=str(counts),
                VERDICTS=str(verdicts),
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.verdicts: dict[str, str] = loads(verdicts.read_text())
            self.found: dict[str, Any] = loads(counts.read_text()) if patched else {}
        self.seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    @property
    def outcomes(self) -> str:
        return ", ".join(f"{number} {verdict}" for verdict, number in Counter(self.verdicts.values()).most_common())


def check_same(suite: Suite, patched: Run, plain: Run) -> None:
    """Ends this process, with a list, if a test has not the same outcome in both."""
    before, after = plain.verdicts, patched.verdicts
    differing = [
        f"  {test}: {before.get(test, 'not run')} with plain numba, {after.get(test, 'not run')} under patch()"
        for test in {**before, **after}
        if before.get(test) != after.get(test)
    ]
    if differing:
        sys.exit("\n".join([f"numba_libraries: {suite.sdist}: {len(differing)} tests differ", *differing]))


def counted(package: str, found: dict[str, Any]) -> tuple[int, Counter[str]]:
    """How many functions of a package were compiled or refused, and those that were refused, by reason."""
    own = {name for name, compiled in found["functions"].items() if compiled and name.startswith(f"{package}.")}
    plain = {name: why for name, why in found["plain"].items() if name.startswith(f"{package}.")}
    return len(own | plain.keys()), Counter(kind(why) for why in plain.values())


def kind(why: str) -> str:
    """A reason without what it says of one function."""
    return re.sub(r"^.*? is (?=a |an )", "", why.partition(":")[0].partition(";")[0])


def rows_of(suite: Suite, samples: int, few: bool) -> tuple[list[Row], dict[str, Any]]:
    tests = suite.few if few else suite.tests
    taken = [(Run(suite, tests, True), Run(suite, tests, False)) for _ in range(samples)]  # there is nothing to warm
    for patched, plain in taken:
        check_same(suite, patched, plain)
    found, outcomes = taken[0][0].found, taken[0][0].outcomes
    functions, refused = counted(suite.package, found)
    rows = [
        Row(
            f"{suite.sdist}: share of {functions} functions that is watched",
            "",
            Spread.of([1 - refused.total() / functions]),
            at_least=WATCHED,
            note=", ".join(f"{number} refused: {why}" for why, number in refused.most_common()),
        )
    ]
    if not few:
        times = compare(
            f"{suite.sdist}: its tests ({outcomes})",
            "s",
            [patched.seconds for patched, _ in taken],
            [plain.seconds for _, plain in taken],
            COST,
            "processor time; base: the same with plain numba, its cache empty",
        )
        rows.append(times)
    return rows, {
        suite.sdist: {
            "tests": dict(Counter(taken[0][0].verdicts.values())),
            "functions": functions,
            "refused": dict(refused),
            "without_disk": len(found["without_disk"]),
        }
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one sample of each")
    parser.add_argument("--few", action="store_true", help="a part of each suite, once, and no times")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ as it is")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"of {', '.join(SUITES)} (default: all)")
    arguments = parser.parse_args()
    rows: list[Row] = []
    more: dict[str, Any] = {}
    for name in arguments.libraries or SUITES:
        new_rows, counts = rows_of(SUITES[name], 1 if arguments.quick or arguments.few else 3, arguments.few)
        rows += new_rows
        more |= counts
    write = not (arguments.no_write or arguments.libraries or arguments.few)
    return finish(
        "numba_libraries",
        "Libraries that use numba, under patch()",
        rows,
        check=arguments.check,
        write=write,
        more={"libraries": more},
    )


if __name__ == "__main__":
    sys.exit(main())
