"""Globals: the chain [globals, builtins]. Only the dict that provides the value matters."""

import types

import pytest

import depwatch
from support import dependents, freeze, namespace, seen_in


def function_in(globals_):
    exec("def function(): pass", globals_)
    return globals_.pop("function")


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
