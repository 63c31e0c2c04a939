"""read(owner, name), look(owner, name) and facts: one meaning of (owner, name) everywhere."""

import copy
import pickle
import types

import pytest

import depwatch
from support import at_once, freeze, here, namespace, without_automatic_drain

NAMES = namespace(RATE=2, __name__="shop")


def price(x, factor=3):
    return x * RATE * factor  # noqa: F821


price = types.FunctionType(price.__code__, NAMES, "price", (3,))


class Shape:
    sides = 4


def owners():
    """(owner, name, value, another value, how to store one)"""
    names = namespace(RATE=2)
    function = types.FunctionType(price.__code__, names, "price", (3,))
    module, cls, item, fact = types.ModuleType("m"), type("Shape", (), {"sides": 4}), {"k": 1}, depwatch.Fact(1, "fact")
    module.RATE = 5
    return {
        "a global": (function, "RATE", 2, 3, lambda value: names.update(RATE=value)),
        "an attribute of a module": (module, "RATE", 5, 6, lambda value: setattr(module, "RATE", value)),
        "an attribute of a class": (cls, "sides", 4, 5, lambda value: setattr(cls, "sides", value)),
        "a part": (function, "__defaults__", (3,), (4,), lambda value: setattr(function, "__defaults__", value)),
        "an item": (item, "k", 1, 2, lambda value: item.update(k=value)),
        "a fact": (fact, None, 1, 2, fact.set),
    }


KINDS = list(owners())
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@without_automatic_drain
def test_a_read_gives_the_value_and_relies_on_it(log, kind):
    owner, name, value, other, store = owners()[kind]
    recorder = depwatch.Recorder("own")
    assert recorder.read(owner, name) == value
    handle = log.commit(recorder)
    store(other)
    assert (handle.broken, log.drained()) == (1, [("invalidated", "own")])


@each_kind
@without_automatic_drain
def test_reads_cells_listeners_and_questions_mean_the_same(log, kind):
    owner, name, value, other, store = owners()[kind]
    names = () if name is None else (name,)
    recorder = depwatch.Recorder("own")
    recorder.read(owner, name)
    guard = None if kind == "a part" else recorder.guard_cell(owner, name)
    cell = None if kind == "a part" else recorder.value_cell(owner, name, "object")
    handle = log.commit(recorder)
    told = []
    subscription = depwatch.subscribe(told.append, owner, *names)
    assert list(depwatch.dependents(owner, *names)) == [handle.id]
    store(other)
    depwatch.drain()
    assert [(event.old, event.new) for event in told] == [(value, other)]
    if guard is not None:
        assert (guard.holds, guard.value, cell.value) == (False, value, other)
    depwatch.forget_breaks(owner, *names)
    assert depwatch.look(owner, name) == other
    subscription.cancel()
    log.drained()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a part"])
@without_automatic_drain
def test_a_look_relies_on_nothing_and_gives_also_what_is_unstable(log, kind):
    owner, name, value, other, store = owners()[kind]
    recorder = depwatch.Recorder("own", 1)
    recorder.read(owner, name)
    handle = log.commit(recorder)
    store(other)
    depwatch.drain()
    assert handle.retired
    with pytest.raises(depwatch.Unstable):
        depwatch.Recorder("again", 1).read(owner, name)
    before = depwatch.stats()["dependencies"]
    assert depwatch.look(owner, name) == other
    store(value)
    assert depwatch.look(owner, name) == value
    assert depwatch.stats()["dependencies"] == before
    log.drained()


@without_automatic_drain
def test_a_look_takes_nothing_from_handles_that_wait_for_another_value(log):
    names = namespace(X=1)
    handle = log.commit(freeze(names, "X"))
    names["X"] = 2
    assert depwatch.look(names, "X") == 2
    names["X"] = 1
    assert handle.valid
    assert log.drained() == [("invalidated", "frozen"), ("resumed", "frozen")]


def test_what_a_look_does_not_find_raises_as_a_read_or_is_the_default():
    module = types.ModuleType("m")
    for owner, error in ((price, NameError), ({}, KeyError), (module, AttributeError), (Shape, AttributeError)):
        with pytest.raises(error):
            depwatch.look(owner, "absent")
        assert depwatch.look(owner, "absent", default=None) is None
    module.__getattr__ = lambda name: 42
    with pytest.raises(depwatch.Unwatchable, match="__getattr__"):
        depwatch.look(module, "absent", default=None)
    with pytest.raises(depwatch.Unwatchable, match="instance attribute"):
        depwatch.look(Shape(), "sides")
    assert (depwatch.look(int, "real"), depwatch.look(price, "__code__")) == (int.real, price.__code__)


