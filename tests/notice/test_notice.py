"""Notice: the drain, listeners, callbacks, and what explain() says."""

import functools
import itertools
import re
import threading
import types

import pytest

import depwatch
from depwatch import Change
from support import (
    UNKNOWN,
    Counted,
    freeze,
    freeze_attribute,
    here,
    namespace,
    seen_in,
    store_at_once,
    without_automatic_drain,
)

# --- when it drains --------------------------------------------------------------------------------------------------


def test_the_main_thread_drains_by_itself_soon_after_an_event(log):
    globals_ = namespace(X=1)
    log.commit(freeze(globals_, "X"))
    subscription = depwatch.subscribe(log.event, globals_, "X")
    globals_["X"] = 2
    for _ in range(1000):
        len(log)
    assert sorted(log) == [("MODIFIED", "X", 1, 2), ("invalidated", "frozen")]
    subscription.cancel()


@without_automatic_drain
def test_other_threads_drain_only_when_asked_and_get_everything_then(log):
    globals_ = namespace(X=1)
    log.commit(freeze(globals_, "X"))
    subscription = depwatch.subscribe(log.event, globals_, "X")
    globals_["X"] = 2
    for _ in range(1000):
        len(log)
    assert log == []
    assert depwatch.drain() == 2
    assert sorted(log) == [("MODIFIED", "X", 1, 2), ("invalidated", "frozen")]
    assert depwatch.drain() == 0
    subscription.cancel()


@without_automatic_drain
def test_drain_returns_how_many_listeners_and_callbacks_it_called(log):
    globals_ = namespace(X=1, Y=1)
    assert depwatch.drain() == 0
    subscriptions = [depwatch.subscribe(log.event, globals_, "X") for _ in range(3)]
    log.commit(freeze(globals_, "X"))
    freeze(globals_, "X").commit()  # without callbacks
    globals_["Y"] = 2
    assert depwatch.drain() == 0
    store_at_once(globals_, "X", 2, 3)
    assert depwatch.drain() == 7
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
@pytest.mark.parametrize("settle", [
    depwatch.stats, lambda: depwatch.dependents({}),
    lambda: depwatch.Recorder("r").read_global({"X": 1}, "X"), lambda: freeze({}).commit(),
    lambda: depwatch.explain(freeze({}).commit()),
])  # fmt: skip
def test_calls_that_need_a_settled_state_drain_first(log, settle):
    globals_ = namespace(X=1)
    subscription = depwatch.subscribe(log.event, globals_, "X")
    globals_["X"] = 2
    assert log == []
    settle()
    assert log == [("MODIFIED", "X", 1, 2)]
    subscription.cancel()


# --- listeners -------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_listeners_are_told_in_the_order_of_the_events_and_of_their_subscription():
    globals_ = namespace(X=0, Y=0)
    told = []
    subscriptions = [
        depwatch.subscribe(lambda event, who=who: told.append((who, event.facet, event.new)), globals_, *names)
        for who, names in enumerate(["X", "XY", "Y", "X"])
    ]
    for i in range(1, 4):
        globals_["X"] = i
        globals_["Y"] = -i
    depwatch.drain()
    assert told == [
        entry for i in range(1, 4) for entry in [(0, "X", i), (1, "X", i), (3, "X", i), (1, "Y", -i), (2, "Y", -i)]
    ]
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
def test_a_listener_that_raises_goes_to_the_unraisable_hook_and_the_others_still_run(log, unraisable):
    globals_ = namespace(X=1)

    def fails(event):
        log.append("fails")
        raise LookupError(f"listener of {event.facet}")

    subscriptions = [depwatch.subscribe(each, globals_, "X") for each in (fails, log.event, fails, log.event)]
    globals_["X"] = 2
    assert depwatch.drain() == 4
    event = ("MODIFIED", "X", 1, 2)
    assert log == ["fails", event, "fails", event]
    assert unraisable == [(LookupError, "listener of X")] * 2
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
def test_a_listener_that_raises_again_and_again_is_reported_once_until_it_succeeds(log, unraisable):
    globals_ = namespace(X=0)

    def fails(event):
        if event.new != 3:
            raise LookupError(event.new)

    subscription = depwatch.subscribe(fails, globals_, "X")
    with Counted() as counted:
        for value in range(1, 6):
            globals_["X"] = value
            assert depwatch.drain() == 1
    assert unraisable == [(LookupError, "1"), (LookupError, "4")]
    assert counted("errors_not_reported") == {"errors_not_reported": 2}
    subscription.cancel()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@without_automatic_drain
