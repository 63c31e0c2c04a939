"""Death: what dies takes its dependents along; addresses and IDs are used again."""

import array
import gc
import types
import weakref
from pathlib import Path

import pytest

import depwatch
from support import UNKNOWN, dependents, freeze, freeze_attribute, is_dead, namespace, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often


class Value:
    """Can be referred to weakly."""


# --- death -----------------------------------------------------------------------------------------------------------


def test_the_death_of_a_dict_retires_at_once_and_its_facets_go_with_the_drain(log):
    before = depwatch.stats()
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_ = None
    assert handle.broken == 255
    assert log.drained() == [("retired", "frozen")]
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("objects", "facets", "dependencies")] == [0, 0, 0]


def test_the_death_of_builtins_breaks_what_they_provide(log):
    names = {"X": 1, "Y": 2}
    globals_ = {"Y": 3}
    globals_["__builtins__"] = names
    one = log.commit(freeze(globals_, "X", name="from builtins"))
    two = log.commit(freeze(globals_, "Y", name="shadowing"))
    del globals_["__builtins__"]
    names = None
    assert not one.valid
    depwatch.drain()
    assert ("retired", "from builtins") in log
    assert two.valid or two.retired


def test_the_death_of_a_base_class_is_no_change_while_a_subclass_keeps_it(log):
    def make():
        class Base:
            x = 1

        class Derived(Base):
            pass

        return Derived

    Derived = make()
    gc.collect()
    handle = log.commit(freeze_attribute(Derived, "x"))
    gc.collect()
    assert (handle.valid, log.drained()) == (True, [])
    Derived.__mro__[1].x = 2
    assert log.drained() == [("invalidated", "frozen")]


def test_many_objects_die_at_once(log):
    namespaces = [namespace(X=i) for i in range(2000)]
    handles = [log.commit(freeze(each, "X", name=str(i))) for i, each in enumerate(namespaces)]
    namespaces.clear()
    assert all(handle.broken == 255 for handle in handles)
    depwatch.drain()
    assert sorted(log) == sorted(("retired", str(i)) for i in range(2000))


def test_a_dict_that_dies_inside_the_drain_is_seen(log):
    inner = namespace(X=1)
    outer = namespace(INNER=inner)
    handle = log.commit(freeze(inner, "X", name="inner"))
    subscription = depwatch.subscribe(log.event, outer, "INNER")
    outer["INNER"] = None
    inner = None
    depwatch.drain()
    log.clear()
    depwatch.drain()
    gc.collect()
    depwatch.drain()
    assert handle.retired
    subscription.cancel()


@without_automatic_drain
def test_a_dict_that_is_resurrected_by_nobody_is_not_touched_by_details(log):
    """The detail of a death must not take a reference to what is dying."""
    for _ in range(100):
        globals_ = namespace(X=Value())
        reference = weakref.ref(globals_["X"])
        subscription = depwatch.subscribe(log.event, globals_, "X")
        del globals_
        assert log.drained()[-1] == ("DESTROYED", "X", UNKNOWN, UNKNOWN)
        assert is_dead(reference)
        subscription.cancel()


# --- addresses and IDs that are reused -------------------------------------------------------------------------------


@without_automatic_drain
def test_a_handle_id_and_its_byte_are_reused_only_after_release_and_drain(log):
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    number, address = handle.id, handle.broken_address
    byte = array.array("B", [0])
    handle.release()
    import ctypes

    assert ctypes.c_ubyte.from_address(address).value == 255
    assert byte[0] == 0
    depwatch.drain()
    again = freeze(globals_, "X").commit()
    assert (again.id, again.broken_address, again.broken) == (number, address, 0)


