"""Globals in a frozendict (3.15+) never change: what is found there is constant, and what is not is a builtin."""

import builtins

import pytest

import depwatch
from host.versions import HOST
from support import without_automatic_drain

pytestmark = pytest.mark.skipif(not HOST.frozendict, reason="this CPython has no frozendict: tests/host says so")


def made(**names):
    return eval("lambda: (X, len)", builtins.frozendict(names))


@without_automatic_drain
def test_a_global_in_a_frozendict_is_read_and_nothing_is_recorded(log):
    value = object()
    function = made(X=value, __builtins__={"X": 1})
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(function, "X") is value
    assert recorder.reads == 0
    handle = log.commit(recorder)
    function.__builtins__["X"] = 2
    assert (handle.valid, log.drained()) == (True, [])
    for make in (recorder_cell, lambda function: depwatch.Recorder("r").guard_cell(function, "X")):
        with pytest.raises(depwatch.Unwatchable, match=r"'X' of .* is in a frozendict: it never changes"):
            make(function)


def recorder_cell(function):
    return depwatch.Recorder("r").value_cell(function, "X", "object")


@without_automatic_drain
def test_a_builtin_behind_a_frozendict_is_watched(log):
    function = made(X=1, __builtins__={"len": 2})
    recorder = depwatch.Recorder("frozen")
    assert recorder.read_global(function, "len") == 2
    cell = recorder.value_cell(function, "len", "i64")
    handle = log.commit(recorder)
    function.__builtins__["len"] = 3
    assert (handle.broken, cell.value, function()) == (1, 3, (1, 3))
    assert log.drained() == [("invalidated", "frozen")]


def test_a_builtin_in_a_frozendict_is_constant_too():
    function = made(X=1, __builtins__=builtins.frozendict(len=2))
    recorder = depwatch.Recorder("r")
    assert (recorder.read_global(function, "len"), recorder.reads) == (2, 0)
    recorder.close()


def test_a_name_that_neither_has_is_missing():
    with pytest.raises(NameError, match="'Y'"):
        depwatch.Recorder("r").read_global(made(X=1, __builtins__={}), "Y")


def test_a_frozendict_with_a_key_that_is_no_str_is_refused():
    """Its type may get an __eq__."""

    class Key:
        def __hash__(self):
            return hash("X")

    function = eval("lambda: X", builtins.frozendict({Key(): 1, "X": 2, "__builtins__": {}}))
    with pytest.raises(depwatch.Unwatchable, match="keys that are no str"):
        depwatch.Recorder("r").read_global(function, "X")