def test_a_global_with_the_name_of_a_part_is_a_global():
    function = types.FunctionType((lambda: code).__code__, namespace(code="mine"))  # noqa: F821
    recorder = depwatch.Recorder("own")
    assert recorder.read(function, "code") == "mine"
    assert recorder.read(function, "__code__") is function.__code__
    assert recorder.read(types.FunctionType(price.__code__, namespace()), "defaults", default=None) is None
    for ask in (depwatch.dependents, depwatch.forget_breaks, lambda *of: depwatch.subscribe(print, *of)):
        with pytest.raises(ValueError, match=r"'code' of <function .*> may be .*: pass __code__ for the part"):
            ask(function, "code")
        ask(function, "__code__")
    recorder.close()


def test_what_cannot_be_a_name_or_an_owner_is_refused_with_the_reason():
    recorder = depwatch.Recorder("own")
    with pytest.raises(TypeError, match="a name must be a str, not 3"):
        recorder.read(price, 3)
    with pytest.raises(TypeError, match="a name must be a str, not None"):
        recorder.read(price)
    with pytest.raises(depwatch.Unwatchable, match="instance attribute"):
        recorder.read(Shape(), "sides")
    with pytest.raises(depwatch.Unwatchable, match="closure cell"):
        recorder.read(closing_over(1), "value")
    with pytest.raises(depwatch.Unwatchable, match="'closure' of"):
        recorder.read(price, "__closure__")
    with pytest.raises(depwatch.Unwatchable, match="no cell follows a part of a function"):
        recorder.guard_cell(price, "__code__")
    with pytest.raises(TypeError, match="a Fact has no names: leave out 'x'"):
        recorder.read(depwatch.Fact(1), "x")
    assert recorder.reads == 0


def closing_over(value):
    def function():
        return value

    return function


# --- facts ----------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_fact_that_is_set_back_heals(log):
    limit = depwatch.Fact(10, "limit")
    recorder = depwatch.Recorder("own")
    assert recorder.read(limit) == 10
    handle = log.commit(recorder)
    limit.set(10)
    assert handle.valid
    line = here() + 1
    limit.set(20)
    assert (limit.value, handle.broken) == (20, 1)
    assert f"'value' in the fact limit: 10 -> 20, changed at {__file__}:{line}" in depwatch.explain(handle)
    limit.set(10)
    depwatch.drain()
    assert handle.valid
    assert log.drained() == [("invalidated", "own"), ("resumed", "own")]


@without_automatic_drain
def test_a_fact_retires_what_rests_on_it(log):
    contents = depwatch.Fact(object(), "contents")
    recorder = depwatch.Recorder("own")
    recorder.read(contents)
    handle, other = log.commit(recorder), log.commit(freeze(NAMES, "RATE"))
    assert list(depwatch.invalidate([contents], "the array was written")) == [handle.id]
    assert (handle.retired, handle.reason, other.retired) == (True, "the array was written", False)
    assert log.drained() == [("retired", "own")]


@without_automatic_drain
def test_a_whole_fact_can_be_relied_on(log):
    fact = depwatch.Fact(1)
    recorder = depwatch.Recorder("own")
    recorder.depend_on(fact)
    handle = log.commit(recorder)
    fact.set(2)
    assert (handle.retired, log.drained()) == (True, [("retired", "own")])


@without_automatic_drain
def test_a_fact_that_dies_retires(log):
    fact = depwatch.Fact(1)
    recorder = depwatch.Recorder("own")
    recorder.read(fact)
    handle = log.commit(recorder)
    number = depwatch.id_of(fact)
    assert type(number) is int
    del fact
    assert (handle.retired, log.drained()) == (True, [("retired", "own")])


def test_a_fact_is_what_it_is():
    fact = depwatch.Fact([1], name="queue")
    assert (fact.name, fact.value, repr(fact)) == ("queue", [1], "<Fact 'queue', <list of 1 item>>")
    assert fact != depwatch.Fact([1], name="queue")
    with pytest.raises(TypeError, match="the name of a Fact must be a str, not 3"):
        depwatch.Fact(1, 3)
    for ours in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Fact cannot be copied or pickled"):
            ours(fact)
    with pytest.raises(TypeError, match="'value' of a Fact is depwatch's"):
        fact.value = 3
    with pytest.raises(TypeError):
        type("Sub", (depwatch.Fact,), {})


def test_values_of_a_fact_live_as_long_as_they_would(log):
    class Value:
        pass

    died = []

    class Dies(Value):
        def __del__(self):
            died.append("now")

    fact = depwatch.Fact(Dies())
    recorder = depwatch.Recorder("own")
    recorder.read(fact)
    handle = recorder.commit()
    at_once(
        (fact.set, 1),
    )
    assert (died, handle.valid) == (["now"], False)
    log.drained()
