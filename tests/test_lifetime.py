"""Lifetime: nothing of the program is kept alive, what dies takes its dependents along, addresses are reused."""

import array
import gc
import types
import weakref

import pytest

import depwatch
from support import UNKNOWN, dependents, freeze, freeze_attribute, namespace, python, without_automatic_drain

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often


class Value:
    """Can be referred to weakly."""


def is_dead(reference):
    if reference() is None:
        return True
    gc.collect()
    return reference() is None


# --- nothing is kept alive -------------------------------------------------------------------------------------------


def test_a_class_with_super_methods_dies_and_takes_its_handle_with_it(log):
    class Base:
        def method(self):
            return 1

    class Derived(Base):
        def method(self):
            return super().method() + 1

    recorder = freeze_attribute(Derived, "method", name="class")
    recorder.depend_on(Derived)
    recorder.read_function(Derived.method, "code", "existence")
    recorder.value_cell(Derived, "method", "object")
    recorder.guard_cell(Base, "method")
    handle = log.commit(recorder)
    depwatch.id_of(Derived)
    depwatch.subscribe(lambda event: None, Derived, "method")
    references = [weakref.ref(Derived), weakref.ref(Derived.method), weakref.ref(Base)]
    del Derived, Base, recorder
    assert all(map(is_dead, references))
    assert handle.retired
    assert log.drained() == [("retired", "class")]


def test_a_namespace_with_everything_in_it_dies_and_takes_its_handle_with_it(log):
    module = types.ModuleType("module")
    exec("VALUE = 1\ndef function(a=[]): return VALUE\nclass Type:\n    def f(self): return super()", vars(module))
    recorder = freeze(module.function, "VALUE", "function", "Type", "len", name="namespace")
    recorder.read_attr(module, "VALUE")
    recorder.read_function(module.function, "code", "defaults")
    recorder.read_type_attr(module.Type, "f")
    recorder.value_cell(module, "VALUE", "i64")
    handle = log.commit(recorder)
    references = [weakref.ref(each) for each in (module, module.function, module.Type)]
    del module, recorder
    assert all(map(is_dead, references))
    assert handle.retired
    assert log.drained() == [("retired", "namespace")]
    assert "died" in handle.reason


@without_automatic_drain
def test_a_value_that_is_replaced_dies_in_that_store(log):
    globals_ = namespace(X=Value(), Y=[Value()])
    references = [weakref.ref(globals_["X"]), weakref.ref(globals_["Y"][0])]
    handle = log.commit(freeze(globals_, "X", "Y"))
    globals_["X"] = globals_["Y"] = None
    assert [reference() for reference in references] == [None, None]
    assert not handle.valid
    depwatch.drain()
    assert not handle.valid


@without_automatic_drain
def test_a_value_that_nobody_has_any_more_can_never_come_back_and_its_handle_retires(log):
    value = Value()
    globals_ = namespace(X=value, Y=0)
    handle = log.commit(freeze(globals_, "X"))
    subscription = depwatch.subscribe(lambda event: None, globals_, "Y")
    globals_["X"] = None
    depwatch.drain()
    del value
    for i in range(5):
        depwatch.drain()
        globals_["Y"] = i
    assert log.drained() == [("invalidated", "frozen"), ("retired", "frozen")]
    assert handle.retired
    assert "nobody has the old value" in handle.reason
    subscription.cancel()


@without_automatic_drain
def test_a_value_that_somebody_still_has_can_come_back_at_any_time(log):
    value = Value()
    globals_ = namespace(X=value)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    for _ in range(100):
        depwatch.drain()
        globals_["Y"] = object()
    globals_["X"] = value
    assert handle.valid
    assert log.drained() == [("invalidated", "frozen"), ("resumed", "frozen")]


def test_a_value_that_comes_back_is_not_kept_alive_either(log):
    value = Value()
    reference = weakref.ref(value)
    globals_ = namespace(X=value)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    depwatch.drain()
    globals_["X"] = value
    depwatch.drain()
    assert handle.valid
    log.clear()
    del value
    globals_["X"] = None
    depwatch.drain()
    depwatch.drain()
    assert is_dead(reference)


@without_automatic_drain
def test_the_values_of_a_dict_that_is_cleared_die_at_once(log):
    globals_ = namespace(X=Value(), Y=Value())
    references = [weakref.ref(globals_["X"]), weakref.ref(globals_["Y"])]
    log.commit(freeze(globals_, "X", "Y"))
    globals_.clear()
    assert [reference() for reference in references] == [None, None]


@without_automatic_drain
def test_values_in_events_live_until_they_are_delivered_and_no_longer(log):
    """But for the store that drops the last reference: see tests/action/test_kept_values.py."""
    seen, held = [], Value()
    globals_ = namespace(X=held)
    reference = weakref.ref(held)
    subscription = depwatch.subscribe(lambda event: seen.append(event.old), globals_, "X")
    globals_["X"] = None
    del held
    gc.collect()
    assert reference() is not None
    depwatch.drain()
    assert seen == [reference()]
    seen.clear()
    assert is_dead(reference)
    subscription.cancel()


def test_a_listener_and_its_subscription_die_after_cancel(log):
    def listener(event):
        pass

    reference = weakref.ref(listener)
    globals_ = namespace(X=1)
    subscription = depwatch.subscribe(listener, globals_, "X")
    del listener
    assert reference() is not None
    subscription.cancel()
    del subscription
    assert is_dead(reference)


def test_handle_artifact_and_callbacks_die_when_the_handle_is_released(log):
    artifact = Value()
    reference = weakref.ref(artifact)
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit(artifact, on_invalidate=lambda handle, kept=artifact: None)
    del artifact
    assert reference() is not None
    handle.release()
    del handle
    depwatch.drain()
    assert is_dead(reference)


