"""Names that come and go: what is remembered of one goes with it, when nobody relies on it any more."""

import types

import pytest

import depwatch
from support import freeze, freeze_attribute, namespace


def dict_place():
    space = namespace()
    return space.__setitem__, space.__delitem__, lambda name: freeze(space, name)


def class_place():
    owner = type("Owner", (), {})
    return (
        lambda name, value: setattr(owner, name, value),
        lambda name: delattr(owner, name),
        lambda name: freeze_attribute(owner, name),
    )


def module_place():
    module = types.ModuleType("module")

    def read(name):
        recorder = depwatch.Recorder("r")
        recorder.read_attr(module, name)
        return recorder

    return (
        lambda name, value: setattr(module, name, value),
        lambda name: delattr(module, name),
        read,
    )


@pytest.mark.parametrize("place", [dict_place, class_place, module_place])
@pytest.mark.parametrize("first", ["release", "delete"])
def test_a_place_whose_names_come_and_go_does_not_grow(place, first):
    store, delete, read = place()
    store("stays", 1)
    stays = read("stays").commit()
    depwatch.drain()
    before = depwatch.stats()
    for i in range(100):
        name = f"name{i}"
        store(name, 1)
        handle = read(name).commit()
        store(name, 2)
        depwatch.drain()  # it broke: remembered while the name is there
        for step in (handle.release, lambda name=name: delete(name))[:: 1 if first == "release" else -1]:
            step()
            depwatch.drain()
    after = depwatch.stats()
    assert {name: after[name] - before[name] for name in ("facets", "objects", "dependencies")} == {
        "facets": 0, "objects": 0, "dependencies": 0,
    }  # fmt: skip
    assert stays.valid


def test_a_name_that_breaks_and_stays_is_remembered():
    space = namespace(X=0)
    for i in range(1, 7):
        freeze(space, "X").commit().release()
        handle = freeze(space, "X").commit()
        space["X"] = i
        depwatch.drain()
        handle.release()
        depwatch.drain()
    with pytest.raises(depwatch.Unstable):
        freeze(space, "X")


def test_a_name_that_goes_to_and_fro_under_a_handle_is_remembered():
    space = namespace(X=0)
    handle = freeze(space, "X").commit()
    for _ in range(6):
        del space["X"]
        depwatch.drain()
        space["X"] = 0
        depwatch.drain()
    assert handle.retired
    with pytest.raises(depwatch.Unstable):
        freeze(space, "X")
