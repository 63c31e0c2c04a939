"""Globals: the chain [globals, builtins]. Only the dict that provides the value matters."""

import builtins
import types

import pytest

import depwatch
from support import UNKNOWN, Counted, dependents, freeze, namespace, seen_in, without_automatic_drain


def function_in(globals_):
    exec("def function(): pass", globals_)
    return globals_.pop("function")


def subscribed(log, globals_, *names):
    return depwatch.subscribe(log.event, globals_, *names)


def test_a_global_is_read_from_the_namespace_first():
    globals_ = namespace({"X": "builtin"}, X="global")
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(globals_, "X") == "global"


def test_what_the_namespace_lacks_is_read_from_its_builtins():
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(namespace({"X": "builtin"}), "X") == "builtin"
    module = types.ModuleType("empty")
    exec("", vars(module))  # gives it "__builtins__"
    assert recorder.read_global(module, "len") is len
    assert recorder.read_global(function_in({}), "len") is len
    assert recorder.read_global(seen_in({}), "len") is len


def test_a_missing_name_raises_name_error_as_python_would():
    globals_ = namespace()
    with pytest.raises(NameError) as python:
        exec("missing", globals_)
    recorder = depwatch.Recorder("r")
    for owner in (globals_, function_in(globals_)):
        with pytest.raises(NameError) as ours:
            recorder.read_global(owner, "missing")
        assert type(ours.value) is NameError
        assert (str(ours.value), ours.value.name) == (str(python.value), python.value.name)


def test_a_missing_name_is_no_assumption(log):
    globals_ = namespace()
    recorder = depwatch.Recorder("r")
    with pytest.raises(NameError):
        recorder.read_global(globals_, "X")
    globals_["X"] = 1
    handle = log.commit(recorder)
    globals_["X"] = 2
    assert handle.valid
    assert log.drained() == []


@pytest.mark.parametrize("owner", ["dict", "module", "function"])
def test_function_module_and_dict_are_the_same_owner(log, owner):
    module = types.ModuleType("module")
    module.X = 1
    function = function_in(vars(module))
    one = {"dict": vars(module), "module": module, "function": function}[owner]
    handle = log.commit(freeze(one, "X", name=owner))
    assert dependents(module, "X") == dependents(vars(module), "X") == {handle.id}
    module.X = 2
    assert handle.broken == 1
    assert log.drained() == [("invalidated", owner)]


def test_a_function_sees_the_builtins_that_it_was_made_with(log):
    first, second = {"X": 1}, {"X": 2}
    globals_ = {"__builtins__": first}
    function = function_in(globals_)
    globals_["__builtins__"] = second
    handle = log.commit(freeze(function, "X", name="function"))
    second["X"] = 3
    assert handle.valid
    first["X"] = 3
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "function")]


def test_builtins_may_be_a_module_or_a_dict():
    module = types.ModuleType("b")
    module.X = 1
    for owner in ({"__builtins__": module}, {"__builtins__": vars(module)}):
        handle = freeze(owner, "X").commit()
        module.X = 2
        assert handle.broken == 1
        module.X = 1
        assert handle.valid


# --- shadowing -------------------------------------------------------------------------------------------------------


def test_a_write_to_builtins_is_shadowed_by_the_global(log):
    names = {"X": "builtin"}
    globals_ = namespace(names, X="global")
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        names["X"] = "other"
        del names["X"]
        names["X"] = "new"
        names.clear()
        names.update(X=1)
        assert log.drained() == []
    assert counted("breaks", "details_queued") == {"breaks": 0, "details_queued": 0}
    assert handle.valid
    assert log.drained() == []


def test_a_write_to_builtins_changes_what_only_builtins_provide(log):
    names = {"X": "builtin", "Y": 1}
    globals_ = namespace(names)
    handle = log.commit(freeze(globals_, "X"))
    names["Y"] = 2
    assert handle.valid
    names["X"] = "other"
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    names["X"] = "builtin"
    assert handle.valid
    assert log.drained() == [("resumed", "frozen")]


