"""That a name is missing can be assumed: defining it breaks the assumption, deleting it heals."""

import builtins
import operator
import types
from functools import partial

import pytest

import depwatch
from depwatch import _core
from support import at_once, namespace, without_automatic_drain

NOTHING = object()


def of_function():
    names = namespace(Y=1)
    function = types.FunctionType((lambda: X).__code__, names)  # noqa: F821
    return function, partial(operator.setitem, names), partial(operator.delitem, names)


def of_dict():
    names = {"Y": 1}
    return names, partial(operator.setitem, names), partial(operator.delitem, names)


def of_module():
    module = types.ModuleType("module")
    return module, partial(setattr, module), partial(delattr, module)


def of_class():
    cls = type("C", (type("Base", (), {}),), {})
    return cls, partial(setattr, cls), partial(delattr, cls)


def of_base():
    base = type("Base", (), {})
    return type("C", (base,), {}), partial(setattr, base), partial(delattr, base)


OWNERS = {"function": of_function, "dict": of_dict, "module": of_module, "class": of_class, "base": of_base}
owners = pytest.mark.parametrize("kind", OWNERS)


def absent(log, owner, *names):
    """A handle that relies on these names being missing."""
    recorder = depwatch.Recorder("absent")
    for name in names:
        assert recorder.read(owner, name, default=NOTHING) is NOTHING
    return log.commit(recorder)


@owners
@without_automatic_drain
def test_defining_the_name_breaks_at_once_and_deleting_it_heals(log, kind):
    owner, define, delete = OWNERS[kind]()
    handle = absent(log, owner, "X")
    for _ in range(3):
        define("X", 1)
        assert (handle.broken, log.drained()) == (1, [("invalidated", "absent")])
        delete("X")
        depwatch.drain()
        assert (handle.valid, log.drained()) == (True, [("resumed", "absent")])


@owners
@without_automatic_drain
def test_another_name_changes_nothing(log, kind):
    owner, define, delete = OWNERS[kind]()
    handle = absent(log, owner, "X")
    define("Y", 2)
    define("Z", 1)
    delete("Z")
    assert (handle.valid, handle.breaks, log.drained()) == (True, 0, [])


@owners
@without_automatic_drain
def test_a_definition_that_is_undone_before_a_drain_is_told_to_nobody(log, kind):
    owner, define, delete = OWNERS[kind]()
    handle = absent(log, owner, "X")
    at_once((define, "X", 1), (delete, "X"))
    assert (log.drained(), handle.valid, handle.breaks) == ([], True, 1)


@owners
@without_automatic_drain
def test_a_definition_between_read_and_commit_is_stale_also_if_undone(log, kind):
    for undo in (False, True):
        owner, define, delete = OWNERS[kind]()
        recorder = depwatch.Recorder("compilation")
        assert recorder.read(owner, "X", default=NOTHING) is NOTHING
        define("X", 1)
        if undo:
            delete("X")
            depwatch.drain()
        with pytest.raises(depwatch.Stale, match="changed back" if undo else "'X' .* compile again"):
            recorder.commit()
    assert log.drained() == []


@owners
@without_automatic_drain
def test_who_reads_the_value_that_is_there_now_ends_the_assumption_of_absence(log, kind):
    owner, define, delete = OWNERS[kind]()
    handle = absent(log, owner, "X")
    define("X", 1)
    recorder = depwatch.Recorder("present")
    assert recorder.read(owner, "X", default=NOTHING) == 1
    present = log.commit(recorder)
    delete("X")
    depwatch.drain()
    assert (handle.retired, present.broken) == (True, 1)
    assert "was recorded with another value" in handle.reason
    again = absent(log, owner, "X")
    assert (again.valid, present.retired) == (True, True)
    assert sorted(log.drained()) == [
        ("invalidated", "absent"), ("invalidated", "present"), ("retired", "absent"), ("retired", "present")
    ]  # fmt: skip


@owners
def test_with_a_default_a_name_that_is_there_is_an_ordinary_read(log, kind):
    owner, define, _ = OWNERS[kind]()
    define("X", 1)
    recorder = depwatch.Recorder("present")
    assert recorder.read(owner, "X", default=NOTHING) == 1
    handle = log.commit(recorder)
    define("X", 2)
    assert (handle.broken, log.drained()) == (1, [("invalidated", "present")])


@owners
def test_without_a_default_a_missing_name_raises_and_records_nothing(log, kind):
    owner, define, _ = OWNERS[kind]()
    recorder = depwatch.Recorder("nothing")
    error = {"function": NameError, "dict": KeyError}.get(kind, AttributeError)
    with pytest.raises(error, match="X"):
        recorder.read(owner, "X")
    handle = log.commit(recorder)
    define("X", 1)
    assert (handle.assumptions, log.drained()) == ([], [])


