"""Libraries that use numba, under patch(): which of their functions are watched, and what their test suites cost so.

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
from collections.abc import Callable
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

    @property
    def package(self) -> str:
        return self.sdist.rpartition("-")[0]


SUITES = {
    suite.package: suite
    for suite in (
        Suite("numba_stats-1.14.0", ("pytest", "scipy"), ("tests",)),
        Suite("quantecon-0.13.1", ("pytest",), ("quantecon",)),
        Suite(
            "stumpy-1.14.1", ("pytest", "pandas", "dask[distributed]"), ("tests/test_core.py", "tests/test_stump.py")
        ),
        Suite("pynndescent-0.7.0", ("pytest",), ("pynndescent/tests",)),
        Suite("sparse-0.19.3", ("pytest", "scipy", "dask[array]"), ("sparse/numba_backend/tests",)),
        Suite("clifford-1.5.1", ("pytest", "pytest-benchmark", "ipython"), ("clifford/test",)),
    )
}


def sampler(suite: Suite, patched: bool, found: dict[str, Any]) -> Callable[[], float]:
    """Runs the suite and returns the processor time, in seconds; the results of the tests go to found."""
    unpacked, installed = prepared(suite.sdist, [*suite.needs])
    path = os.pathsep.join([str(installed), str(HERE / "programs")])
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-rN")

    def sample() -> float:
        with tempfile.TemporaryDirectory() as folder:
            counts = Path(folder) / "counts"
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            output = run(
                *("pytest", *options, *(("-p", "patched") if patched else ()), *suite.tests),
                cwd=unpacked,
                path=path,
                NUMBA_CACHE_DIR=folder,  # cold, so both compile all
                PATCHED_COUNTS=str(counts),
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found["outcome"] = re.findall(r"\d+ (?:passed|failed|skipped|xfailed|errors?)", output)
            if patched:
                found.update(loads(counts.read_text()))
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return sample


def counted(package: str, found: dict[str, Any]) -> tuple[int, Counter[str]]:
    """How many functions of a package were compiled or refused, and those that were refused, by reason."""
    own = {name for name, compiled in found["functions"].items() if compiled and name.startswith(f"{package}.")}
    plain = {name: why for name, why in found["plain"].items() if name.startswith(f"{package}.")}
    return len(own | plain.keys()), Counter(kind(why) for why in plain.values())


def kind(why: str) -> str:
    """A reason without what it says of one function."""
    return re.sub(r"^.*? is (?=a |an )", "", why.partition(":")[0].partition(";")[0])


def rows_of(suite: Suite, samples: int) -> tuple[list[Row], dict[str, Any]]:
    plain: dict[str, Any] = {}
    patched: dict[str, Any] = {}
    with_patch, without = sampler(suite, True, patched), sampler(suite, False, plain)
    taken = [(with_patch(), without()) for _ in range(samples)]  # whole processes: there is nothing to warm
    if plain["outcome"] != patched["outcome"]:
        sys.exit(f"numba_libraries: {suite.sdist}: {patched['outcome']} under patch(), {plain['outcome']} without")
    functions, refused = counted(suite.package, patched)
    share = 1 - refused.total() / functions
    note = ", ".join(f"{number} refused: {why}" for why, number in refused.most_common())
    return [
        Row(
            f"{suite.sdist}: share of {functions} functions that is watched",
            "",
            Spread.of([share]),
            at_least=WATCHED,
            note=note,
        ),
        compare(
            f"{suite.sdist}: its tests ({', '.join(plain['outcome'])})",
            "s",
            [patched_time for patched_time, _ in taken],
            [plain_time for _, plain_time in taken],
            COST,
            "processor time; base: the same with plain numba, its cache empty",
        ),
    ], {suite.sdist: {"functions": functions, "refused": dict(refused), "without_disk": len(patched["without_disk"])}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one sample of each")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ as it is")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"of {', '.join(SUITES)} (default: all)")
    arguments = parser.parse_args()
    rows: list[Row] = []
    more: dict[str, Any] = {}
    for name in arguments.libraries or SUITES:
        new_rows, counts = rows_of(SUITES[name], 1 if arguments.quick else 3)
        rows += new_rows
        more |= counts
    write = not (arguments.no_write or arguments.libraries)
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
