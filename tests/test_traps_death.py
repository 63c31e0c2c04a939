"""Objects of every kind that die while they are watched: when address and ID may come to mean another object."""

import gc
import types

import pytest

import depwatch
from support import dependents, without_automatic_drain

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often


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
