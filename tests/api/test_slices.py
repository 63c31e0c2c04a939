"""Retiring or releasing many handles lets other threads run in between: whatever they do then, the result is right."""

import os
import sys
import threading
import time
import warnings
from array import array

import pytest

import depwatch
from depwatch import _core
from support import namespace

SLICE = 8192  # PAUSE_AFTER in ext/notice/pauses.h
MANY = 40 * SLICE

ENDS = {
    "invalidate": lambda space, handles: depwatch.invalidate([space], "by hand"),
    "retire": lambda space, handles: handles.retire("by hand"),
    "release": lambda space, handles: handles.release(),
}
each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def commit_many(space):
    recorder = depwatch.Recorder("many", None)
    recorder.read_global(space, "X")
    return recorder.commit_many(array("Q", range(MANY + 1)), array("I", [recorder.reads - 1]) * MANY)


@pytest.fixture(autouse=True)
def index_is_right():
    depwatch.drain()
    before = depwatch.stats()["handles"], depwatch.stats()["dependencies"]
    yield
    depwatch.drain()
    _core.check_index()
    assert (depwatch.stats()["handles"], depwatch.stats()["dependencies"]) == before


def in_between(end, deed):
    """(handles, what end() returned, what deed(handles) returned), in another thread, once only the first ended."""
    for _ in range(50):  # on one busy processor the second thread may come too late
        space = namespace(X=1)
        handles = commit_many(space)
        first, last, found = handles[0], handles[MANY - 1], []

        def wait(handles=handles, first=first, last=last, found=found):
            while not (first.released or first.retired):
                time.sleep(0)
            if not (last.released or last.retired):
                found.append(deed(handles))

        thread = threading.Thread(target=wait)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            thread.start()
            ended = end(space, handles)
            thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert last.released or last.retired
        if found:
            return handles, ended, found[0]
        handles.release()
        depwatch.drain()
    pytest.fail("no other thread came in between")


@each_end
def test_a_second_release_returns_when_all_are_released(end):
    def release(handles):
        last = handles[MANY - 1]
        handles.release()
        return last.released

    assert in_between(end, release)[2]


@each_end
def test_handles_that_get_the_numbers_meanwhile_stay_valid(end):
    other = namespace(X=1)

    def release_and_commit(handles):
        numbers = set(handles.ids)
        handles.release()
        depwatch.drain()
        others = commit_many(other)
        assert numbers & set(others.ids)
        return others

    others = in_between(end, release_and_commit)[2]
    assert others.valid
    others.release()


@pytest.mark.parametrize("name", ["invalidate", "retire"])
def test_all_are_retired_although_another_thread_drains(name):
    handles, ended, _ = in_between(ENDS[name], lambda handles: [depwatch.drain() for _ in range(20)])
    assert handles.retired
    assert handles[5].reason == handles[MANY - 5].reason == "by hand"
    assert ended is True or set(ended) == set(handles.ids)
    handles.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_a_child_releases_what_a_thread_of_the_parent_was_about_to():
    before = depwatch.stats()["handles"]

    def fork(handles):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
            child = os.fork()
        if child == 0:
            try:
                depwatch.drain()
                os._exit(depwatch.stats()["handles"] != before)
            finally:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_between(ENDS["release"], fork)[2] == 0
