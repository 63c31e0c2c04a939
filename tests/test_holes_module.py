"""Modules: attributes that are not what their dict says, and were once taken for it."""

import types

import pytest

import depwatch
from support import without_automatic_drain

READS = [("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())]


@pytest.mark.parametrize("read, arguments", READS)
def test_a_descriptor_with_get_and_delete_comes_before_the_dict_and_is_refused(read, arguments):
    """A data descriptor has __set__ or __delete__."""

    class Computed:
        def __get__(self, module, owner=None):
            return "computed"

        def __delete__(self, module):
            raise AttributeError

    class Module(types.ModuleType):
        X = Computed()

    module = Module("module")
    vars(module)["X"] = "in the dict"
    assert module.X == "computed"
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