def test_even_exceptions_that_end_programs_do_not_escape_a_drain(log, unraisable, error):
    globals_ = namespace(X=1)

    def fails(event):
        raise error

    subscriptions = [depwatch.subscribe(each, globals_, "X") for each in (fails, log.event)]
    globals_["X"] = 2
    assert depwatch.drain() == 2
    assert log == [("MODIFIED", "X", 1, 2)]
    assert unraisable == [(error, "")]
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
def test_a_callback_of_a_handle_that_raises_goes_to_the_unraisable_hook(log, unraisable):
    globals_ = namespace(X=1)

    def fails(handle):
        raise LookupError(handle.name)

    freeze(globals_, "X", name="bad").commit(on_invalidate=fails, on_resume=fails, on_retire=fails)
    log.commit(freeze(globals_, "X", name="good"))
    for value in (2, 1):
        globals_["X"] = value
        assert depwatch.drain() == 2
    globals_ = None
    assert depwatch.drain() == 2
    assert log == [("invalidated", "good"), ("resumed", "good"), ("retired", "good")]
    assert unraisable == [(LookupError, "bad")] * 3


@without_automatic_drain
def test_a_listener_may_change_the_very_dict_it_listens_to(log):
    globals_ = namespace(X=0)

    def count_up(event):
        log.event(event)
        if event.new is UNKNOWN or event.new < 5:
            globals_["X"] = globals_.get("X", 0) + 1

    subscription = depwatch.subscribe(count_up, globals_, "X")
    globals_["X"] = 1
    counts = list(itertools.takewhile(bool, (depwatch.drain() for _ in range(100))))
    assert counts == [1, 1, 1, 1, 1]  # what a listener causes is delivered by the next drain
    assert log == [("MODIFIED", "X", i, i + 1) for i in range(5)]
    subscription.cancel()


def test_a_listener_may_change_grow_and_clear_its_dict(log):
    globals_ = namespace(X=0)

    def wild(event):
        log.event(event)
        subscription.cancel()
        globals_.update((str(i), i) for i in range(1000))
        globals_.clear()
        globals_["X"] = "survived"

    subscription = depwatch.subscribe(wild, globals_, "X")
    globals_["X"] = 1
    assert log.drained() == [("MODIFIED", "X", 0, 1)]
    assert globals_ == {"X": "survived"}


@without_automatic_drain
def test_a_listener_may_drain(log):
    globals_ = namespace(X=0, Y=0)
    drained = []

    def drains(event):
        log.event(event)
        if event.facet == "X":
            globals_["Y"] = 1
            drained.append(depwatch.drain())

    subscription = depwatch.subscribe(drains, globals_, "X", "Y")
    globals_["X"] = 1
    assert depwatch.drain() == 1
    assert depwatch.drain() == 0
    assert drained == [1]
    assert log == [("MODIFIED", "X", 0, 1), ("MODIFIED", "Y", 0, 1)]
    subscription.cancel()


@without_automatic_drain
def test_a_cancelled_subscription_is_told_nothing_more_not_even_what_waits(log):
    globals_ = namespace(X=0)
    subscription = depwatch.subscribe(log.event, globals_, "X")
    globals_["X"] = 1
    subscription.cancel()
    subscription.cancel()
    globals_["X"] = 2
    assert depwatch.drain() == 0
    assert log == []