@owners
@without_automatic_drain
def test_it_says_what_is_missing_and_where_it_was_defined(log, kind):
    owner, define, _ = OWNERS[kind]()
    handle = absent(log, owner, "X")
    assert "'X' of" in depwatch.explain(handle) or "'X' in" in depwatch.explain(handle)
    assert "is (missing)" in depwatch.explain(handle)
    define("X", 1)
    (broken,) = handle.broken_facets()
    assert (broken.name, broken.change, broken.old, broken.new) == ("X", depwatch.Change.ADDED, None, "1")
    assert f"added at {broken.filename}:{broken.lineno}" in depwatch.explain(handle)
    log.drained()


@without_automatic_drain
def test_a_builtin_of_that_name_breaks_the_absence_of_a_global(log):
    names = {"__builtins__": {}}
    function = types.FunctionType((lambda: X).__code__, names)  # noqa: F821
    handle, other = absent(log, function, "X"), absent(log, function, "Y")
    names["__builtins__"]["X"] = 1
    assert (handle.broken, other.valid, log.drained()) == (1, True, [("invalidated", "absent")])
    del names["__builtins__"]["X"]
    depwatch.drain()
    assert (handle.valid, log.drained()) == (True, [("resumed", "absent")])


@without_automatic_drain
def test_a_namespace_without_builtins_may_get_some(log):
    names = {"X": 1}
    recorder = depwatch.Recorder("absent")
    assert recorder.read_global(names, "len", default=NOTHING) is NOTHING
    handle = log.commit(recorder)
    exec("pass", names)  # gives it the usual ones
    assert (handle.broken, log.drained()) == (1, [("invalidated", "absent")])
    del names["__builtins__"]
    depwatch.drain()
    assert (handle.valid, log.drained()) == (True, [("resumed", "absent")])


@without_automatic_drain
def test_a_getattr_of_the_module_breaks_the_absence_of_all_its_names(log):
    module = types.ModuleType("module")
    handle = absent(log, module, "X")
    module.__getattr__ = lambda name: 42
    assert (module.X, handle.broken, log.drained()) == (42, 1, [("invalidated", "absent")])
    del module.__getattr__
    depwatch.drain()
    assert (handle.valid, log.drained()) == (True, [("resumed", "absent")])


def test_a_getattr_that_is_there_computes_the_name(log):
    module = types.ModuleType("module")
    module.__getattr__ = lambda name: 42
    with pytest.raises(depwatch.Unwatchable, match="__getattr__"):
        depwatch.Recorder("absent").read(module, "X", default=None)


@without_automatic_drain
def test_a_module_that_gets_another_class_is_given_up(log):
    module = types.ModuleType("module")
    handle = absent(log, module, "X")
    module.__class__ = type("Computing", (types.ModuleType,), {"X": property(lambda self: 42)})
    assert (module.X, handle.retired) == (42, True)
    assert log.drained() == [("retired", "absent")]


@without_automatic_drain
def test_another_class_in_the_bases_can_bring_the_attribute(log):
    base = type("Base", (), {})
    other = type("Other", (), {"X": 1})
    cls = type("C", (base,), {})
    handle = absent(log, cls, "X")
    cls.__bases__ = (other,)
    assert (handle.broken, cls.X, log.drained()) == (1, 1, [("invalidated", "absent")])
    cls.__bases__ = (base,)
    depwatch.drain()
    assert (handle.valid, log.drained()) == (True, [("resumed", "absent")])


def test_what_a_static_class_has_not_it_will_never_have(log):
    recorder = depwatch.Recorder("absent")
    assert recorder.read(int, "X", default=NOTHING) is NOTHING
    assert log.commit(recorder).assumptions == []


@without_automatic_drain
def test_after_six_definitions_the_name_is_unstable(log):
    names = {}
    handle = absent(log, names, "X")
    for _ in range(6):
        names["X"] = 1
        depwatch.drain()
        del names["X"]
        depwatch.drain()
    assert handle.retired
    with pytest.raises(depwatch.Unstable, match=r"'X' .* has broken 6 times, the limit is 6"):
        depwatch.Recorder("again").read(names, "X", default=None)
    log.drained()


@without_automatic_drain
def test_the_value_that_stands_for_absence_is_none_that_a_program_can_store(log):
    names = {}
    handle = absent(log, names, "X")
    for value in (depwatch.MISSING, depwatch.UNKNOWN, NOTHING, None, object()):
        names["X"] = value
        depwatch.drain()
        assert handle.broken == 1
        names.clear()
        depwatch.drain()
        assert handle.valid
    log.drained()


@without_automatic_drain
def test_a_namespace_that_dies_retires(log):
    names = {}
    handle = absent(log, names, "X")
    del names
    depwatch.drain()
    assert handle.retired
    assert log.drained() == [("retired", "absent")]
    _core.check_index()


def test_a_cell_of_a_missing_name_is_refused():
    recorder = depwatch.Recorder("r")
    with pytest.raises(KeyError):
        recorder.guard_cell({}, "X")
    with pytest.raises(NameError):
        recorder.value_cell(of_function()[0], "X", "object")


def test_the_usual_builtins_are_there(log):
    recorder = depwatch.Recorder("present")
    function = types.FunctionType((lambda: len).__code__, {})
    assert recorder.read(function, "len", default=NOTHING) is builtins.len
    assert log.commit(recorder).valid
