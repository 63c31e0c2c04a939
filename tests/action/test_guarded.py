"""guarded(): a callable that runs one callable while a handle is valid, and another one otherwise."""

import copy
import gc
import pickle
import weakref

import pytest

import depwatch
from support import freeze, namespace

NAMES = namespace(X=1)


def fast(*args, **kwargs):
    return ("fast", args, kwargs)


def slow(*args, **kwargs):
    return ("slow", args, kwargs)


def made(names, *cells):
    recorder = freeze(names, "X")
    for name in cells:
        recorder.guard_cell(names, name)
    handle = recorder.commit()
    return handle, depwatch.guarded(handle, fast, slow)


def test_the_fast_one_runs_while_the_handle_is_valid():
    names = namespace(X=1)
    handle, guarded = made(names)
    assert (guarded(1, a=2), guarded.active) == (("fast", (1,), {"a": 2}), True)
    names["X"] = 2
    assert (guarded(1, a=2), guarded.active) == (("slow", (1,), {"a": 2}), False)
    names["X"] = 1
    assert guarded() == ("fast", (), {})
    handle.retire("enough")
    assert guarded() == ("slow", (), {})


def test_the_slow_one_runs_while_a_guard_of_a_cell_is_down():
    names = namespace(X=1, Y=1, Z=1)
    handle, guarded = made(names, "Y", "Z")
    for name in "YZ":
        names[name] = 2
        assert (handle.valid, guarded()[0]) == (True, "slow")
        names[name] = 1
        assert guarded()[0] == "fast"


def test_the_guard_of_a_value_cell_is_down_while_its_value_does_not_fit():
    names = namespace(X=1, Y=1.5)
    recorder = freeze(names, "X")
    recorder.value_cell(names, "Y", "f64")
    guarded = depwatch.guarded(recorder.commit(), fast, slow)
    names["Y"] = 2.5
    assert guarded()[0] == "fast"
    names["Y"] = "text"
    assert guarded()[0] == "slow"
    names["Y"] = 3.5
    assert guarded()[0] == "fast"


def test_once_the_handle_is_released_the_slow_one_runs_whoever_gets_its_byte():
    names = namespace(X=1, Y=1)
    handle, guarded = made(names, "Y")
    handle.release()
    assert guarded()[0] == "slow"
    depwatch.drain()
    others = [made(names, "Y") for _ in range(4)]
    assert handle.id in {other.id for other, _ in others}
    assert (guarded()[0], [other()[0] for _, other in others]) == ("slow", ["fast"] * 4)


def test_several_look_at_one_handle_and_one_that_dies_leaves_the_others():
    names = namespace(X=1)
    handle, first = made(names)
    second, third = depwatch.guarded(handle, fast, slow), depwatch.guarded(handle, len, max)
    del second
    assert (first()[0], third([1, 2])) == ("fast", 2)
    handle.release()
    assert (first()[0], third([1, 2])) == ("slow", 2)


def test_it_says_what_it_is():
    handle, guarded = made(NAMES)
    assert (guarded.fast, guarded.slow, guarded.__wrapped__, guarded.handle) == (fast, slow, slow, handle)
    assert repr(guarded) == f"<Guarded of {handle!r}, fast>"
    handle.release()
    assert repr(guarded) == f"<Guarded of {handle!r}, slow>"


def test_in_a_class_it_binds_like_a_function():
    handle, guarded = made(NAMES)
    cls = type("C", (), {"method": guarded, "static": staticmethod(guarded)})
    instance = cls()
    assert instance.method(1) == ("fast", (instance, 1), {})
    assert (cls.method(1), instance.static(1)) == (("fast", (1,), {}),) * 2
    handle.retire("enough")
    assert instance.method(1) == ("slow", (instance, 1), {})


def test_exceptions_come_through():
    handle = made(NAMES)[0]
    guarded = depwatch.guarded(handle, [].pop, fast)
    with pytest.raises(IndexError):
        guarded()


def test_a_recursion_without_end_raises_and_crashes_nothing():
    handle = made(NAMES)[0]
    guarded = depwatch.guarded(handle, lambda: guarded(), fast)
    with pytest.raises(RecursionError):
        guarded()


def test_it_lives_no_longer_than_the_program_has_it():
    class Fast:
        def __call__(self):
            return 1

    handle = made(NAMES)[0]
    one = Fast()
    dead = weakref.ref(one)
    guarded = depwatch.guarded(handle, one, fast)
    one.itself = guarded
    del one, guarded
    gc.collect()
    assert dead() is None
    assert handle.valid


def test_wrong_arguments_are_refused():
    handle = made(NAMES)[0]
    with pytest.raises(TypeError, match="the handle must be a Handle, which"):
        depwatch.guarded(fast, fast, slow)
    for arguments in ((fast, 3), (3, fast)):
        with pytest.raises(TypeError, match="what runs must be callable, not 3"):
            depwatch.guarded(handle, *arguments)
    handle.release()
    with pytest.raises(depwatch.Released):
        depwatch.guarded(handle, fast, slow)


def test_it_cannot_be_made_assigned_copied_or_pickled():
    _, guarded = made(NAMES)
    with pytest.raises(TypeError):
        depwatch.Guarded()
    with pytest.raises((TypeError, AttributeError)):
        guarded.fast = slow
    for ours in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Guarded cannot be copied or pickled"):
            ours(guarded)