def test_a_dropped_handle_goes_on_working_until_its_assumptions_end(log):
    globals_ = namespace(X=1)
    log.commit(freeze(globals_, "X"))
    gc.collect()
    for value, told in [(2, "invalidated"), (1, "resumed")]:
        globals_["X"] = value
        assert log.drained() == [(told, "frozen")]
    before = depwatch.stats()["handles"]
    globals_ = None
    assert log.drained() == [("retired", "frozen")]
    assert depwatch.stats()["handles"] == before - 1


def test_a_dropped_recorder_with_cells_leaves_nothing():
    before = depwatch.stats()
    globals_ = namespace(X=1.5)
    recorder = freeze(globals_, "X")
    recorder.value_cell(globals_, "X", "f64")
    recorder.guard_cell(globals_, "X")
    del recorder
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("objects", "facets")] == [0, 0]


def test_a_destructor_that_runs_in_the_drain_may_do_anything(log):
    class Meddler:
        def __del__(self):
            globals_["X"] = "from a destructor"
            depwatch.drain()
            log.append("destroyed")

    globals_ = namespace(X=Meddler(), Y=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    depwatch.drain()
    depwatch.drain()
    gc.collect()
    assert "destroyed" in log
    assert not handle.valid
    assert globals_["X"] == "from a destructor"


# --- death -----------------------------------------------------------------------------------------------------------


def test_the_death_of_a_dict_retires_in_the_callback_and_its_facets_are_gone_after_the_drain(log):
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
def test_an_address_that_is_reused_before_the_drain_is_another_object(log):
    for _ in range(50):
        globals_ = namespace(X="old")
        address = id(globals_)
        old = log.commit(freeze(globals_, "X", name="old"))
        number = depwatch.id_of(globals_)
        globals_ = None
        others = [namespace(X="new") for _ in range(5)]
        for other in others:
            new = log.commit(freeze(other, "X", name="new"))
            if id(other) == address:
                assert depwatch.id_of(other) != number or old.retired
            assert (old.retired, new.valid) == (True, True)
            assert dependents(other, "X") == {new.id}
            new.release()
        depwatch.drain()
        assert set(log) == {("retired", "old")}
        log.clear()


@without_automatic_drain
def test_an_object_id_is_reused_only_after_every_edge_that_named_it_is_gone(log):
    globals_ = namespace(X=1)
    number = depwatch.id_of(globals_)
    recorder = freeze(globals_, "X")
    globals_ = None
    others = [{} for _ in range(100)]
    assert number not in [depwatch.id_of(other) for other in others]
    with pytest.raises(depwatch.Stale):
        recorder.commit()
    del recorder
    depwatch.drain()
    more = [{} for _ in range(100)]
    assert number in [depwatch.id_of(other) for other in more]


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


def test_a_class_at_the_address_of_a_dead_one_is_another_class(log):
    numbers = []
    for i in range(8):
        Type = type(f"T{i}", (), {"x": i})
        handle = log.commit(freeze_attribute(Type, "x", name=str(i)))
        assert (handle.valid, dependents(Type, "x")) == (True, {handle.id})
        numbers.append(id(Type))
        del Type
        gc.collect()
        assert log.drained() == [("retired", str(i))]
        assert handle.retired
    assert len(set(numbers)) < 8  # or this tests nothing


def test_a_function_at_the_address_of_a_dead_one_is_another_function(log):
    addresses = set()
    for i in range(100):
        function = lambda i=i: i
        addresses.add(id(function))
        recorder = depwatch.Recorder(str(i))
        recorder.read_function(function, "defaults", "existence")
        handle = log.commit(recorder)
        assert handle.valid
        del function
        assert log.drained() == [("retired", str(i))]
    assert len(addresses) < 100


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


def test_what_a_recorder_read_may_die_before_it_is_dropped(log):
    recorder = depwatch.Recorder("r")
    recorder.read_global(namespace(X=1), "X")
    recorder.value_cell(namespace(X=1), "X", "i64")
    recorder.guard_cell(namespace(X=1), "X")
    recorder.read_type_attr(type("T", (), {"x": 1}), "x")
    gc.collect()
    depwatch.drain()
    del recorder
    assert log.drained() == []


def test_a_subscription_whose_object_died_can_still_be_cancelled(log):
    globals_ = namespace(X=1, Y=1)
    subscription = depwatch.subscribe(log.event, globals_, "X", "Y")
    globals_ = None
    assert sorted(log.drained()) == [("DESTROYED", "X", UNKNOWN, UNKNOWN), ("DESTROYED", "Y", UNKNOWN, UNKNOWN)]
    subscription.cancel()


def test_gc_while_events_come_in_keeps_everything_right():
    python("""
        import gc, depwatch
        gc.set_threshold(1)
        class Cycle:
            def __init__(self):
                self.me = self
                self.globals = {"X": self}
        for i in range(300):
            cycle = Cycle()
            recorder = depwatch.Recorder("r")
            recorder.read_global(cycle.globals, "X")
            handle = recorder.commit()
            assert handle.valid
            cycle.globals["X"] = i
            assert not handle.valid
            del cycle
        gc.collect()
        depwatch.drain()
        del handle
        assert depwatch.stats()["handles"] == 0, depwatch.stats()
        """)


@without_automatic_drain
def test_a_store_and_then_the_death_before_any_drain_are_told_as_one(log):
    globals_ = namespace(X=Value())
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    assert handle.broken == 1
    globals_ = None
    assert handle.broken == 255
    assert log.drained() == [("retired", "frozen")]
