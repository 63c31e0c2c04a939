"""Modules: attributes that are not what their dict says, and were once taken for it.

What counts is getattr(): from 3.14 on, CPython specializes `module.X` past descriptors of the class (gh-156399).
"""

import types

import pyroaring
import pytest

import depwatch
from support import UNKNOWN, without_automatic_drain

READS = [("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())]


@pytest.mark.parametrize("other", ["__set__", "__delete__"])
@pytest.mark.parametrize("read, arguments", READS)
def test_a_descriptor_with_get_and_set_or_delete_comes_before_the_dict_and_is_refused(read, arguments, other):
    class Computed:
        def __get__(self, module, owner=None):
            return "computed"

    setattr(Computed, other, lambda *arguments: None)

    class Module(types.ModuleType):
        X = Computed()

    module = Module("module")
    vars(module)["X"] = "in the dict"
    assert getattr(module, "X") == "computed"  # noqa: B009
    with pytest.raises(depwatch.Unwatchable, match=r"X.*descriptor"):
        getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)


@without_automatic_drain
def test_a_module_that_lies_about_its_dict_is_not_asked_for_it(log):
    made_up = {"X": "made up"}

    class Module(types.ModuleType):
        @property
        def __dict__(self):
            return made_up

    module = Module("module")
    module.X = "real"
    recorder = depwatch.Recorder("r")
    try:
        assert recorder.read_attr(module, "X") == module.X
    except depwatch.Unwatchable:
        return
    handle = log.commit(recorder)
    module.X = "changed"
    assert not handle.valid


@without_automatic_drain
def test_the_whole_of_a_module_that_lies_about_its_dict_is_its_real_dict(log):
    made_up = {}

    class Module(types.ModuleType):
        @property
        def __dict__(self):
            return made_up

    module = Module("module")
    recorder = depwatch.Recorder("r")
    try:
        recorder.depend_on(module)
        handle = log.commit(recorder)
    except depwatch.Unwatchable:
        return
    module.X = "changed"
    assert not handle.valid


@without_automatic_drain
def test_everything_that_takes_a_module_takes_its_real_dict(log):
    class Module(types.ModuleType):
        __dict__ = property(lambda self: {"__builtins__": {}, "X": "made up"})

    module = Module("module")
    module.X = "real"
    names = types.ModuleType.__dict__["__dict__"].__get__(module)
    exec("", names)
    recorder = depwatch.Recorder("r")
    assert [recorder.read_global(module, name) for name in ("X", "len")] == ["real", len]
    handle = log.commit(recorder)
    assert depwatch.id_of(module) == depwatch.id_of(names)
    assert depwatch.dependents(module, "X") == depwatch.dependents(names, "X") == pyroaring.BitMap([handle.id])
    assert [depwatch.advise(module, "X") for _ in range(2)] == [depwatch.Advice.FREEZE] * 2
    subscriptions = [depwatch.subscribe(log.event, module), depwatch.subscribe(log.event, module, "X")]
    module.X = "changed"
    assert handle.broken == 1
    events = [("MODIFIED", "X", "real", "changed"), ("MODIFIED", "X", UNKNOWN, "changed"), ("invalidated", "r")]
    assert sorted(log.drained(), key=str) == events
    for subscription in subscriptions:
        subscription.cancel()


@pytest.mark.parametrize("read, arguments", READS)
def test_a_class_of_modules_whose_metaclass_lies_is_not_asked(read, arguments):
    class Lying(type):
        __flags__ = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
        __mro__ = (types.ModuleType, object)
        __dict__ = {}
        __getattribute__ = None

    class Module(types.ModuleType, metaclass=Lying):
        X = property(lambda self: "computed")

    module = Module("module")
    types.ModuleType.__dict__["__dict__"].__get__(module)["X"] = "in the dict"
    assert getattr(module, "X") == "computed"  # noqa: B009
    with pytest.raises(depwatch.Unwatchable, match=r"X.*descriptor of .*Module"):
        getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)
