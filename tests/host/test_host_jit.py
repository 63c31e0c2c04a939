"""Trap 6 of facts/host-contract.md: with its JIT on, which is off by default, CPython itself runs stale code.

So a correct event does not mean that the code which is running is fresh.
"""

import json

import pytest
from hot_loops import LOOPS
from versions import HAS_JIT, HOST, IS_DEBUG, MISSES_INSTANCE_STORES, TABLE


@pytest.fixture(scope="module")
def run_loop(fresh_process):
    def run_loop(name, jit):
        return fresh_process(f"import hot_loops; hot_loops.main({name!r})", PYTHON_JIT=jit)

    return run_loop


@pytest.mark.parametrize("name", LOOPS)
def test_without_the_jit_a_hot_loop_runs_what_is_there_now(run_loop, name):
    answer = run_loop(name, "0")
    assert (answer.stdout, answer.returncode) == ("new new new\n", 0), answer


@pytest.mark.parametrize("name", LOOPS)
def test_with_the_jit_some_hot_loops_run_what_was_there_before_or_kill_the_process(run_loop, name):
    """PYTHON_JIT is ignored by a CPython that was built without one."""
    answer = run_loop(name, "1")
    if HAS_JIT and name in (HOST.jit_killed_debug if IS_DEBUG else HOST.jit_killed):
        assert answer.returncode < 0, answer
    elif HAS_JIT and name in HOST.jit_stale:
        assert (answer.stdout, answer.returncode) == ("new old old\n", 0), answer
    else:
        assert (answer.stdout, answer.returncode) == ("new new new\n", 0), answer


def test_the_loops_that_are_said_to_go_wrong_are_loops():
    for host in TABLE.values():
        assert host.jit_stale | host.jit_killed | host.jit_killed_debug <= LOOPS.keys()


@pytest.mark.parametrize("jit", ["0", "1"])
def test_no_event_of_a_hot_store_is_missed_but_on_3_13_0_with_the_jit_or_without(fresh_process, jit):
    answer = fresh_process("import hot_stores; hot_stores.main(hostwatch)", PYTHON_JIT=jit)
    assert answer.returncode == 0, answer
    names = ["global", "attribute", "module", "slot_dict", "class", "dict"]
    expected = {f"into_{name}": 5000 for name in names}
    if MISSES_INSTANCE_STORES:
        expected |= dict.fromkeys(["into_attribute", "into_slot_dict"], "0 of 5000")
    assert json.loads(answer.stdout) == expected
