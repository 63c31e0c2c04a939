"""When a change is seen: at once, in any thread, with no drain and no Python code between the store and the call."""

import threading

import pytest
from numba_programs import Program

import depwatch
from support import at_once, without_automatic_drain

SOURCE = """
X, KIND, MODULE = 1, "a", None
@njit
def f(x): return x + X
@njit
def g(x): return x + len(KIND)
@njit
def calls_g(x): return g(x) * 10
"""
STORES = [("f", "X", 5, 6), ("g", "KIND", "aaaaa", 6), ("calls_g", "KIND", "aaaaa", 60)]


def ready(name):
    program = Program(SOURCE)
    assert getattr(program, name)(1) in (2, 20)
    return program, getattr(program, name)


@pytest.mark.parametrize("name, changed, value, expected", STORES)
def test_a_call_by_c_code_straight_after_the_store_by_c_code(name, changed, value, expected):
    """Both are called by C code, and no bytecode runs in between."""
    program, function = ready(name)
    namespace, first = vars(program), getattr(program, changed)
    calls = []
    for stored in (value, first):
        at_once((namespace.__setitem__, changed, stored), (calls.extend, map(function, [1])))
    assert calls == [expected, function(1)]


@pytest.mark.parametrize("name, changed, value, expected", STORES)
@without_automatic_drain
def test_in_a_thread_that_never_drains_by_itself(name, changed, value, expected):
    program, function = ready(name)
    setattr(program, changed, value)
    assert function(1) == expected


@pytest.mark.parametrize("name, changed, value, expected", STORES)
def test_a_store_by_another_thread(name, changed, value, expected):
    program, function = ready(name)
    stored, called, results = threading.Event(), threading.Event(), []

    def call():
        stored.wait()
        results.append(function(1))
        called.set()

    thread = threading.Thread(target=call)
    thread.start()
    setattr(program, changed, value)
    stored.set()
    called.wait()
    thread.join()
    assert results == [expected]


def test_in_a_listener_of_depwatchs_own_drain():
    program, function = ready("calls_g")
    results = []
    subscription = depwatch.subscribe(lambda event: results.append(function(1)), vars(program), "KIND")
    program.KIND = "aaaaa"
    depwatch.drain()
    subscription.cancel()
    assert results == [60]


def test_nothing_is_compiled_inside_the_store():
    program, function = ready("g")
    compiled = []
    import numba.core.event as event

    class Hears(event.Listener):
        def on_start(self, event):
            compiled.append(storing)

        def on_end(self, event):
            pass

    hears, storing = Hears(), True
    event.register("numba:compile", hears)
    try:
        program.KIND = "aaa"
        depwatch.drain()
        storing = False
        assert function(1) == 4
    finally:
        event.unregister("numba:compile", hears)
    assert compiled and not any(compiled)
