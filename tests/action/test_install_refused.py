"""install(): what is refused, and why."""

import ctypes
import functools
import sys

import pytest
from installing import OWN, make, optimized, reading_x

import depwatch
from depwatch import Stale, Unwatchable
from support import dependents

VERSION = sys.version_info[:2]


@pytest.fixture
def handle(log):
    return reading_x(log)


def test_a_second_entry_is_refused_until_the_handle_of_the_first_is_retired(handle):
    function = make()
    first = depwatch.install(function, optimized, handle)
    second = depwatch.Recorder("second").commit()
    handle.artifact["X"] = 2  # it may come back
    with pytest.raises(ValueError, match=r"<function make.<locals>.function> has an entry already; remove\(\)"):
        depwatch.install(function, lambda a: "second", second)
    assert (function(1), dependents(function)) == (OWN, {first._guard.id})
    handle.retire("superseded")
    depwatch.install(function, lambda a: "second", second)
    assert (function(1), first.installed) == ("second", False)


def test_installing_retires_handles_that_wait_for_another_code(log, handle):
    def waiting(function):
        recorder = depwatch.Recorder("reads the code")
        recorder.read_function(function, "code")
        committed = log.commit(recorder)
        function.__code__ = optimized.__code__
        return committed

    function, other = make(), make()
    superseded = waiting(function)
    assert depwatch.install(function, optimized, handle).active
    assert superseded.retired
    with pytest.raises(Stale, match="was recorded with another value"):
        depwatch.install(other, optimized, waiting(other))
    assert not depwatch.dependents(other)


def test_an_entry_of_another_extension_is_left_alone(handle):
    function = make()
    set_vectorcall = ctypes.pythonapi.PyFunction_SetVectorcall
    set_vectorcall.argtypes, set_vectorcall.restype = [ctypes.py_object, ctypes.c_void_p], None
    pointer = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p)  # any: it is never called
    set_vectorcall(function, pointer)
    with pytest.raises(Unwatchable, match="another extension has replaced the vectorcall"):
        depwatch.install(function, optimized, handle)


def test_what_is_no_python_function_is_refused(handle):
    class C:
        def method(self):
            pass

    for wrong in (C, C().method, len, functools.partial(make()), classmethod(make()), 5):
        with pytest.raises(TypeError, match="is no Python function"):
            depwatch.install(wrong, optimized, handle)


def test_wrong_arguments_are_named(handle):
    function = make()
    with pytest.raises(TypeError, match="optimized must be callable, not 5"):
        depwatch.install(function, 5, handle)
    with pytest.raises(ValueError, match="itself"):
        depwatch.install(function, function, handle)
    with pytest.raises(TypeError, match=r"must be a Handle.*not 'handle'"):
        depwatch.install(function, optimized, "handle")
    handle.retire("old")
    with pytest.raises(Stale, match="is retired: old; compile again"):
        depwatch.install(function, optimized, handle)
    handle.release()
    with pytest.raises(depwatch.Released):
        depwatch.install(function, optimized, handle)
    assert function(1) == OWN


def test_an_init_is_refused_where_cpython_passes_entries_by(handle):
    class C:
        def __init__(self, x):
            self.x = x

    class D:
        pass

    D.__init__ = make()
    for function in (C.__init__, D.__init__):
        if VERSION == (3, 12):
            depwatch.install(function, lambda self, x: None, handle).remove()
        else:
            with pytest.raises(Unwatchable, match=r"is an __init__: at a hot .* CPython 3\.\d+ runs the function"):
                depwatch.install(function, optimized, handle)
    assert C(1).x == 1


def test_the_getter_of_a_property_is_refused_where_cpython_passes_entries_by(handle):
    class C:
        @property
        def p(self):
            return "own"

    if VERSION in ((3, 12), (3, 13), (3, 15)):
        depwatch.install(C.p.fget, lambda self: "optimized", handle)
        assert {C().p for _ in range(1000)} == {"optimized"}
    else:
        with pytest.raises(Unwatchable, match="is the getter of a property"):
            depwatch.install(C.p.fget, optimized, handle)
