"""What a handle tells of itself before anything breaks and after: assumptions, breaks, broken facets; and its owner."""

import copy
import gc
import types
import weakref
from array import array

import pytest

import depwatch
from support import freeze, here, namespace, without_automatic_drain


def f(x, y=1):
    return x


def read_all(recorder, names, module, cls):
    recorder.read(names, "X")
    recorder.read(module, "RATE")
    recorder.read(cls, "area", default=None)
    recorder.read(f, "__defaults__")
    recorder.depend_on(names)


@pytest.fixture
def world():
    names, module, cls = {"X": 1}, types.ModuleType("shop"), type("Shape", (), {})
    module.RATE = 1.25
    recorder = depwatch.Recorder("own")
    read_all(recorder, names, module, cls)
    return types.SimpleNamespace(names=names, module=module, cls=cls, recorder=recorder)


def short(assumptions):
    return {(each.name, each.value, each.holds, each.breaks) for each in assumptions}


@without_automatic_drain
def test_a_handle_lists_what_it_relies_on_before_anything_breaks(world):
    handle = world.recorder.commit()
    assert short(handle.assumptions) == {
        ("X", "1", True, 0), ("RATE", "1.25", True, 0), ("area", "(missing)", True, 0),
        ("defaults", "<tuple of 1 item>", True, 0), (None, None, True, 0),
    }  # fmt: skip
    owners = {each.name: each.owner for each in handle.assumptions}
    assert owners["X"] is owners[None] is world.names
    assert (owners["RATE"], owners["area"], owners["defaults"]) == (vars(world.module), world.cls, f)
    texts = {each.name: each.text for each in handle.assumptions}
    assert texts["RATE"] == "'RATE' in module shop"
    assert "owner=<dict of" in repr(handle.assumptions)


@without_automatic_drain
def test_breaks_are_counted_also_where_no_drain_saw_them(world):
    handle = world.recorder.commit()
    assert handle.breaks == 0
    world.module.RATE, world.module.RATE = 2, 1.25
    world.cls.area = 1
    assert handle.breaks == 2
    del world.cls.area
    depwatch.drain()
    assert (handle.breaks, handle.valid) == (2, True)
    counts = {each.name: each.breaks for each in handle.assumptions}
    assert (counts["RATE"], counts["area"], counts["X"]) == (1, 1, 0)


@without_automatic_drain
def test_a_retired_handle_has_no_count_that_one_before_could_equal(world):
    handle = world.recorder.commit()
    world.names["Y"] = 1  # of the whole dict
    assert (handle.breaks, handle.retired) == (-1, True)
    depwatch.drain()
    assert (handle.breaks, handle.assumptions) == (-1, [])


@without_automatic_drain
def test_broken_facets_are_told_as_data_with_the_last_change_of_each(world):
    handle = world.recorder.commit()
    line = here() + 1
    world.module.RATE = 2
    world.cls.area = "x"
    found = {each.name: each for each in handle.broken_facets()}
    assert found == {
        "RATE": depwatch.Break(
            "'RATE' in module shop", vars(world.module), "RATE", depwatch.Change.MODIFIED, "1.25", "2", __file__, line
        ),
        "area": depwatch.Break(
            "attribute 'area' of <class Shape>",
            world.cls,
            "area",
            depwatch.Change.ADDED,
            None,
            "'x'",
            __file__,
            line + 1,
        ),
    }
    world.module.RATE = 1.25
    assert [each.name for each in handle.broken_facets()] == ["area"]


@without_automatic_drain
def test_the_owner_of_an_assumption_that_died_is_none():
    function = types.FunctionType(f.__code__, {})
    recorder = depwatch.Recorder("own")
    recorder.read(function, "__code__")
    handle = recorder.commit()
    del function
    assert [each.owner for each in handle.assumptions] == [None]


@without_automatic_drain
def test_many_handles_have_the_same_methods_as_one(world):
    one = depwatch.Recorder("one")
    read_all(one, world.names, world.module, world.cls)
    one = one.commit()
    many = world.recorder.commit_many(array("Q", [0, 2, 5]), array("I", range(5)))
    assert short(many.assumptions) == short(one.assumptions)
    assert (many.valid, many.check(), many.retired, many.breaks) == (True, True, False, 0)
    explained = depwatch.explain(many).splitlines()
    assert explained[0] == "2 handles ('own') are valid: 5 assumptions hold"
    assert sorted(explained[1:]) == sorted(depwatch.explain(one).splitlines()[1:])
    world.module.RATE = 2
    assert (many.valid, many.check(), many.breaks, many[0].valid, many[1].valid) == (False, False, 1, False, True)
    assert many.broken_facets() == one.broken_facets() == many[0].broken_facets()
    assert many[1].broken_facets() == []
    assert depwatch.explain(many).splitlines()[:2] == [
        "2 handles ('own') are invalid, 1 broken:",
        *depwatch.explain(one).splitlines()[1:2],
    ]
    assert (many.retire("enough"), many.retire("enough"), many.retired) == (True, False, True)
    assert depwatch.explain(many) == "2 handles ('own') are retired"
    many.release()
    many.release()
    assert (many.check(), one.check()) == (False, False)


