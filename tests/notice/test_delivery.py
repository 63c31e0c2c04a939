"""What a drain delivers: every notice once, to whom it is meant for, whatever happens in between."""

import gc
import types

import depwatch
from support import UNKNOWN, at_once, freeze, namespace, store_at_once, without_automatic_drain

# --- listeners --------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_change_just_before_the_death_of_its_object_is_told_too(log):
    spaces = [namespace(X=1)]
    subscription = depwatch.subscribe(log.event, spaces[0], "X")
    at_once((spaces[0].__setitem__, "X", 2), (spaces.clear,))
    assert log.drained() == [("MODIFIED", "X", 1, 2), ("DESTROYED", "X", UNKNOWN, UNKNOWN)]
    subscription.cancel()


@without_automatic_drain
def test_a_cancelled_subscription_is_not_told_of_the_death_either(log):
    spaces = [namespace(X=1)]
    subscription, other = (depwatch.subscribe(log.event, spaces[0], "X") for _ in range(2))
    at_once((spaces.clear,), (subscription.cancel,))
    assert log.drained() == [("DESTROYED", "X", UNKNOWN, UNKNOWN)]
    other.cancel()
    assert log.drained() == []


@without_automatic_drain
def test_the_death_of_an_object_ends_its_listeners_though_the_queue_is_full(log):
    crowd, spaces = namespace(Z=0), [namespace(X=1)]
    full = depwatch.subscribe(lambda event: None, crowd, "Z")
    subscription = depwatch.subscribe(log.event, spaces[0], "X")
    gc.collect()  # what earlier tests left
    depwatch.drain()
    before = depwatch.stats()
    store_at_once(crowd, "Z", *range(9000))
    spaces.clear()
    depwatch.drain()
    after = depwatch.stats()
    assert after["details_dropped"] > before["details_dropped"]
    assert (before["objects"] - after["objects"], before["facets"] - after["facets"], list(log)) == (1, 1, [])
    subscription.cancel()
    full.cancel()


def test_naming_a_facet_twice_tells_once(log):
    globals_ = namespace(X=1)
    subscription = depwatch.subscribe(log.event, globals_, "X", "X")
    globals_["X"] = 2
    assert log.drained() == [("MODIFIED", "X", 1, 2)]
    subscription.cancel()
    globals_["X"] = 3
    assert log.drained() == []


@without_automatic_drain
def test_a_listener_that_subscribes_anew_while_facets_are_freed_is_told(log):
    """The facet of the first goes in that drain, and the new one may get its number."""
    first, second, made = namespace(X=1), namespace(Y=1), []

    def listener(event):
        subscription.cancel()
        depwatch.drain()
        made.append(depwatch.subscribe(log.event, second, "Y"))

    subscription = depwatch.subscribe(listener, first, "X")
    first["X"] = 2
    depwatch.drain()
    second["Y"] = 2
    assert log.drained() == [("MODIFIED", "Y", 1, 2)]
    made[0].cancel()


# --- callbacks --------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_handle_that_an_earlier_callback_released_is_not_called(log):
    globals_ = namespace(X=1, Y=1)
    released = []
    freeze(globals_, "X").commit(on_invalidate=lambda handle: released[0].release())
    released.append(log.commit(freeze(globals_, "Y")))
    at_once((globals_.__setitem__, "X", 2), (globals_.__setitem__, "Y", 2))
    assert log.drained() == []


@without_automatic_drain
def test_a_drain_that_a_callback_starts_goes_on_with_what_is_due(log):
    globals_ = namespace(X=1, Y=1, Z=1)
    freeze(globals_, "X").commit(on_invalidate=lambda handle: log.append(depwatch.drain()))
    log.commit(freeze(globals_, "Y", name="second"))
    log.commit(freeze(globals_, "Z", name="third"))
    at_once(*((globals_.__setitem__, name, 2) for name in "XYZ"))
    assert depwatch.drain() == 1
    assert log == [("invalidated", "second"), ("invalidated", "third"), 2]


def test_twenty_thousand_notices_that_nobody_waits_for_need_no_stack(log):
    globals_ = namespace(X=1)
    handles = [log.commit(freeze(globals_, "X")) for _ in range(20_000)]

    def listener(event):
        for handle in handles:
            handle.release()

    subscription = depwatch.subscribe(listener, globals_, "X")
    globals_["X"] = 2
    assert log.drained() == []
    subscription.cancel()


# --- nothing of the program's is asked --------------------------------------------------------------------------------


@without_automatic_drain
def test_no_method_of_a_value_or_of_its_class_is_called(log):
    class Asked(type):
        """A metaclass of which every method fails."""

        def fails(cls, *args):
            raise AssertionError("a drain has asked a metaclass")

        __instancecheck__ = __subclasscheck__ = __eq__ = __repr__ = __getattribute__ = __bool__ = fails
        __hash__ = type.__hash__

    class Value(metaclass=Asked):
        def __repr__(self):
            raise AssertionError("a drain has asked a value")

        __hash__ = __eq__ = __str__ = __bool__ = __repr__

    for value in (Value(), Value):
        globals_ = namespace(X=value, Y=1)
        handle = log.commit(freeze(globals_, "X", "Y", unstable_after=1))
        globals_["Y"] = value
        del globals_["X"]
        depwatch.drain()
        assert handle.retired and "broke too often" in handle.reason
        assert log.drained() == [("retired", "frozen")]


@without_automatic_drain
def test_a_key_that_is_like_the_name_of_a_module_is_not_asked(log):
    class Like:
        def __hash__(self):
            return hash("__name__")

        def __eq__(self, other):
            raise AssertionError("a drain has asked a key")

    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_["module"] = types.ModuleType("m")
    dict.__setitem__(globals_, Like(), 1)
    globals_["X"] = 2
    assert ("invalidated", "frozen") in log.drained() or handle.retired
    depwatch.explain(handle)


def test_a_module_that_the_collector_has_cleared_is_told_of_quietly(capfd):
    def cycle():
        main, module = types.ModuleType("main"), types.ModuleType("module")
        module.x, module.main, main.module = 1, main, module
        exec("def f(): return module.x", vars(main))
        recorder = depwatch.Recorder("r")
        recorder.read_global(main.f, "module")
        recorder.read_attr(module, "x")
        recorder.commit()

    def callback(phase, info):
        pass

    gc.callbacks.append(callback)
    try:
        for _ in range(5):
            cycle()
            gc.collect()
    finally:
        gc.callbacks.remove(callback)
    assert capfd.readouterr() == ("", "")
