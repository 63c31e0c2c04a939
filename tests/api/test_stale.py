"""Stale: what was read while compiling changed before commit. Nothing is kept then."""

import operator
import types
from array import array
from functools import partial

import pytest

import depwatch
from support import at_once, dependents, freeze, freeze_attribute, namespace, without_automatic_drain


def test_a_change_before_commit_is_refused_naming_the_facet(log):
    globals_ = namespace(X=1, Y=2, __name__="prices")
    recorder = freeze(globals_, "X", "Y", name="compilation")
    globals_["Y"] = 3
    with pytest.raises(depwatch.Stale, match=r"'Y'.*module prices.*changed since it was read for 'compilation'"):
        log.commit(recorder)
    assert log.drained() == []


def test_the_first_facet_in_the_order_of_reading_is_named():
    names = ["D", "A", "C", "B"]
    for first in range(4):
        globals_ = namespace(**dict.fromkeys(names, 1))
        recorder = freeze(globals_, *names)
        for name in reversed(names[first:]):
            globals_[name] = 2
        with pytest.raises(depwatch.Stale, match=f"'{names[first]}'"):
            recorder.commit()


def test_nothing_is_kept_of_what_is_refused(log):
    before = depwatch.stats()
    globals_ = namespace(X=1, Y=1)
    recorder = freeze(globals_, "X", "Y")
    recorder.guard_cell(globals_, "Y")
    recorder.value_cell(globals_, "X", "i64")
    globals_["X"] = 2
    with pytest.raises(depwatch.Stale):
        recorder.commit()
    with pytest.raises(depwatch.Released):
        recorder.commit()
    with pytest.raises(depwatch.Released):
        recorder.read_global(globals_, "X")
    assert dependents(globals_) == set()
    del recorder
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("handles", "dependencies")] == [0, 0]
    globals_["Y"] = 2
    assert log.drained() == []


def test_the_same_recorder_name_can_compile_again(log):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    globals_["X"] = 2
    with pytest.raises(depwatch.Stale):
        recorder.commit()
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = 1
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


# What undoes a change: of a global, an item, an attribute of a module, a class, or a Fact.
def of_global():
    globals_ = namespace(X=1)
    function = types.FunctionType((lambda: X).__code__, globals_)  # noqa: F821
    return function, "X", partial(operator.setitem, globals_, "X")


def of_item():
    names = {"X": 1}
    return names, "X", partial(operator.setitem, names, "X")


def of_module():
    module = types.ModuleType("module")
    module.X = 1
    return module, "X", partial(setattr, module, "X")


def of_class():
    cls = type("C", (), {"X": 1})
    return cls, "X", partial(setattr, cls, "X")


def of_fact():
    fact = depwatch.Fact(1)
    return fact, None, fact.set


CHANGES = {"global": of_global, "item": of_item, "module": of_module, "class": of_class, "fact": of_fact}


@pytest.mark.parametrize("drained", [True, False], ids=["drained", "not drained"])
@pytest.mark.parametrize("kind", CHANGES)
@without_automatic_drain
def test_a_change_that_was_undone_before_commit_is_refused_by_name_or_allowed(log, kind, drained):
    for undone in ("refuse", "allow"):
        owner, name, change = CHANGES[kind]()
        recorder = depwatch.Recorder("compilation")
        assert recorder.read(owner, name) == 1
        change(2)
        if drained:
            depwatch.drain()
        change(1)
        if undone == "allow":
            assert log.commit(recorder, undone=undone).valid
            continue
        with pytest.raises(
            depwatch.Stale, match=r"changed since .* 'compilation', and changed back; .*undone=\"allow\""
        ):
            recorder.commit()
        with pytest.raises(depwatch.Released):
            recorder.commit()
    assert log.drained() == []


@pytest.mark.parametrize("undone", ["refuse", "allow"])
@without_automatic_drain
def test_a_store_of_an_equal_value_is_no_change_that_was_undone(log, undone):
    globals_ = namespace(X=1.5)
    recorder = freeze(globals_, "X")
    globals_["X"] = 3 / 2
    assert log.commit(recorder, undone=undone).valid
    assert log.drained() == []


@without_automatic_drain
def test_a_read_after_the_change_that_was_undone_is_fresh(log):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    globals_["X"], globals_["X"] = 2, 1
    again = freeze(globals_, "X")
    assert log.commit(again).valid
    with pytest.raises(depwatch.Stale, match="changed back"):
        recorder.commit()
    assert log.drained() == []


@without_automatic_drain
def test_commit_many_refuses_what_was_undone_until_it_is_read_again(log):
    names = {"X": 1, "Y": 1}
    recorder = depwatch.Recorder("batch")
    recorder.read(names, "X"), recorder.read(names, "Y")
    names["X"], names["X"] = 2, 1
    offsets = array("Q", [0, 1])
    with pytest.raises(depwatch.Stale, match="'X'"):
        recorder.commit_many(offsets, array("I", [0]))
    assert recorder.commit_many(offsets, array("I", [1])).valid
    assert recorder.commit_many(offsets, array("I", [0]), undone="allow").valid
    recorder.read(names, "X")
    assert recorder.commit_many(offsets, array("I", [2])).valid
    assert log.drained() == []