@without_automatic_drain
def test_one_of_many_that_is_released_by_itself_is_not_asked_any_more(world):
    many = world.recorder.commit_many(array("Q", [0, 2, 5]), array("I", range(5)))
    many[0].release()
    depwatch.drain()
    other = freeze(world.module, "RATE").commit()  # gets its number
    assert {each.name for each in many.assumptions} == {"area", "defaults", None}
    world.module.RATE = 2
    assert (many.check(), many.retired, many.breaks, many.broken_facets()) == (False, False, 0, [])
    assert not other.valid


def test_check_is_cheap_to_hand_out_and_never_raises():
    names = namespace(X=1)
    handle = freeze(names, "X").commit()
    check = handle.check
    assert check() is True
    names["X"] = 2
    assert check() is False
    handle.release()
    assert check() is False


# --- owners ---------------------------------------------------------------------------------------------------------


def make_owner(kind):
    return {"function": lambda: types.FunctionType(f.__code__, {}), "class": lambda: type("C", (), {})}[kind]()


@pytest.mark.parametrize("kind", ["function", "class"])
@without_automatic_drain
def test_a_handle_is_released_when_its_owner_dies(log, kind):
    names = namespace(X=1)
    owner = make_owner(kind)
    handle = log.commit(freeze(names, "X"), owner=owner)
    assert (handle.released, handle.valid) == (False, True)
    del owner
    gc.collect()
    assert handle.released
    depwatch.drain()
    assert (depwatch.dependents(names, "X"), log.drained()) == (depwatch.dependents({}), [])


@without_automatic_drain
def test_many_handles_are_released_when_their_owner_dies():
    names, owner = {"X": 1}, make_owner("function")
    recorder = depwatch.Recorder("many")
    recorder.read(names, "X")
    many = recorder.commit_many(array("Q", [0, 1, 2]), array("I", [0, 0]), owner=owner)
    one = many[1]
    del owner
    assert (many.released, one.released, many.check()) == (True, True, False)


@without_automatic_drain
def test_a_handle_that_was_released_before_leaves_its_owner_alone():
    names, owner = namespace(X=1), make_owner("function")
    handle = freeze(names, "X").commit(owner=owner)
    handle.release()
    assert weakref.getweakrefs(owner) == []
    depwatch.drain()
    other = freeze(names, "X").commit()
    del owner
    assert other.valid


@without_automatic_drain
def test_a_retired_handle_with_an_owner_keeps_nothing_alive():
    class Artifact:
        pass

    artifact, owner = Artifact(), make_owner("function")
    dead = weakref.ref(artifact)
    names = namespace(X=1)
    handle = freeze(names, "X").commit(artifact, owner=owner)
    handle.retire("enough")
    depwatch.drain()
    del handle, artifact
    assert dead() is None
    assert weakref.getweakrefs(owner) == []


def test_an_owner_without_weak_references_is_refused_and_the_recorder_stays_open():
    names = namespace(X=1)
    recorder = freeze(names, "X")
    with pytest.raises(
        TypeError, match=r"the owner is <dict of 0 items>, which can have no weak reference: call release"
    ):
        recorder.commit(owner={})
    assert recorder.commit().valid


def test_the_callback_of_an_owner_that_somebody_else_calls_does_nothing(log):
    owner = make_owner("function")
    names = namespace(X=1)
    handle = log.commit(freeze(names, "X"), owner=owner)
    (reference,) = weakref.getweakrefs(owner)
    callback = reference.__callback__
    callback(None)
    callback(weakref.ref(f))
    assert handle.valid
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.copy(callback)


# --- with -----------------------------------------------------------------------------------------------------------


def test_a_recorder_in_a_with_is_closed_at_its_end_committed_or_not(log):
    names = namespace(X=1)
    with depwatch.Recorder("committed") as recorder:
        recorder.read_global(names, "X")
        handle = log.commit(recorder)
    assert handle.valid
    with pytest.raises(ZeroDivisionError), depwatch.Recorder("failed") as recorder:
        recorder.read_global(names, "X")
        raise ZeroDivisionError
    for use in (recorder.commit, recorder.__enter__):
        with pytest.raises(depwatch.Released):
            use()
    recorder.close()
    assert list(depwatch.dependents(names)) == [handle.id]