def test_a_new_global_shadows_the_builtin_and_its_deletion_brings_the_builtin_back(log):
    globals_ = namespace({"X": "builtin"})
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = "global"
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    del globals_["X"]
    assert log.drained() == [("resumed", "frozen")]
    assert handle.valid


def test_while_a_global_shadows_the_builtin_writes_to_the_builtin_change_nothing(log):
    names = {"X": "builtin"}
    globals_ = namespace(names)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = "global"
    assert log.drained() == [("invalidated", "frozen")]
    with Counted() as counted:
        names["X"] = "other"
        assert log.drained() == []
    assert counted("breaks", "details_queued") == {"breaks": 0, "details_queued": 0}
    assert (handle.broken, log.drained()) == (1, [])
    names["X"] = "builtin"
    del globals_["X"]
    assert log.drained() == [("resumed", "frozen")]


@without_automatic_drain
def test_a_deleted_global_that_reveals_another_value_stays_broken(log):
    globals_ = namespace({"X": "builtin"}, X="global")
    handle = log.commit(freeze(globals_, "X"))
    del globals_["X"]
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    assert handle.broken == 1


@without_automatic_drain
def test_a_deleted_global_that_reveals_the_same_object_never_breaks(log):
    value = object()
    names = {"X": value}
    globals_ = namespace(names, X=value)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        del globals_["X"]
        assert handle.valid
        assert log.drained() == []
    assert handle.valid
    assert counted("breaks", "restores") == {"breaks": 0, "restores": 0}
    names["X"] = 0  # the builtins provide it now
    assert handle.broken == 1


@without_automatic_drain
def test_what_a_deletion_revealed_breaks_when_it_changes_before_any_drain(log):
    value = object()
    names = {"X": value}
    globals_ = namespace(names, X=value)
    handle = log.commit(freeze(globals_, "X"))
    del globals_["X"]
    names["Y"] = 1
    assert handle.valid
    names["X"] = 0
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


@without_automatic_drain
def test_a_new_global_that_shadows_the_builtin_by_the_same_object_never_breaks(log):
    value = object()
    globals_ = namespace({"X": value})
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = value
    assert handle.valid
    assert log.drained() == []
    assert handle.valid
    globals_["X"] = 0  # the namespace provides it now
    assert handle.broken == 1


@without_automatic_drain
def test_a_shadow_of_the_same_object_that_changes_before_any_drain_breaks(log):
    value = object()
    globals_ = namespace({"X": value})
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = value
    globals_["X"] = 0
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


def test_a_real_builtin_shadowed_and_unshadowed(log):
    globals_ = {"__builtins__": builtins}
    handle = log.commit(freeze(globals_, "sorted", "len"))
    globals_["len"] = len_of_mine = lambda x: 1
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    assert depwatch.explain(handle).count("\n") == 1
    del globals_["len"]
    assert log.drained() == [("resumed", "frozen")]
    assert len_of_mine(0) == 1


# --- only what is certainly about another name is not about this one -------------------------------------------------


class Name(str):
    pass


@pytest.mark.parametrize("name", ["X" * 50, "sch\u00f6n", "\u2603 snow", "\U0001f600 face"])
def test_a_key_that_is_equal_but_another_object_is_the_same_name(log, name):
    globals_ = namespace() | {name: 1}
    handle = log.commit(freeze(globals_, name))
    globals_["".join(list(name))] = 2
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


class Odd:
    """A key that may say that it equals anything."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 1


class Loud(str):
    def __eq__(self, other):
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@without_automatic_drain
@pytest.mark.parametrize(
    "key",
    [Name("Y"), Loud("Y"), 5, 5.5, None, ("X",), b"Y", frozenset(), object(), int, len, compile("0", "", "eval")],
    ids=lambda key: type(key).__name__,
)
def test_a_key_that_cannot_equal_the_name_changes_nothing(log, key):
    """By its type's comparison, or because its hash is another; found out without running Python."""
    globals_ = namespace(X=1, Y=2)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        globals_[key] = 3
        assert handle.valid
        del globals_[key]
        assert handle.valid
        assert log.drained() == []
    assert counted("breaks") == {"breaks": 0}


