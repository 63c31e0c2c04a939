"""Out of memory: every allocation that the core makes fails once, in public operations and in drains of all kinds.

The result is MemoryError or success; no callback is lost, nothing is stale, and the next attempt works: see
memory/trials.py.
"""

import collections
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import helpers
from depwatch import _core
from process.memory import others, sites
from support import path_of_tests

# shortage.c writes x86-64 machine code and reads ELF: for other machines it cannot be compiled. What it shows is about
# C that is the same on all, and CI, which runs on x86-64 Linux, skips none of it.
pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the helper in C knows x86-64 Linux"
)

TRIALS = Path(__file__).parent / "memory" / "trials.py"
QUICK = [
    *("a_global_is_read", "an_attribute_of_a_class_is_read", "one_is_committed", "a_listener_subscribes"),
    *("a_global_breaks", "a_class_changes", "listeners_hear_events"),
]


def tried(core, mode, *names):
    """What came of the trials: {"faults": [...], "failed": [(site, is an allocation in CPython), ...], ...}."""
    made = [core, helpers.build("shortage"), helpers.build("capi_user")]
    done = subprocess.run(
        [sys.executable, TRIALS, *made, json.dumps(sites.HOW), mode, *names],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path_of_tests()},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_failed_allocation_of_each_kind_loses_nothing():
    told = tried(_core.__file__, "quick", *QUICK)
    assert told["faults"] == []
    assert told["memory_errors"] > 50


@pytest.mark.slow
def test_every_allocation_of_the_core_fails_or_need_not_and_nothing_is_lost():
    core = sites.core_to_starve()
    operations, importing = tried(core, "full"), tried(core, "full", "import")
    told, calls = {name: operations[name] + importing[name] for name in operations}, sites.calls(core)
    faults = [(str(calls.get(site, scenario)), scenario, *rest) for scenario, site, *rest in told["faults"]]
    faults = [fault for fault in faults if not (fault[0] in others.CRASHES and "ended with status" in fault[-1])]
    failed = {site for site, _ in told["failed"]}
    listed = {site for site, call in calls.items() if call.callee in sites.HOW} | set(told["reached"])
    assert listed <= calls.keys()
    left = collections.Counter(others.reason(calls[site]) for site in listed - failed)
    print(
        f"{len(listed)} sites, {len(failed)} failed, {told['trials']} trials, {told['memory_errors']} MemoryErrors",
        *left.items(),
        sep="\n",
    )
    never_failed = [str(calls[site]) for site in listed - failed if others.reason(calls[site]) is None]
    assert (faults, never_failed) == ([], [])
