"""Whole objects: proposal B. Any change retires, there is no value that could come back."""

import operator
import types

import pytest

import depwatch
from support import Counted, at_once, dependents, freeze, here, namespace


def depend_on(log, *objects, name="whole"):
    recorder = depwatch.Recorder(name)
    for obj in objects:
        assert recorder.depend_on(obj) is None
    return log.commit(recorder)


def test_any_change_of_a_dict_retires_at_once_and_for_good(log):
    for change in (
        (operator.setitem, "X", 2), (operator.setitem, "Y", 2), (operator.delitem, "X"), (dict.clear,),
        (operator.setitem, 5, 5), (dict.update, {"X": 3}),
    ):  # fmt: skip
        mapping = {"X": 1}
        handle = depend_on(log, mapping)
        function, *arguments = change
        function(mapping, *arguments)
        assert (handle.broken, handle.retired, handle.valid) == (255, True, False)
        assert log.drained() == [("retired", "whole")]


def test_what_changes_nothing_retires_nothing(log):
    mapping = {"X": 1}
    handle = depend_on(log, mapping)
    mapping["X"] = mapping["X"]
    mapping.setdefault("X", 2)
    mapping.pop("Y", None)
    assert mapping | {"Y": 1}
    assert (handle.valid, log.drained()) == (True, [])


def test_a_change_undone_at_once_still_retires(log):
    mapping = {"X": 1}
    handle = depend_on(log, mapping)
    at_once((operator.setitem, mapping, "X", 2), (operator.setitem, mapping, "X", 1))
    assert handle.retired
    assert log.drained() == [("retired", "whole")]


def test_a_module_is_its_dict(log):
    module = types.ModuleType("module")
    handle = depend_on(log, module)
    assert dependents(module) == dependents(vars(module)) == dependents(module, "X") == {handle.id}
    module.X = 1
    assert handle.retired
    assert log.drained() == [("retired", "whole")]
    assert dependents(module) == set()


def test_any_change_of_a_class_or_its_bases_retires(log):
    def classes():
        class Base:
            x = 1

        class Derived(Base):
            y = 1

        return Base, Derived

    changes = [
        lambda base, derived: setattr(derived, "y", 2),
        lambda base, derived: setattr(derived, "z", 2),
        lambda base, derived: delattr(derived, "y"),
        lambda base, derived: setattr(base, "x", 2),
        lambda base, derived: setattr(base, "z", 2),
        lambda base, derived: setattr(derived, "__bases__", (types.new_class("Other"),)),
    ]
    for change in changes:
        base, derived = classes()
        handle = depend_on(log, derived)
        assert log.drained() == []
        change(base, derived)
        assert handle.retired
        assert log.drained() == [("retired", "whole")]


def test_a_subclass_or_a_change_of_it_is_no_change_of_a_class(log):
    class Base:
        x = 1

    handle = depend_on(log, Base)

    class Derived(Base):
        x = 2

    Derived.x = 3
    Base().x = 4
    del Derived
    assert (handle.valid, log.drained()) == (True, [])


@pytest.mark.parametrize("attribute, value", [
    ("__code__", namespace.__code__), ("__defaults__", (1,)), ("__kwdefaults__", {"a": 1}),
])  # fmt: skip
def test_any_change_of_a_function_retires(log, attribute, value):
    def function():
        pass

    handle = depend_on(log, function)
    setattr(function, attribute, value)
    assert handle.retired
    assert log.drained() == [("retired", "whole")]


def test_the_end_of_each_kind_of_object_retires(log):
    module = types.ModuleType("module")
    objects = {
        "dict": {},
        "module": module,
        "function": lambda: 1,
        "code": compile("1", "<code>", "eval"),
    }
    del module
    for name in list(objects):
        handle = depend_on(log, objects[name], name=name)
        del objects[name]
        assert handle.retired
        assert log.drained() == [("retired", name)]
        assert "died" in handle.reason


def test_one_handle_may_depend_on_many_objects(log):
    mappings = [{} for _ in range(300)]
    handle = depend_on(log, *mappings)
    assert all(dependents(mapping) == {handle.id} for mapping in mappings)
    mappings[150]["X"] = 1
    assert log.drained() == [("retired", "whole")]
    assert all(dependents(mapping) == set() for mapping in mappings)
    with Counted() as counted:
        for mapping in mappings:
            mapping["Y"] = 1
    assert counted() == {"events": 1}  # that one of them has changed before is remembered


def test_dependents_of_a_key_include_those_of_the_whole(log):
    globals_ = namespace(X=1, Y=2)
    whole = depend_on(log, globals_)
    key = log.commit(freeze(globals_, "X", name="key"))
    assert dependents(globals_, "X") == {whole.id, key.id}
    assert dependents(globals_, "Y") == {whole.id}
    assert dependents(globals_) == {whole.id, key.id}


def test_the_reason_names_the_object_and_the_line(log):
    module = types.ModuleType("configuration")
    handle = depend_on(log, module)
    line = here() + 1
    module.X = 1
    told = depwatch.explain(handle)
    assert told.startswith(f"handle {handle.id} ('whole') is retired: ")
    assert "module configuration" in told
    assert f"{__file__}:{line}" in told
    assert handle.reason in told


def test_a_new_recording_after_a_change_starts_anew(log):
    mapping = {"X": 1}
    first = depend_on(log, mapping, name="first")
    mapping["X"] = 2
    second = depend_on(log, mapping, name="second")
    assert (first.retired, second.valid) == (True, True)
    assert log.drained() == [("retired", "first")]
    mapping["X"] = 1
    assert log.drained() == [("retired", "second")]