@pytest.mark.parametrize("undone", [None, True, "ALLOW", "no"])
def test_another_word_for_what_is_undone_is_refused(undone):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    with pytest.raises(ValueError, match=r'undone is .*; it must be "refuse" or "allow"'):
        recorder.commit(undone=undone)
    assert recorder.commit().valid


@without_automatic_drain
def test_a_deletion_that_was_undone_before_commit_is_looked_at_again(log):
    globals_ = namespace(X="x")
    recorder = freeze(globals_, "X")
    at_once((operator.delitem, globals_, "X"), (operator.setitem, globals_, "X", "x"))
    handle = log.commit(recorder, undone="allow")
    assert (handle.valid, log.drained()) == (True, [])


def test_two_values_read_for_one_name_are_stale():
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    globals_["X"] = 2
    assert recorder.read_global(globals_, "X") == 2
    with pytest.raises(depwatch.Stale, match="'X'"):
        recorder.commit()


def test_a_value_that_another_compilation_superseded_is_stale_even_if_it_came_back():
    globals_ = namespace(X=1)
    first = freeze(globals_, "X")
    globals_["X"] = 2
    second = freeze(globals_, "X")
    with pytest.raises(depwatch.Stale):
        first.commit()
    globals_["X"] = 2
    assert second.commit().valid


def test_a_recorder_is_not_made_stale_by_another_one_that_reads_the_same():
    globals_ = namespace(X=1)
    first, second, third = (freeze(globals_, "X") for _ in range(3))
    handles = [second.commit(), first.commit()]
    handles[0].release()
    depwatch.drain()
    assert [third.commit().valid, handles[1].valid] == [True, True]


def test_every_kind_of_facet_can_be_stale(log):
    class Base:
        x = 1

    class Other:
        x = 2

    class Derived(Base):
        pass

    def function(a=1, *, b=2):
        return a

    module = types.ModuleType("module")
    module.X = 1
    exec("", vars(module))  # gives it "__builtins__"
    mapping = {"X": 1}

    def reads(method, *arguments):
        recorder = depwatch.Recorder("r")
        getattr(recorder, method)(*arguments)
        return recorder

    cases = [
        (reads("read_attr", module, "X"), lambda: setattr(module, "X", 2), "'X' in module module"),
        (reads("read_global", module, "len"), lambda: setattr(module, "len", 2), "'len'"),
        (reads("read_type_attr", Derived, "x"), lambda: setattr(Base, "x", 3), "attribute 'x' of <class"),
        (reads("read_function", function, "defaults"), lambda: setattr(function, "__defaults__", ()), "defaults of"),
        (reads("read_function", function, "kwdefaults"), lambda: function.__kwdefaults__.clear(), "kwdefaults of"),
        (reads("read_function", function, "code"), lambda: setattr(function, "__code__", reads.__code__.replace(
            co_freevars=())), "code of"),
        (reads("depend_on", mapping), lambda: mapping.update(X=2), "anything in"),
        (reads("depend_on", Derived), lambda: setattr(Derived, "y", 3), "anything in"),
        (reads("depend_on", function), lambda: setattr(function, "__defaults__", (5,)), "anything in"),
    ]  # fmt: skip
    for recorder, change, named in cases:
        change()
        with pytest.raises(depwatch.Stale, match=named):
            log.commit(recorder)
    recorder = freeze_attribute(Derived, "x")
    Derived.__bases__ = (Other,)
    with pytest.raises(depwatch.Stale, match="attribute 'x'"):
        recorder.commit()
    assert log.drained() == []


@pytest.mark.parametrize("kind", ["dict", "type", "function", "code"])
def test_an_object_that_died_before_commit_is_stale(kind):
    recorder = depwatch.Recorder("r")
    if kind == "dict":
        recorder.read_global(namespace(X=1), "X")
    elif kind == "type":
        recorder.read_type_attr(type("T", (), {"x": 1}), "x")
        import gc

        gc.collect()
    elif kind == "function":
        recorder.read_function(lambda: 1, "existence")
    else:
        recorder.depend_on(compile("1", "<code>", "eval"))
    with pytest.raises(depwatch.Stale, match=r"dead|died"):
        recorder.commit()


def test_a_cell_or_guard_that_changed_before_commit_is_not_stale(log):
    globals_ = namespace(X=1, Y=2)
    recorder = depwatch.Recorder("r")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "Y")
    globals_["X"] = globals_["Y"] = 5
    handle = log.commit(recorder)
    assert (handle.valid, cell.value, guard.holds, log.drained()) == (True, 5, False, [])


def test_a_change_made_by_the_compilation_itself_between_two_reads_is_stale():
    globals_ = namespace(X=1, Y=1)
    recorder = depwatch.Recorder("r")
    recorder.read_global(globals_, "X")
    globals_["X"] = 2
    recorder.read_global(globals_, "Y")
    with pytest.raises(depwatch.Stale, match="'X'"):
        recorder.commit()