@without_automatic_drain
def test_listeners_may_cancel_themselves_and_each_other_and_subscribe_anew(log):
    globals_ = namespace(X=0)

    def first(event):
        log.append(("first", event.new))
        subscriptions[0].cancel()
        subscriptions[1].cancel()
        subscriptions.append(depwatch.subscribe(lambda event: log.append(("third", event.new)), globals_, "X"))

    subscriptions = [
        depwatch.subscribe(first, globals_, "X"),
        depwatch.subscribe(lambda event: log.append(("second", event.new)), globals_, "X"),
    ]
    store_at_once(globals_, "X", 1)
    depwatch.drain()
    store_at_once(globals_, "X", 2)
    depwatch.drain()
    assert log == [("first", 1), ("third", 2)]
    subscriptions[-1].cancel()


def test_the_same_listener_twice_is_told_twice_and_one_can_be_cancelled(log):
    globals_ = namespace(X=0)
    first, second = (depwatch.subscribe(log.event, globals_, "X") for _ in range(2))
    globals_["X"] = 1
    assert log.drained() == [("MODIFIED", "X", 0, 1)] * 2
    first.cancel()
    globals_["X"] = 2
    assert log.drained() == [("MODIFIED", "X", 1, 2)]
    second.cancel()


def test_a_name_given_twice_to_one_subscription_cancels_cleanly(log):
    globals_ = namespace(X=0)
    subscription = depwatch.subscribe(log.event, globals_, "X", "X")
    globals_["X"] = 1
    assert set(log.drained()) == {("MODIFIED", "X", 0, 1)}
    subscription.cancel()
    globals_["X"] = 2
    assert log.drained() == []


def test_a_subscription_may_be_dropped_and_still_listens(log):
    globals_ = namespace(X=0)
    depwatch.subscribe(log.event, globals_, "X")
    globals_["X"] = 1
    assert log.drained() == [("MODIFIED", "X", 0, 1)]


@pytest.mark.parametrize("kind", ["dict", "function", "type", "code"])
def test_the_death_of_the_object_is_told_and_ends_the_subscription(log, kind):
    if kind == "dict":
        obj, facets = namespace(X=0), ("X",)
    elif kind == "function":
        obj, facets = (lambda: 1), ("existence",)
    elif kind == "type":
        obj, facets = type("T", (), {"x": 1}), ("x",)
    else:
        obj, facets = compile("1", "<code>", "eval"), ("existence",)
    subscription = depwatch.subscribe(log.event, obj, *facets)
    del obj
    if kind == "type":
        import gc

        gc.collect()
    told = log.drained()
    assert told[-1] == ("DESTROYED", facets[0], UNKNOWN, UNKNOWN)
    assert len(told) == 1 or kind == "type"
    subscription.cancel()
    assert log.drained() == []


def test_static_types_never_tell(log):
    subscription = depwatch.subscribe(log.event, int, "real")
    whole = depwatch.subscribe(log.event, int)
    subscription.cancel()
    whole.cancel()
    assert log.drained() == []


def test_a_thread_that_changes_while_another_drains_loses_nothing(log):
    globals_ = namespace(X=0)
    told = []
    subscription = depwatch.subscribe(lambda event: told.append(event.new), globals_, "X")

    def change():
        for i in range(1, 5001):
            globals_["X"] = i

    thread = threading.Thread(target=change)
    thread.start()
    while thread.is_alive():
        depwatch.drain()
    thread.join()
    depwatch.drain()
    assert told == list(range(1, 5001))
    subscription.cancel()


def test_every_kind_of_change_has_a_name():
    names = ["ADDED", "MODIFIED", "DELETED", "CLONED", "CLEARED", "DESTROYED", "CREATED", "MRO", "CLASS"]
    assert sorted(change.name for change in Change) == sorted(names)
    assert len({int(change) for change in Change}) == len(names)
    assert repr(UNKNOWN) == "UNKNOWN"


# --- callbacks of handles --------------------------------------------------------------------------------------------


