"""A value that moves, taken away from where it was and found again behind it, breaks at once and holds at the drain.

Until the drain has looked, depwatch is registered along the old way only. So here nothing drains but what is said.
"""

import gc
import operator

import pytest

import depwatch
from claims import Claims
from support import UNKNOWN, Counted, at_once, freeze, freeze_attribute, namespace, without_automatic_drain

VALUE = object()


def family():
    """Root has x. Left, Right and Other are its subclasses, and C is one of Left; all but C have others too."""
    Root = type("Root", (), {"x": VALUE})
    Left, Right, Other = (type(name, (Root,), {}) for name in ("Left", "Right", "Other"))
    siblings = [type("Sibling", (base,), {}) for base in (Left, Right, Other)]
    C = type("C", (Left,), {"siblings": siblings})
    return Root, Left, Right, Other, C


class WithX:
    x = "another"


class Sibling(WithX):
    pass


MOVES = {
    "by new bases": lambda Right, C: setattr(C, "__bases__", (Right,)),
    "by a removal in front": lambda Right, C: delattr(C, "x"),
    "by both": lambda Right, C: (delattr(C, "x"), setattr(C, "__bases__", (Right,))),
}


@pytest.fixture(params=MOVES)
def moving(request, log):
    """(family, claims, a claim of C.x, which has just moved)."""
    classes = family()
    C = classes[-1]
    if request.param != "by new bases":
        C.x = VALUE
    claims = Claims(log)

    def move():
        claim = claims.of_attribute(C, "x")
        MOVES[request.param](classes[2], C)
        assert claim.truth() is VALUE
        assert (claim.handle.broken, claim.guard.holds, claim.cell.value) == (1, False, UNKNOWN)
        return claim

    return classes, claims, move


@without_automatic_drain
def test_a_value_found_again_behind_holds_at_the_drain_and_nobody_is_told(moving):
    _, claims, move = moving
    move()
    claims.unchanged()


CHANGES = {
    "the base gets the name": lambda Root, Left, Right, Other, C: [setattr(base, "x", 1) for base in (Left, Right)],
    "the provider changes": lambda Root, Left, Right, Other, C: setattr(Root, "x", 1),
    "the provider loses it": lambda Root, Left, Right, Other, C: delattr(Root, "x"),
    "the class itself gets it": lambda Root, Left, Right, Other, C: setattr(C, "x", 1),
    "the base gets other bases": lambda Root, Left, Right, Other, C: [
        setattr(base, "__bases__", (WithX,)) for base in (Left, Right)
    ],
    "the class gets other bases": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (WithX,)),
    "the class gets a base in front": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (WithX, Right)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@without_automatic_drain
def test_a_change_of_where_it_has_moved_to_is_seen_before_a_drain_and_after(moving, change):
    classes, claims, move = moving
    claim = move()
    change(*classes)
    assert claim.truth() is not VALUE
    claims.changed(claim)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@without_automatic_drain
def test_a_change_of_where_it_has_moved_to_is_seen_once_the_drain_has_looked(moving, change):
    classes, claims, move = moving
    claim = move()
    claims.unchanged()
    change(*classes)
    claims.changed(claim)


@without_automatic_drain
def test_a_value_of_the_class_itself_does_not_move_with_its_bases(log):
    *_, Right, _, C = family()
    C.own = VALUE
    claims = Claims(log)
    claim = claims.of_attribute(C, "own")
    C.__bases__ = (Right,)
    assert (claim.handle.valid, claim.cell.value) == (True, VALUE)
    claims.unchanged()


@without_automatic_drain
def test_the_same_value_stored_in_front_breaks_nothing(log):
    Root, Left, *_, C = family()
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    Left.x = C.x = VALUE
    assert claim.handle.valid
    claims.unchanged()
    Root.x = 1
    claims.unchanged()
    C.x = 1
    claims.changed(claim)


@pytest.mark.parametrize("remove", [
    lambda d: d.__delitem__("X"), lambda d: d.pop("X"), lambda d: d.clear(), lambda d: d.popitem(),
], ids=["del", "pop", "clear", "popitem"])  # fmt: skip
@without_automatic_drain
def test_a_removed_global_behind_which_the_builtin_is_the_same_holds_at_the_drain(log, remove):
    names = {"X": VALUE}
    globals_ = namespace(names, X=VALUE)
    claims = Claims(log)
    claim = claims.of_global(eval("lambda: X", globals_), "X")
    remove(globals_)
    assert (claim.handle.broken, claim.guard.holds, claim.cell.value) == (1, False, UNKNOWN)
    claims.unchanged()
    names["X"] = 1
    claims.changed(claim)


@without_automatic_drain
def test_nothing_stays_watched_that_nobody_relies_on(log):
    names = {"X": VALUE}
    globals_ = namespace(names, X=VALUE)
    handle = log.commit(freeze(globals_, "X"))
    del globals_["X"]
    globals_["X"] = VALUE
    depwatch.drain()
    handle.release()
    depwatch.drain()
    with Counted() as counted:
        at_once((operator.setitem, names, "X", 1), (operator.setitem, globals_, "X", 2))
    assert counted() == {}


@without_automatic_drain
def test_a_class_that_dies_before_the_drain_has_looked_retires(log):
    Root = type("Root", (), {"x": VALUE})
    C = type("C", (Root,), {"x": VALUE})
    handle = log.commit(freeze_attribute(C, "x"))
    del C.x, C
    gc.collect()
    Root.x = 1
    assert handle.retired
    assert [what for what, _ in log.drained()] == ["retired"]
    assert " died" in handle.reason