def test_a_retired_handle_keeps_its_byte_as_long_as_the_handle_lives(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    handle.retire("enough")
    assert log.drained() == [("retired", "frozen")]
    others = [freeze(globals_, "X").commit() for _ in range(50)]
    assert handle.id not in [other.id for other in others]
    assert (handle.broken, handle.retired) == (255, True)


def test_a_value_at_the_address_of_the_old_one_is_not_the_old_one(log):
    """The old value is gone and a new one may have its address: no healing by accident."""
    for _ in range(200):
        globals_ = namespace(X=Value())
        handle = freeze(globals_, "X").commit()
        globals_["X"] = None
        depwatch.drain()
        globals_["X"] = Value()
        assert not handle.valid
        handle.release()


def test_breaks_of_a_dead_dict_are_forgotten(log):
    for _ in range(3):
        globals_ = namespace(X=0)
        for i in range(1, 7):
            freeze(globals_, "X").commit().release()
            globals_["X"] = i
            depwatch.drain()
        globals_ = None
        depwatch.drain()
    assert log.drained() == []


def test_gc_while_events_come_in_keeps_everything_right():
    python(PROGRAMS / "dying_cycles.py")


@without_automatic_drain
def test_a_store_and_then_the_death_before_any_drain_are_told_as_one(log):
    globals_ = namespace(X=Value())
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    assert handle.broken == 1
    globals_ = None
    assert handle.broken == 255
    assert log.drained() == [("retired", "frozen")]


def new_function():
    return types.FunctionType((lambda: 1).__code__, {})


KINDS = {
    "dict": dict,
    "function": new_function,
    "code": lambda: new_function.__code__.replace(co_name="dies"),  # of one size: addresses are reused
    "class": lambda: type("Dies", (), {"x": 1}),
}


def watched(log, obj, name):
    recorder = depwatch.Recorder(name)
    recorder.depend_on(obj)
    return log.commit(recorder)


@pytest.mark.parametrize("kind", KINDS)
@without_automatic_drain
def test_an_object_at_the_address_of_a_dead_one_is_another_object_at_once(log, kind):
    make = KINDS[kind]
    gc.collect()
    depwatch.drain()
    reused = 0
    for _ in range(100 if kind != "class" else 3):
        old = make()
        address = id(old)
        first = watched(log, old, "first")
        old = None
        if kind == "class":
            gc.collect()
        others = [make() for _ in range(5)]
        for other in others:
            reused += id(other) == address
            assert dependents(other) == set()
            second = watched(log, other, "second")
            assert (first.retired, second.valid) == (True, True)
            assert dependents(other) == {second.id}
            second.release()
        assert log.drained() == [("retired", "first")]
        first.release()
    assert reused  # or this tests nothing


@pytest.mark.parametrize("kind", KINDS)
@without_automatic_drain
def test_the_id_of_a_dead_object_is_free_only_when_no_edge_names_it(log, kind):
    make = KINDS[kind]
    gc.collect()
    depwatch.drain()
    obj = make()
    number = depwatch.id_of(obj)
    recorder = depwatch.Recorder("r")
    recorder.depend_on(obj)
    obj = None
    gc.collect()
    others = [{} for _ in range(100)]
    assert number not in {depwatch.id_of(other) for other in others}  # the recorder has read it
    with pytest.raises(depwatch.Stale, match="dead"):
        recorder.commit()
    del recorder
    depwatch.drain()
    more = [{} for _ in range(100)]
    assert number in {depwatch.id_of(other) for other in more}


@pytest.mark.parametrize("kind", KINDS)
@without_automatic_drain
def test_what_was_kept_for_a_thousand_dead_objects_is_given_back(log, kind):
    make, number = KINDS[kind], 1000 if kind != "class" else 100
    gc.collect()
    before = depwatch.stats()
    objects = [make() for _ in range(number)]
    handles = [watched(log, obj, str(i)) for i, obj in enumerate(objects)]
    assert depwatch.stats()["objects"] >= before["objects"] + number
    objects.clear()
    gc.collect()
    assert all(handle.retired for handle in handles)
    assert sorted(log.drained()) == sorted(("retired", str(i)) for i in range(number))
    for handle in handles:
        handle.release()
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("objects", "facets", "handles", "dependencies")] == [0, 0, 0, 0]
