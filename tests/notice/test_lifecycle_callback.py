"""The lifecycle callback itself: set, replaced, misbehaving; threads, forks, and the end of the interpreter."""

import os
import sys
import threading
import weakref
from pathlib import Path

import pytest
from life import MADE, MAKE, TWO, Life, created, destroyed

import depwatch
from depwatch import FunctionEvent
from support import Counted, namespace, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

# --- setting and getting ---------------------------------------------------------------------------------------------


def test_what_is_set_is_what_is_got(life):
    assert depwatch.get_lifecycle_callback() is None
    for callback in (life.hear, print, life.whole, None, life.hear, None, None):
        assert depwatch.set_lifecycle_callback(callback) is None
        assert depwatch.get_lifecycle_callback() == callback


@pytest.mark.parametrize("wrong", [3, "callback", (), NotImplemented], ids=repr)
def test_what_cannot_be_called_is_refused_and_what_was_set_stays(life, wrong):
    depwatch.set_lifecycle_callback(life.hear)
    with pytest.raises(TypeError, match=r"callable or None, not "):
        depwatch.set_lifecycle_callback(wrong)
    assert depwatch.get_lifecycle_callback() == life.hear


def test_nothing_is_queued_before_a_callback_is_set_and_after_it_is_taken_away(life):
    f, make = life.pop("def f(): pass\n" + MAKE)

    def live():
        make()
        f.__defaults__ = (1,)
        del f.__defaults__

    for callback in (None, life.hear, None):
        depwatch.set_lifecycle_callback(callback)
        live()
        told = life.told()
        assert (told == []) == (callback is None)
    with Counted() as counted:
        live()
    assert counted() == {}
    assert life.told() == []


@without_automatic_drain
def test_after_none_nothing_is_told_not_even_what_waits(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    kept = weakref.ref(make())
    depwatch.set_lifecycle_callback(life.hear)  # what waits for the one before is not told either
    make()
    depwatch.set_lifecycle_callback(None)
    make()
    depwatch.set_lifecycle_callback(life.hear)
    assert depwatch.drain() == 0
    assert kept() is None
    assert life.told() == []


@without_automatic_drain
def test_what_waits_for_a_callback_is_told_to_it_although_another_one_is_set(life):
    (make,) = life.pop(MAKE)
    kept, second = [], Life(life.file)
    depwatch.set_lifecycle_callback(life.hear)
    kept.append(make())
    depwatch.set_lifecycle_callback(second.hear)
    kept.append(make())
    assert depwatch.drain() == 2
    assert (life, second) == (created(MADE), created(MADE))
    kept.clear()
    assert second.told() == created(MADE) + destroyed(MADE, MADE)
    assert life == created(MADE)


@without_automatic_drain
@pytest.mark.parametrize("next_one", ["nobody", "another"])
def test_a_callback_may_set_another_one_or_none(life, next_one):
    (make,) = life.pop(MAKE)
    second = Life(life.file)

    def hear(*told):
        life.hear(*told)
        depwatch.set_lifecycle_callback(None if next_one == "nobody" else second.hear)

    depwatch.set_lifecycle_callback(hear)
    kept = [make() for _ in range(3)]
    depwatch.drain()
    assert life == created(MADE) * (1 if next_one == "nobody" else 3)
    assert second == []
    kept.clear()
    assert second.told() == ([] if next_one == "nobody" else destroyed(MADE) * 3)
    assert len(life) == (1 if next_one == "nobody" else 3)


def test_no_reference_to_a_callback_stays_when_another_is_set(life):
    class Callback:
        def __call__(self, *told):
            pass

    callback = Callback()
    reference = weakref.ref(callback)
    depwatch.set_lifecycle_callback(callback)
    life.module(TWO)
    assert depwatch.get_lifecycle_callback() is callback
    depwatch.set_lifecycle_callback(life.hear)
    del callback
    while depwatch.drain():
        pass
    assert reference() is None


def test_only_a_callback_takes_a_watcher_slot_and_without_one_it_is_unwatchable(counting):
    printed = python(PROGRAMS / "slot_of_the_callback.py")
    assert printed.splitlines() == ["[0, 0, 0, 0]", "True None [0, 0, 0, 0]", "[0, 0, 1, 0]"]


# --- callbacks that misbehave ----------------------------------------------------------------------------------------


@without_automatic_drain
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
def test_a_callback_that_raises_goes_to_the_unraisable_hook_and_hears_the_rest(life, monkeypatch, error):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: raised.append((told.exc_type, str(told.exc_value))))
    f, _ = life.pop(TWO)
    at = []

    def hear(event, function, attribute, new_value):
        life.hear(event, function, attribute, new_value)
        if function is f:
            at.append(new_value)
            raise error("heard")

    depwatch.set_lifecycle_callback(hear)
    f.__defaults__ = (1,)
    f.__defaults__ = (2,)
    assert depwatch.drain() == 2
    assert life == [("MODIFIED", "f", "DEFAULTS", (1,)), ("MODIFIED", "f", "DEFAULTS", (2,))]
    assert raised == [(error, "heard")] * (1 if error is LookupError else 2)


