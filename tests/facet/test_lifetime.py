"""Lifetime: nothing of the program is kept alive."""

import gc
import types
import weakref

import pytest

import depwatch
from support import UNKNOWN, freeze, freeze_attribute, is_dead, namespace, without_automatic_drain

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often


class Value:
    """Can be referred to weakly."""


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
    assert "the program no longer has the old value" in handle.reason
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
