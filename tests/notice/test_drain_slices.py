"""A drain of many handles lets other threads run in between: nothing is lost, told twice or told in another order."""

import itertools
import sys
import threading
import time
from array import array

import pytest

import depwatch
from depwatch import _core
from support import Log, namespace

SLICE = 8192  # PAUSE_AFTER in ext/notice/pauses.h
MANY = 3 * SLICE + 5


def commit_many(space, log, *, every=1, unstable_after=None, handles=MANY):
    """Handles of which every n-th relies on X, the others on Y. The sets of dependents are bitsets or arrays."""
    recorder = depwatch.Recorder("many", unstable_after)
    numbers = []
    for name in ("X", "Y"):
        recorder.read_global(space, name)
        numbers.append(recorder.reads - 1)
    reads = array("I", (numbers[i % every != 0] for i in range(handles)))
    return recorder.commit_many(
        array("Q", range(handles + 1)),
        reads,
        on_invalidate=log.invalidated,
        on_resume=log.resumed,
        on_retire=log.retired,
    )


def names(state, every=1, handles=MANY):
    return [(state, f"many[{i}]") for i in range(0, handles, every)]


@pytest.fixture(autouse=True)
def index_is_right():
    yield
    depwatch.drain()
    _core.check_index()


@pytest.mark.parametrize(("every", "count"), [(1, MANY), (16, SLICE + 5)], ids=["bitset", "arrays"])
def test_each_handle_is_told_once_and_in_order(every, count):
    log, space = Log(), namespace(X=1, Y=2)
    handles = commit_many(space, log, every=every, handles=every * count)
    space["X"] = 3
    assert log.drained() == names("invalidated", every, every * count)
    space["X"] = 1
    assert log.drained() == names("resumed", every, every * count)
    handles.release()
    assert log.drained() == []


def test_retired_handles_are_told_in_the_order_of_their_retirement():
    log, space = Log(), namespace(X=1, Y=2)
    handles = commit_many(space, log)
    handles.retire("by hand")
    assert log.drained() == names("retired")


def test_handles_of_an_unstable_facet_are_all_retired():
    log, space = Log(), namespace(X=1, Y=2)
    handles = commit_many(space, log, unstable_after=1)
    space["X"] = 3
    assert log.drained() == names("retired")
    assert handles.retired


def test_a_callback_that_drains_gets_the_rest_in_order():
    log, space = Log(), namespace(X=1, Y=2)

    def first(handle):
        log.invalidated(handle)
        if handle.name == "many[0]":
            handles[MANY - 1].retire("by hand")
            depwatch.drain()

    recorder = depwatch.Recorder("many", None)
    recorder.read_global(space, "X")
    reads = array("I", [recorder.reads - 1] * MANY)
    handles = recorder.commit_many(array("Q", range(MANY + 1)), reads, on_invalidate=first, on_retire=log.retired)
    space["X"] = 3
    assert log.drained() == [*names("invalidated"), ("retired", f"many[{MANY - 1}]")]
    handles.release()


def test_released_handles_leave_the_index_in_slices():
    before = depwatch.stats()["handles"], depwatch.stats()["dependencies"]
    log, space = Log(), namespace(X=1, Y=2)
    handles = commit_many(space, log, every=2)
    handles.release()
    assert log.drained() == []
    assert (depwatch.stats()["handles"], depwatch.stats()["dependencies"]) == before


@pytest.mark.parametrize("drains", [False, True], ids=["one thread drains", "both threads drain"])
def test_events_of_another_thread_in_a_pause_are_told_after_what_was(drains):
    log, space = Log(), namespace(X=1, Y=2)
    handles = commit_many(space, log)
    done, turns, events = threading.Event(), [], Log()
    subscription = depwatch.subscribe(events.event, space, "X")

    def change():
        """Break and mend in every pause; reading and committing drain, too."""
        while not done.is_set():
            space["X"] = 1 if space["X"] == 3 else 3
            if drains:
                recorder = depwatch.Recorder("another")
                recorder.read_global(space, "Y")
                recorder.commit().release()
            else:
                time.sleep(0)  # or so many changes come that details are dropped
            turns.append(space["X"])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=change)
    try:
        thread.start()
        while len(turns) < 20:
            depwatch.drain()
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    space["X"] = 3
    depwatch.drain()
    told = {}
    for state, name in log:
        told.setdefault(name, []).append(state)
    assert told.keys() == {name for _, name in names("")}
    for states in told.values():  # each state once, until the next one
        assert len(states) % 2 == 1
        in_order = (["invalidated", "resumed"] * len(states))[: len(states)]
        # Of two callbacks that run at a time, in two threads, either may write first.
        assert sorted(states) == sorted(in_order) if drains else states == in_order
    changes = [(old, new) for _, _, old, new in events]
    if drains:
        assert changes and set(changes) == {(1, 3), (3, 1)} and abs(changes.count((1, 3)) - changes.count((3, 1))) <= 1
    else:
        assert changes and all(new == after for (_, new), (after, _) in itertools.pairwise(changes))
    assert not handles.valid
    subscription.cancel()
