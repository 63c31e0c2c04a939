"""What `pytest --depwatch-leaks` costs on the suites of three libraries, each of at least 1,000 tests.

Their sdists, and what their tests import, are downloaded once into benchmarks/.build/suites.
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable

from measure import Row, compare, interleave
from suites import prepared, run

SUITES = {  # the sdist, and what else its tests import
    "attrs-26.1.0": ["cloudpickle"],
    "click-8.5.1": [],
    "marshmallow-4.4.0": ["simplejson"],
}
BOUND, TESTS = 1.15, 1000
QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests")


def of_the_processor() -> float:
    """Seconds that the processes which have ended have run, whatever else the machine did."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds(suite: str, *options: str) -> Callable[[], float]:
    unpacked, installed = prepared(suite, SUITES[suite])

    def sample() -> float:
        start = of_the_processor()
        output = run("pytest", *options, *QUIET, cwd=unpacked, path=installed)
        taken = of_the_processor() - start
        passed = re.search(r"(\d+) passed", output)
        if passed is None or int(passed[1]) < TESTS:
            sys.exit(f"clients_pytest: fewer than {TESTS} tests of {suite} passed:\n{output[-2000:]}")
        return taken

    return sample


def rows(quick: bool) -> list[Row]:
    """A row for each suite: the whole run with --depwatch-leaks, and without it."""
    found = []
    for suite in SUITES:
        taken = interleave({"with": seconds(suite, "--depwatch-leaks"), "without": seconds(suite)}, 2 if quick else 7)
        note = "base: the same run without the option; time of the processor"
        case = f"pytest --depwatch-leaks, the tests of {suite}"
        found.append(compare(case, "s", taken["with"], taken["without"], BOUND, note))
    return found
