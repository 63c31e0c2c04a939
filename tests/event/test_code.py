"""Closures: one code object serves them all, and those that come and go cost nothing."""

import gc

import pytest

import depwatch
from support import UNKNOWN, Counted, dependents, here, without_automatic_drain


def adder(n):
    def add(x):
        return x + n

    return add


def multiplier(n):
    def multiply(x):
        return x * n

    return multiply


def on_code(log, code, name="r"):
    recorder = depwatch.Recorder(name)
    recorder.depend_on(code)
    return log.commit(recorder)


def fresh():
    """A maker of closures whose code objects are nobody else's."""
    names = {}
    exec("def make(n):\n    def add(x):\n        return x + n\n    return add", names)
    return names.pop("make")


# --- one code object, many closures ----------------------------------------------------------------------------------


@without_automatic_drain
def test_code_serves_all_closures_made_of_it_while_they_come_and_go_and_change(log):
    first = adder(1)
    gc.collect()  # what earlier tests left must not be counted
    with Counted() as counted:
        handle = on_code(log, first.__code__)
        assert counted("objects", "facets", "handles", "dependencies") == {
            "objects": 1, "facets": 1, "handles": 1, "dependencies": 1,
        }  # fmt: skip
        started = dict(counted())
        closures = [adder(n) for n in range(100)]
        assert {closure.__code__ for closure in closures} == {first.__code__}
        first.__code__ = multiplier(1).__code__
        closures[0].__defaults__ = (5,)
        closures[1].__kwdefaults__ = {"x": 5}
        closures[2].__closure__[0].cell_contents = 7
        del closures, first
        gc.collect()
        assert counted() == started
    assert (handle.valid, log.drained()) == (True, [])
    assert dependents(adder(1).__code__) == {handle.id}


@without_automatic_drain
def test_code_serves_its_closures_until_it_dies(log):
    make = fresh()
    closures = [make(n) for n in range(3)]
    handle = on_code(log, closures[0].__code__)
    number = depwatch.id_of(closures[0].__code__)
    del make
    for _ in range(2):
        closures.pop()
        assert (handle.valid, log.drained()) == (True, [])
    line = here() + 1
    closures[0].__code__ = multiplier(1).__code__  # the last closure lets go of it
    assert handle.retired
    assert log.drained() == [("retired", "r")]
    assert handle.reason == f"anything in object {number}, which is dead died: died at {__file__}:{line}"


@without_automatic_drain
def test_code_and_one_of_its_closures_are_apart(log):
    make = fresh()
    first, second = make(1), make(2)
    shared = on_code(log, first.__code__, "shared")
    recorder = depwatch.Recorder("first")
    recorder.read_function(first, "code")
    own = log.commit(recorder)
    old = first.__code__
    first.__code__ = multiplier(1).__code__
    assert (shared.valid, own.valid) == (True, False)
    assert log.drained() == [("invalidated", "first")]
    first.__code__ = old
    assert log.drained() == [("resumed", "first")]
    del first
    assert (shared.valid, own.retired) == (True, True)
    assert log.drained() == [("retired", "first")]
    assert second(1) == 3


@without_automatic_drain
def test_replacing_code_makes_another_code_object_and_changes_none(log):
    closure = adder(1)
    handle = on_code(log, closure.__code__)
    replaced = closure.__code__.replace(co_name="renamed")
    assert replaced is not closure.__code__
    assert dependents(replaced) == set()
    del replaced
    for change in ("co_name", "co_consts", "co_code"):
        with pytest.raises(AttributeError):
            setattr(closure.__code__, change, None)
    assert (handle.valid, log.drained()) == (True, [])


# --- short-lived functions -------------------------------------------------------------------------------------------


def short_lived(n):
    """Make and drop functions of every kind."""
    total = 0
    for i in range(n):
        total += (lambda x: x + i)(1)
        total += sum(x for x in (1, 2))
        total += sum([x + i for x in (1, 2)]) + len({x + i for x in (1, 2)}) + len({x: x + i for x in (1, 2)})
        total += adder(i)(1)

        class Local:
            def method(self):
                return 1

        total += Local().method() + len(list(filter(lambda x: x, (1,)))) + sorted((2, 1), key=lambda x: -x)[0]
        exec("def f(): pass\nf()", {})
    return total


@pytest.mark.parametrize("watching", [
    pytest.param("nothing", marks=pytest.mark.slow), "functions", "a dying function",
    pytest.param("code", marks=pytest.mark.slow), "creation of another code",
    pytest.param("many functions", marks=pytest.mark.slow),
])  # fmt: skip
@without_automatic_drain
def test_short_lived_functions_cost_no_event_and_no_place_in_the_queue(log, watching):
    def function():
        return 1

    kept = [lambda: i for i in range(100)]
    code = compile("lambda: 1", "<another>", "eval")
    recorder = depwatch.Recorder("r")
    subscriptions = []
    if watching == "functions":
        recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
        subscriptions.append(depwatch.subscribe(log.event, function))
    elif watching == "a dying function":
        recorder.read_function(lambda: 1, "existence")
    elif watching == "code":
        recorder.depend_on(code)
        recorder.depend_on(function.__code__)
    elif watching == "creation of another code":
        subscriptions.append(depwatch.subscribe_created(log.event, code))
    elif watching == "many functions":
        for each in kept:
            recorder.read_function(each, "code", "existence")
    if watching == "a dying function":
        with pytest.raises(depwatch.Stale):
            recorder.commit()
    else:
        handle = log.commit(recorder)
    short_lived(1)  # classes leave cycles: they are collected before it counts
    gc.collect()
    depwatch.drain()
    with Counted() as counted:
        short_lived(50)
        gc.collect()
        assert counted() == {}
    assert log.drained() == []
    assert watching == "a dying function" or handle.valid
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
def test_of_short_lived_closures_only_those_of_the_code_that_is_asked_about_are_told(log):
    code = adder(1).__code__
    subscription = depwatch.subscribe_created(log.event, code)
    kept = []
    with Counted() as counted:
        for i in range(20):
            (lambda: i)()
            multiplier(i)
            kept.append(adder(i))
        assert counted("details_queued", "details_dropped", "breaks") == {
            "details_queued": 20, "details_dropped": 0, "breaks": 0,
        }  # fmt: skip
    created = log.drained()
    assert [entry[:3] for entry in created] == [("CREATED", "created", UNKNOWN)] * 20
    assert [new for *_, new in created] == kept
    subscription.cancel()
    with Counted() as counted:
        adder(1)
    assert counted() == {}