@without_automatic_drain
def test_a_callback_that_raises_is_reported_once_though_the_report_makes_functions(life, monkeypatch):
    """As printing a traceback does, each an event to it."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: reported.append(lambda: told.exc_type))
    fails = True

    def hear(event, function, attribute, new_value):
        if fails:
            raise LookupError("heard")

    depwatch.set_lifecycle_callback(hear)
    with Counted() as counted:
        made = [lambda: 1]
        assert [depwatch.drain() for _ in range(4)] == [1, 1, 0, 0]
        assert len(reported) == 1
        fails = False
        made.append(lambda: 2)
        depwatch.drain()
        fails = True
        made.append(lambda: 3)
        assert [depwatch.drain() for _ in range(4)] == [1, 1, 0, 0]
    assert len(reported) == 2
    assert counted("errors_not_reported") == {"errors_not_reported": 2}


@without_automatic_drain
def test_what_a_callback_causes_is_told_by_the_next_drain(life):
    (make,) = life.pop(MAKE)

    def hear(event, function, attribute, new_value):
        life.hear(event, function, attribute, new_value)
        if event is FunctionEvent.CREATED:
            make()

    depwatch.set_lifecycle_callback(hear)
    make()
    assert [depwatch.drain() for _ in range(5)] == [2] * 5  # it comes and goes
    assert life == [*created(MADE), *destroyed(MADE)] * 5


def test_a_callback_that_creates_functions_without_end_stops_no_drain():
    """After 8 drains in a row by themselves, the next one waits for an event that no drain has caused."""
    printed = python(PROGRAMS / "endless_callback.py")
    # Of the first drain make is told, which lives; of each later one a lambda, which has died.
    assert printed.splitlines() == ["(0, 0)", "(0, 0)", "(8, 7)", "(1, 1)", "2 (2, 2)", "1", "True", "(0, 0)", "True"]


@without_automatic_drain
def test_a_drain_makes_no_functions_of_its_own():
    heard = []
    depwatch.set_lifecycle_callback(lambda *told: heard.append(told))
    globals_ = namespace(X=0)
    recorder = depwatch.Recorder("r")
    recorder.read_global(globals_, "X")
    handle = recorder.commit(on_invalidate=heard.append, on_resume=heard.append)
    while depwatch.drain():
        pass
    heard.clear()
    for value in (1, 0):
        globals_["X"] = value
        assert depwatch.drain() == 1
        assert depwatch.drain() == 0
    assert heard == [handle, handle]
    depwatch.set_lifecycle_callback(None)


@without_automatic_drain
def test_a_full_queue_drops_events_counts_them_and_serves_again(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    with Counted() as counted:
        kept = [make() for _ in range(10_000)]
        assert counted("details_queued", "details_dropped") == {"details_queued": 8192, "details_dropped": 1808}
    assert life.told() == created(MADE) * 8192
    del kept[:5000]
    kept.append(make())
    assert life.told() == destroyed(MADE) * 5000 + created(MADE)
    depwatch.set_lifecycle_callback(None)


# --- threads, forks, the end -----------------------------------------------------------------------------------------


def test_functions_of_every_thread_are_told_each_once(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    dropped = depwatch.stats()["details_dropped"]

    def work():
        for _ in range(500):
            make()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = life.told()
    assert depwatch.stats()["details_dropped"] == dropped
    assert sorted(told) == created(MADE) * 2000 + destroyed(MADE) * 2000


def test_the_main_thread_tells_by_itself_what_other_threads_do(life):
    f, _ = life.pop(TWO)
    threads = []
    depwatch.set_lifecycle_callback(lambda event, function, *_: threads.append((function, threading.current_thread())))
    thread = threading.Thread(target=setattr, args=(f, "__defaults__", (1,)))
    thread.start()
    thread.join()
    for _ in range(1000):
        len(threads)
    assert [each for each in threads if each[0] is f] == [(f, threading.main_thread())]


def test_a_forked_child_keeps_the_callback_and_tells_the_parent_nothing(life):
    f, _ = life.pop(TWO)
    depwatch.set_lifecycle_callback(life.hear)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            f.__defaults__ = (1,)
            good = life.told() == [("MODIFIED", "f", "DEFAULTS", (1,))]
            status = 0 if good and depwatch.get_lifecycle_callback() == life.hear else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert life.told() == []
    f.__defaults__ = (2,)
    assert life.told() == [("MODIFIED", "f", "DEFAULTS", (2,))]


def test_at_the_end_what_waits_is_told_and_then_nothing_and_the_callback_goes():
    printed = python(PROGRAMS / "end_of_the_callback.py")
    lines = printed.splitlines()
    assert lines[:4] == ["DEFAULTS (1,)", "DEFAULTS (2,)", "the end", "0 None"]
    assert sorted(lines[4:]) == ["callback destroyed", "meddler destroyed 1"]


def test_functions_that_die_while_the_interpreter_ends_are_survived():
    python(PROGRAMS / "functions_at_the_end.py")
