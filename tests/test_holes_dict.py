"""Dicts: ways to change what a name or a whole dict is that were once not seen."""

import collections
import types

import pytest

import depwatch
from claims import Claims
from support import freeze, without_automatic_drain

# --- builtins that are exchanged -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dict", "module"])
@without_automatic_drain
def test_other_builtins_in_a_namespace_change_what_its_names_mean(log, kind):
    """A function keeps the builtins that it was made with; a namespace is asked each time code is run in it."""
    module = types.ModuleType("module")
    names = vars(module)
    names["__builtins__"] = first = {"X": "first"}
    names["Y"] = "global"
    owner = names if kind == "dict" else module
    x, y = (log.commit(freeze(owner, name, name=name)) for name in "XY")
    names["__builtins__"] = {"X": "second"}
    assert eval("X, Y", names) == ("second", "global")
    assert (x.valid, y.valid) == (False, True)
    assert log.drained() == [("invalidated", "X")]
    names["__builtins__"] = first
    depwatch.drain()
    assert (x.valid, y.valid) == (True, True)
    assert log.drained() == [("resumed", "X")]


@without_automatic_drain
def test_builtins_in_a_namespace_that_had_none_change_what_its_names_mean(log):
    names = {}
    handle = log.commit(freeze(names, "len"))
    names["__builtins__"] = {"len": "mine"}
    assert eval("len", names) == "mine"
    assert not handle.valid


@without_automatic_drain
def test_the_usual_builtins_that_exec_puts_into_a_namespace_change_no_meaning(log):
    names = {}
    handle = log.commit(freeze(names, "len"))
    exec("pass", names)
    assert log.drained() == []
    assert handle.valid


# --- keys with a mind of their own -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at_first", [False, True])
@without_automatic_drain
def test_a_name_that_a_key_may_or_may_not_equal_is_refused(log, at_first):
    """No event tells that a key has changed its mind about being equal."""

    class Fickle:
        equal = at_first

        def __hash__(self):
            return hash("X")

        def __eq__(self, other):
            return Fickle.equal

    fickle = Fickle()
    globals_ = {"__builtins__": {}, fickle: "of the key"}
    Fickle.equal = False
    globals_["X"] = "of the name"
    Fickle.equal = at_first
    try:
        recorder = depwatch.Recorder("r")
        value = recorder.read_global(globals_, "X")
        handle = log.commit(recorder)
    except depwatch.Unwatchable:
        return
    Fickle.equal = not at_first
    assert globals_["X"] != value
    assert not handle.valid


# --- whole dicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapping, change", [
    (collections.OrderedDict(a=1, b=2), lambda d: d.move_to_end("a")),
    (collections.defaultdict(int), lambda d: setattr(d, "default_factory", list)),
], ids=["OrderedDict", "defaultdict"])  # fmt: skip
@without_automatic_drain
def test_a_whole_dict_with_state_that_sends_no_event_is_refused(log, mapping, change):
    recorder = depwatch.Recorder("r")
    try:
        recorder.depend_on(mapping)
        handle = log.commit(recorder)
    except depwatch.Unwatchable:
        return
    change(mapping)
    assert not handle.valid


# --- a watch that CPython takes back ---------------------------------------------------------------------------------


class Holder:
    pass


def store(holder, value):
    holder.X = value


@without_automatic_drain
def test_a_dict_first_watched_by_the_destructor_of_a_value_that_is_replaced_in_it_stays_watched(log):
    """3.12's specialised store into the dict of an object writes the old watcher bits back after the destructor."""

    class Value:
        def __del__(self):
            try:
                claims.of_global(names, "Y")
            except depwatch.Unwatchable:
                refused.append(True)  # on 3.13.0

    holder, claims, refused = Holder(), Claims(log), []
    for i in range(60):
        setattr(holder, f"name{i}", i)
    holder.__builtins__, holder.X, holder.Y = {}, 0, "old"
    names = vars(holder)
    for i in range(100):
        store(holder, i)
    store(holder, Value())
    store(holder, 0)
    assert len(claims.all) + len(refused) == 1
    names["Y"] = "new"
    claims.changed(*claims.all)