@without_automatic_drain
def test_a_key_whose_comparison_may_say_anything_retires_whoever_relies_on_a_name_of_that_dict(log):
    """Nothing tells whether it was equal to one of them, nor when the change is made."""
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    globals_[Odd()] = 3
    assert (handle.retired, cell.value, guard.holds) == (True, UNKNOWN, False)
    assert log.drained() == [("retired", "frozen")]
    assert "may equal any name" in handle.reason
    globals_["X"] = 1.5
    globals_["X"] = 1
    assert (cell.value, guard.holds) == (UNKNOWN, False)
    again = log.commit(freeze(globals_, "X"))
    globals_["Y"] = 2
    assert again.valid
    globals_["X"] = 2
    assert again.broken == 1


@without_automatic_drain
@pytest.mark.parametrize("key", [Odd(), Loud("X")], ids=["another class", "a str subclass"])
def test_a_name_is_refused_in_a_dict_with_a_key_of_its_hash_that_may_equal_it(key, monkeypatch):
    """No event tells that a key has changed its mind about that."""
    monkeypatch.setattr(Odd, "__hash__", lambda self: hash("X"))
    globals_ = {key: 1} | namespace(Y=1)
    globals_.setdefault("X", 2)
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match=f"key of type {type(key).__name__} with the same hash"):
        recorder.read_global(globals_, "X")
    assert recorder.read_global(globals_, "Y") == 1
    recorder.close()