def test_a_handle_tells_of_its_whole_life(log):
    globals_ = namespace(X=1)
    artifact = object()
    recorder = freeze(globals_, "X", name="life")
    handle = log.commit(recorder, artifact)
    assert (handle.name, handle.artifact, handle.reason) == ("life", artifact, None)
    assert re.fullmatch(r"<Handle \d+ 'life', valid>", repr(handle))
    globals_["X"] = 2
    assert re.fullmatch(r"<Handle \d+ 'life', invalid, 1 broken>", repr(handle))
    assert log.drained() == [("invalidated", "life")]
    globals_["X"] = 1
    assert log.drained() == [("resumed", "life")]
    assert handle.retire("superseded") is True
    assert handle.retire("again") is False
    assert handle.reason == "superseded"
    assert re.fullmatch(r"<Handle \d+ 'life', retired>", repr(handle))
    assert log.drained() == [("retired", "life")]
    globals_["X"] = 2
    assert (handle.broken, log.drained()) == (255, [])
    handle.release()
    assert log.drained() == []
    assert re.fullmatch(r"<Handle \d+ 'life', released>", repr(handle))


@without_automatic_drain
def test_a_released_handle_is_told_nothing(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = 2
    handle.release()
    assert log.drained() == []


def test_a_callback_may_release_retire_and_recompile(log):
    globals_ = namespace(X=1)
    handles = []

    def recompile(handle):
        log.append((handle.name, globals_["X"]))
        handle.release()
        handles.append(freeze(globals_, "X", name=f"for {globals_['X']}").commit(on_invalidate=recompile))

    handles.append(freeze(globals_, "X", name="for 1").commit(on_invalidate=recompile))
    for value in (2, 3, 4):
        globals_["X"] = value
        depwatch.drain()
    assert log == [("for 1", 2), ("for 2", 3), ("for 3", 4)]
    assert [handle.released for handle in handles] == [True, True, True, False]
    assert handles[-1].valid


@pytest.mark.parametrize("name", ["on_invalidate", "on_resume", "on_retire"])
def test_each_callback_may_be_left_out(log, name):
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit(**{name: lambda handle: log.append(handle)})
    for value in (2, 1):
        globals_["X"] = value
        depwatch.drain()
    handle.retire("enough")
    assert log.drained() == [handle]


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_gives_facet_old_and_new_value_and_the_line():
    module = types.ModuleType("prices")
    module.RATE, module.LIMIT, module.SAME = 1.25, "low", 0
    handle = freeze(module, "RATE", "LIMIT", "SAME", name="price").commit()
    assert depwatch.explain(handle).splitlines() == [
        f"handle {handle.id} ('price') is valid: 3 assumptions hold",
        "  global 'LIMIT' of module prices is 'low'",
        "  global 'RATE' of module prices is 1.25",
        "  global 'SAME' of module prices is 0",
    ]
    line = here() + 1
    module.RATE = 1.5
    del module.LIMIT
    told = depwatch.explain(handle)
    first, *lines = told.splitlines()
    assert first == f"handle {handle.id} ('price') is invalid, 2 broken:"
    assert lines.pop() == "  global 'SAME' of module prices is 0"
    rate, limit = sorted(lines, key=lambda line: "LIMIT" in line)
    for part in ("'RATE'", "prices", "1.25 -> 1.5", f"{__file__}:{line}"):
        assert part in rate
    for part in ("'LIMIT'", "prices", "'low'", "deleted", f"{__file__}:{line + 1}"):
        assert part in limit
    module.RATE, module.LIMIT = 1.25, "low"
    assert "is valid: 3 assumptions hold\n" in depwatch.explain(handle)


def test_explain_shortens_values():
    globals_ = namespace(X="a" * 10_000, Y=10**1000, Z=list(range(10_000)))
    handle = freeze(globals_, "X", "Y", "Z").commit()
    kept = dict(globals_)
    globals_.update(X="b" * 10_000, Y=-(10**1000), Z=dict.fromkeys(range(10_000)))
    told = depwatch.explain(handle)
    assert all(len(line) < 500 for line in told.splitlines())
    for part in ("'aaaa", "'bbbb", "int of", "list of 10000", "dict of 10000"):
        assert part in told
    assert kept


class Touchy:
    """Whoever looks at it in words runs this code."""

    calls = []

    def __touched(self, *arguments):
        Touchy.calls.append(arguments)
        raise AssertionError("code of the program ran")

    __repr__ = __str__ = __format__ = __eq__ = __bool__ = __len__ = __touched
    __hash__ = None

    def __getattribute__(self, name):
        Touchy.calls.append(name)
        raise AssertionError("code of the program ran")


class TouchyMeta(type):
    def __repr__(cls):
        Touchy.calls.append("repr of the class")
        return "?"


def test_no_code_of_the_program_runs_to_describe_its_values(log, unraisable):
    class Derived(Touchy, metaclass=TouchyMeta):
        pass

    values = [Touchy(), Derived(), Derived, types.ModuleType("m"), functools.partial(len)]
    globals_ = namespace(**{f"V{i}": value for i, value in enumerate(values)})
    handle = log.commit(freeze(globals_, *(f"V{i}" for i in range(len(values)))))
    subscription = depwatch.subscribe(lambda event: None, globals_)
    for i in range(len(values)):
        globals_[f"V{i}"] = values[i - 1]
    told = depwatch.explain(handle)
    assert Touchy.calls == []
    assert unraisable == []
    assert "Touchy object" in told
    assert "Derived" in told
    subscription.cancel()


def test_explain_of_a_retired_handle_gives_the_reason():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X", name="x").commit()
    handle.retire("the user said so")
    assert depwatch.explain(handle) == f"handle {handle.id} ('x') is retired: the user said so"


def test_explain_names_the_class_and_the_attribute():
    class Shape:
        area = 1

    handle = freeze_attribute(Shape, "area").commit()
    line = here() + 1
    Shape.area = 2
    told = depwatch.explain(handle)
    for part in ("attribute 'area'", "Shape", "1 -> 2", f"{__file__}:{line}"):
        assert part in told


def test_explain_points_to_the_last_break_and_not_to_later_stores():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    globals_["X"] = 2
    depwatch.drain()
    globals_["X"] = 1
    depwatch.drain()
    line = here() + 1
    globals_["X"] = 3
    globals_["X"] = 4
    told = depwatch.explain(handle)
    assert f"{__file__}:{line}" in told
    assert "1 -> 3" in told


def test_a_change_from_c_names_the_line_that_called_it():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    line = here() + 1
    globals_.update([("X", 2)])
    assert f"{__file__}:{line}" in depwatch.explain(handle)


# --- stats -----------------------------------------------------------------------------------------------------------


def test_stats_count_what_is_there_and_what_happened(log):
    before = depwatch.stats()
    assert all(type(name) is str and type(count) is int for name, count in before.items())
    names = {"objects", "facets", "handles", "dependencies", "events", "breaks", "restores"}
    assert names | {"details_queued", "details_dropped"} <= set(before)
    globals_ = namespace(X=1, Y=2)
    function = seen_in(globals_)
    handles = [freeze(function, "X", "Y").commit(), freeze(function, "X").commit()]
    subscription = depwatch.subscribe(log.event, globals_, "Y")
    after = depwatch.stats()
    grown = {name: after[name] - before[name] for name in ("facets", "handles", "dependencies", "events")}
    assert grown["handles"] == 2
    assert grown["dependencies"] == 3
    assert grown["events"] == 0
    globals_["X"] = 2
    globals_["X"] = 1
    last = depwatch.stats()
    assert (last["breaks"] - after["breaks"], last["restores"] - after["restores"]) == (1, 1)
    assert last["events"] - after["events"] == 2
    assert last["details_queued"] - after["details_queued"] in (1, 2)
    for handle in handles:
        handle.release()
    subscription.cancel()
