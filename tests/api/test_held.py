"""What is held: found wherever the garbage collector, or one of its objects, refers to it."""

import gc

import pytest

from depwatch import _core


class Found:
    """What is looked for."""


class Other(Found):
    """Not asked for."""


@pytest.fixture
def held():
    return [(1, [Found()]), {"a": Found()}, Other()]


def test_objects_of_exactly_the_types_that_are_asked_for_are_found_once(held):
    held.append(held[1]["a"])
    found = _core.held([Found], [], True)
    assert sorted(map(id, found)) == sorted([id(held[0][1][0]), id(held[1]["a"])])


def test_roots_are_looked_at_with_what_they_refer_to(held):
    assert _core.held([Found], held[1:], False) == [held[1]["a"]]
    assert _core.held([Other], [held, held[2]], False) == [held[2]]


def test_what_the_collector_has_forgotten_is_looked_into():
    first, second = complex(1, 2), complex(3, 4)
    keeps = [(first, (second,))]
    gc.collect(), gc.collect()  # it forgets tuples that hold no container, from the inside
    assert {id(first), id(second)} <= set(map(id, _core.held([complex], [], True)))
    assert keeps == [(first, (second,))]


def test_what_gc_freeze_has_put_aside_is_found_where_references_lead_to_it(held):
    gc.freeze()
    try:
        found = _core.held([Found], [held], True)
    finally:
        gc.unfreeze()
    assert {id(held[0][1][0]), id(held[1]["a"])} <= set(map(id, found))


@pytest.mark.parametrize("root", [type(int | str), int, 5, "a", None, gc, Found, len])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_root_may_be_any_object_also_one_that_refers_to_nothing(held, root, frozen):
    if frozen:
        gc.freeze()
    try:
        found = _core.held([Other], [root, held], False)
    finally:
        gc.unfreeze()
    assert found == [held[2]]


def test_lists_are_asked_for():
    with pytest.raises(TypeError, match="list"):
        _core.held((Found,), [], True)