@without_automatic_drain
def test_a_str_subclass_that_compares_as_str_does_is_the_name(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_[Name("X")] = 3
    assert handle.broken == 1
    globals_[Name("X")] = 1
    assert handle.valid
    assert log.drained() == []


@without_automatic_drain
@pytest.mark.parametrize("key", [5, ("tuple",), frozenset()], ids=lambda key: type(key).__name__)
def test_a_key_that_equals_no_str_changes_nothing_beside_an_odd_key_either(log, key):
    """It may equal the odd key, which is stored under another hash than the name."""
    globals_ = {Odd(): 1} | namespace(X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    globals_[key] = 3
    assert (log.drained(), handle.valid) == ([], True)


@without_automatic_drain
def test_an_event_with_another_key_does_not_claim_to_know_the_value_of_this_one(log):
    globals_ = namespace(X=1)
    subscription = subscribed(log, globals_, "X")
    globals_[5] = "five"
    assert [(new, facet) for _, facet, _, new in log.drained()] in ([], [(UNKNOWN, "X")])
    assert globals_["X"] == 1
    subscription.cancel()


@without_automatic_drain
def test_a_str_subclass_with_a_lying_eq_finds_the_stored_name(log):
    class Liar(str):
        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_[Liar("X")] = 2
    assert globals_ == namespace(X=2)
    assert handle.retired
    assert log.drained() == [("retired", "frozen")]
    assert "may equal any name" in handle.reason


def test_exec_adds_builtins_to_a_watched_namespace_and_changes_no_other_name(log):
    globals_ = {"X": 1}
    subscription = subscribed(log, globals_)
    handle = log.commit(freeze(globals_, "X"))
    exec("pass", globals_)
    ((change, facet, _, _),) = log.drained()
    assert (change, facet) == ("ADDED", "__builtins__")
    assert handle.valid
    subscription.cancel()


def test_look_ups_that_run_python_and_change_the_dict_still_end_with_the_value_of_now(log):
    class Meddler:
        """Equal to nothing; when asked for its hash, changes the dict."""

        def __init__(self, stores):
            self.stores = stores

        def __hash__(self):
            if self.stores:
                globals_["X"] = self.stores.pop()
            return 1

        def __eq__(self, other):
            return self is other

    meddler = Meddler([])
    globals_ = {meddler: 0} | namespace(X=1)
    meddler.stores = [2, 3]
    recorder = depwatch.Recorder("r")
    value = recorder.read_global(globals_, "X")
    handle = log.commit(recorder)
    assert value == globals_["X"]
    assert handle.valid
    globals_["X"] = "new"
    assert not handle.valid
    assert log.drained() == [("invalidated", "r")]


def test_reading_a_name_asks_no_key_of_the_namespace_for_its_hash():
    """A dict knows the hashes that it stored its keys under."""

    class Restless:
        def __hash__(self):
            asked.append(self)
            return 1

        def __eq__(self, other):
            return self is other

    asked = []
    globals_ = {Restless(): 0} | namespace(X=1, Y=2)
    asked.clear()
    recorder = depwatch.Recorder("r")
    assert (recorder.read_global(globals_, "X"), recorder.read_global(globals_, "Y")) == (1, 2)
    recorder.close()
    assert asked == []


# --- unusual namespaces ----------------------------------------------------------------------------------------------


def test_a_namespace_that_is_a_dict_subclass_is_unwatchable():
    class Computed(dict):
        def __getitem__(self, name):
            return name

    recorder = depwatch.Recorder("r")
    computed = Computed(X=1)
    with pytest.raises(depwatch.Unwatchable, match="exact dict"):
        recorder.read_global(computed, "X")
    with pytest.raises(depwatch.Unwatchable, match="exact dict"):
        recorder.read_global({"__builtins__": computed}, "X")
    with pytest.raises(depwatch.Unwatchable, match="exact dict"):
        recorder.read_global(types.FunctionType(namespace.__code__, computed), "X")


def test_a_namespace_that_is_its_own_builtins_is_read_once(log):
    globals_ = {"X": 1}
    globals_["__builtins__"] = globals_
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = 2
    assert handle.broken == 1
    globals_["X"] = 1
    assert handle.valid
    del globals_["X"]
    assert log.drained()[-1] == ("invalidated", "frozen")
    globals_.clear()


def test_reading_the_same_name_twice_is_one_assumption(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X", "X"))
    globals_["X"] = 2
    assert handle.broken == 1
    globals_["X"] = 1
    assert handle.broken == 0
    depwatch.drain()


# --- module attributes -----------------------------------------------------------------------------------------------


def test_a_module_attribute_does_not_fall_back_to_builtins():
    module = types.ModuleType("module")
    recorder = depwatch.Recorder("r")
    with pytest.raises(AttributeError) as python:
        module.len
    with pytest.raises(AttributeError) as ours:
        recorder.read_attr(module, "len")
    assert (str(ours.value), ours.value.name, ours.value.obj) == (str(python.value), "len", module)


def test_a_module_attribute_breaks_and_resumes(log):
    module = types.ModuleType("module")
    module.X = 1
    recorder = depwatch.Recorder("r")
    assert recorder.read_attr(module, "X") == 1
    handle = log.commit(recorder)
    module.X = 2
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "r")]
    vars(module)["X"] = 1
    assert handle.valid
    assert log.drained() == [("resumed", "r")]
    del module.X
    assert log.drained() == [("invalidated", "r")]
    module.X = 1
    assert log.drained() == [("resumed", "r")]
    assert handle.valid


def test_a_module_with_getattr_is_watched_for_the_names_that_it_has(log):
    module = types.ModuleType("module")
    module.X = 1
    module.__getattr__ = lambda name: 42
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match="__getattr__"):
        recorder.read_attr(module, "Y")
    assert recorder.read_attr(module, "X") == 1
    handle = log.commit(recorder)
    del module.X
    assert log.drained() == [("invalidated", "r")]
    assert not handle.valid


@without_automatic_drain
def test_a_name_that_can_be_watched_no_longer_retires_its_handle_once(log, monkeypatch):
    """It is gone from the namespace, and the builtins have a key that may or may not equal it."""
    monkeypatch.setattr(Odd, "__hash__", lambda self: hash("X"))
    globals_ = namespace({Odd(): 1}, X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    del globals_["X"]
    assert handle.broken == 1
    assert log.drained() == [("retired", "frozen")]
    assert "can no longer be watched" in handle.reason
    assert depwatch.drain() == 0
