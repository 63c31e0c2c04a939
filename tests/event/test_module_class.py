"""The class of a module: assigned, or given a property, after an attribute of the module was read.

What counts is getattr(): from 3.14 on, CPython specializes `module.X` past descriptors of the class (gh-156399)."""

import types

import pytest

import depwatch
from support import byte_at, without_automatic_drain


class Plain(types.ModuleType):
    pass


class Computed(types.ModuleType):
    @property
    def X(self):
        return "computed"


class Asked(types.ModuleType):
    def __getattribute__(self, name):
        return "asked" if name == "X" else super().__getattribute__(name)


def made(kind=types.ModuleType):
    module = kind("module")
    vars(module)["X"] = "in the dict"
    return module


class Reading:
    """A module's attribute, assumed by a handle and, where the class is ModuleType itself, held in two cells."""

    def __init__(self, log, module):
        recorder = depwatch.Recorder("r")
        assert recorder.read_attr(module, "X") == module.X == "in the dict"
        self.cells = []
        if type(module) is types.ModuleType:
            self.cells = [recorder.guard_cell(module, "X"), recorder.value_cell(module, "X", "object")]
        self.handle = log.commit(recorder)
        assert self.claimed()

    def claimed(self):
        """Whether any of them says that the attribute is what it was; all or none."""
        claims = {
            self.handle.valid,
            *(byte_at(getattr(cell, "guard_address", cell.address)) == 1 for cell in self.cells),
        }
        assert len(claims) == 1
        return claims.pop()


@pytest.mark.parametrize("kind", [Computed, Asked])
@pytest.mark.parametrize("before", [types.ModuleType, Plain])
@without_automatic_drain
def test_a_module_that_gets_a_class_which_computes_the_attribute_is_seen_at_once(log, before, kind):
    module = made(before)
    reading = Reading(log, module)
    module.__class__ = kind
    assert getattr(module, "X") != "in the dict"  # noqa: B009
    assert not reading.claimed()
    assert log.drained() in ([("invalidated", "r")], [("retired", "r")])
    assert not reading.claimed()
    with pytest.raises(depwatch.Unwatchable):
        depwatch.Recorder("again").read_attr(module, "X")


CHANGES = {
    "a property": lambda kind: setattr(kind, "X", property(lambda self: "computed")),
    "a property in a base": lambda kind: setattr(kind.__bases__[0], "X", property(lambda self: "computed")),
    "__getattribute__": lambda kind: setattr(kind, "__getattribute__", Asked.__getattribute__),
    "__getattribute__ in a base": lambda kind: setattr(kind.__bases__[0], "__getattribute__", Asked.__getattribute__),
    "other bases": lambda kind: setattr(kind, "__bases__", (Computed,)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@without_automatic_drain
def test_a_class_of_modules_that_comes_to_compute_the_attribute_is_seen_at_once(log, change):
    base = types.new_class("Base", (Plain,))
    kind = types.new_class("Kind", (base,))
    module = made(kind)
    reading = Reading(log, module)
    change(kind)
    assert getattr(module, "X") != "in the dict"  # noqa: B009
    assert not reading.claimed()
    assert log.drained() == [("retired", "r")]
    assert not reading.claimed()
    with pytest.raises(depwatch.Unwatchable):
        depwatch.Recorder("again").read_attr(module, "X")


@without_automatic_drain
def test_a_class_of_modules_that_computes_another_attribute_changes_nothing(log):
    kind = types.new_class("Kind", (Plain,))
    module = made(kind)
    reading = Reading(log, module)
    kind.Y = property(lambda self: "computed")
    kind.method = lambda self: 1
    depwatch.drain()
    assert module.X == "in the dict"
    assert (reading.handle.retired, log.drained()) == (True, [("retired", "r")])  # too often, but never stale


@pytest.mark.parametrize("read, arguments", [("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())])
@without_automatic_drain
def test_an_attribute_that_is_refused_leaves_no_dependency_on_the_class(log, read, arguments):
    kind = types.new_class("Kind", (Plain,), exec_body=lambda names: names.update(X=property(lambda self: 1)))
    recorder = depwatch.Recorder("r")
    missing = AttributeError if read == "read_attr" else depwatch.Unwatchable
    for name, error in (("X", depwatch.Unwatchable), ("missing", missing)):
        with pytest.raises(error, match=name):
            getattr(recorder, read)(made(kind), name, *arguments)
    handle = log.commit(recorder)
    kind.Y = 1
    assert (handle.valid, log.drained()) == (True, [])


def test_a_descriptor_whose_class_can_come_to_compute_the_attribute_is_refused():
    class Method:
        def __get__(self, module, owner=None):
            return "computed"

    class Kind(types.ModuleType):
        X = Method()

    module = made(Kind)
    assert getattr(module, "X") == "in the dict"  # noqa: B009 -- until Method gets __set__ or __delete__
    for read, arguments in (("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())):
        with pytest.raises(depwatch.Unwatchable, match=r"X.*Method object.*may get a __get__ and compute"):
            getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)
    Method.__set__ = Method.__get__
    assert getattr(module, "X") == "computed"  # noqa: B009


@without_automatic_drain
def test_a_global_is_read_from_the_dict_whatever_the_class_of_its_module(log):
    module = made()
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(module, "X") == "in the dict"
    handle = log.commit(recorder)
    module.__class__ = Computed
    assert eval("X", vars(module)) == "in the dict"
    assert (handle.valid, log.drained()) == (True, [])
    vars(module)["X"] = "other"
    assert (handle.broken, log.drained()) == (1, [("invalidated", "r")])


@pytest.mark.parametrize("use", [
    lambda recorder, module: recorder.guard_cell(module, "X"),
    lambda recorder, module: recorder.value_cell(module, "X", "object"),
], ids=["guard_cell", "value_cell"])  # fmt: skip
def test_a_cell_of_a_module_whose_class_can_come_to_compute_it_is_refused(use):
    """The handle can depend on the class; a cell cannot follow it."""
    with pytest.raises(depwatch.Unwatchable, match="may get a property that computes the attribute; use read_attr"):
        use(depwatch.Recorder("r"), made(Plain))


@without_automatic_drain
def test_another_class_of_a_module_does_not_concern_its_globals(log):
    module = made()
    exec("", vars(module))
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(module, "X") == "in the dict"
    handle = log.commit(recorder)
    module.__class__ = Computed
    assert (handle.valid, log.drained()) == (True, [])
    with pytest.raises(depwatch.Unwatchable, match="read the global"):
        depwatch.Recorder("r").read_attr(made(), "__builtins__")
