"""Processes that fork, and those of multiprocessing: children read, commit and break; the parent does not notice."""

import os
import threading
import warnings
from pathlib import Path

import pytest

import depwatch
from host.versions import HOST
from support import freeze, namespace, python, start

PROGRAMS = Path(__file__).with_name("programs")


def test_a_change_in_a_forked_child_breaks_there_and_not_in_the_parent(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    subscription = depwatch.subscribe(log.event, globals_, "X")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            globals_["X"] = 2
            broken = handle.broken
            told = log.drained()
            globals_["X"] = 1
            again = freeze(globals_, "X").commit()
            good = (broken, handle.valid, again.valid) == (1, True, True)
            status = 0 if good and sorted(told) == [("MODIFIED", "X", 1, 2), ("invalidated", "frozen")] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert (handle.valid, log.drained()) == (True, [])
    globals_["X"] = 3
    assert sorted(log.drained()) == [("MODIFIED", "X", 1, 3), ("invalidated", "frozen")]
    subscription.cancel()


def test_a_child_drains_by_itself_what_was_pending_in_the_parent():
    printed = python(PROGRAMS / "pending_in_a_child.py")
    assert printed == "True 0\n"


def in_child(work):
    """Run work() in a forked child; what it returned must be true."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_broken_or_half_recorded_when_a_process_forks_goes_on_in_both(log):
    globals_ = namespace(X=1, Y=1, Z=1)
    handle = log.commit(freeze(globals_, "X", "Y"))
    recorder = freeze(globals_, "Z", name="open")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "Y")
    globals_["X"] = 2

    def work():
        globals_["Y"] = 2
        both = handle.broken == 2 and cell.value == 2 and not guard.holds
        globals_["X"] = globals_["Y"] = 1
        healed = handle.valid and cell.value == 1 and guard.holds
        child = log.commit(recorder)
        globals_["Z"] = 2
        return both and healed and child.broken == 1 and "Z" in depwatch.explain(child)

    in_child(work)
    assert (handle.broken, cell.value, guard.holds) == (1, 2, True)
    globals_["X"] = 1
    assert handle.valid
    assert log.commit(recorder).valid
    assert set(log.drained()) <= {("invalidated", "frozen"), ("resumed", "frozen")}


def test_a_child_of_a_child_and_a_fork_in_a_thread_or_in_a_listener_watch_on(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))

    def changes():
        globals_["X"] = 2
        broken = handle.broken
        globals_["X"] = 1
        return broken == 1 and handle.valid and freeze(globals_, "X").commit().valid

    def grandchild():
        in_child(changes)
        return changes()

    in_child(grandchild)
    errors = []

    def in_thread():
        try:
            in_child(grandchild)
        except BaseException as error:
            errors.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    forked = []

    def listener(event):
        subscription.cancel()  # or the child, which makes changes too, would come here and fork, and so on
        in_child(grandchild)
        forked.append(event.new)

    subscription = depwatch.subscribe(listener, globals_, "X")
    globals_["X"] = 3
    depwatch.drain()
    assert (errors, forked, handle.broken) == ([], [3], 1)


def test_a_child_of_a_thread_breaks_at_once_and_is_told_at_the_next_drain():
    """By itself only where CPython runs pending calls there: the child's main thread is the one that forked."""
    printed = python(PROGRAMS / "child_of_a_thread.py")
    by_itself = int(HOST.pending_calls_after_fork_in_thread)
    assert printed == f"{by_itself} {by_itself} 1 True\n0 True\n"


# --- multiprocessing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "where"), [("fork", "main"), ("fork", "thread"), ("forkserver", "main"), ("spawn", "thread")]
)
def test_processes_and_pools_compile_commit_and_break_for_themselves(method, where):
    done = start(PROGRAMS / "pools.py", method, where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", "")
