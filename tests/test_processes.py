"""Processes that fork, and those of multiprocessing: children read, commit and break; the parent does not notice."""

import os

import depwatch
from support import freeze, namespace, python


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
    printed = python("""
        import itertools, operator, os, depwatch
        globals_ = {"X": 1}
        recorder = depwatch.Recorder("r")
        recorder.read_global(globals_, "X")
        log = []
        handle = recorder.commit(on_invalidate=lambda handle: log.append(os.getpid()))
        # Store and fork in one C loop: no drain in between.
        _, child = itertools.starmap(operator.call, [(operator.setitem, globals_, "X", 2), (os.fork,)])
        for _ in range(1000):
            len(log)
        good = log == [os.getpid()] and handle.broken == 1
        if child == 0:
            os._exit(not good)
        print(good, os.waitpid(child, 0)[1])
        """)
    assert printed == "True 0\n"
