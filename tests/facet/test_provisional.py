"""A value that moves: taken away from where it was, and found again behind it. Nothing breaks, and nothing is missed.

Until the drain has looked, depwatch is registered along the old way only. So here nothing drains but what is said.
"""

import gc
import operator

import pytest

import depwatch
from claims import Claims
from support import UNKNOWN, Counted, at_once, freeze, freeze_attribute, namespace, without_automatic_drain

VALUE = object()


def family(**body):
    """Root has x. Left, Right and Other are its subclasses, and C is one of Left; all but C have others too."""
    Root = type("Root", (), {"x": VALUE} | body)
    Left, Right, Other = (type(name, (Root,), {}) for name in ("Left", "Right", "Other"))
    siblings = [type("Sibling", (base,), {}) for base in (Left, Right, Other)]
    C = type("C", (Left,), {"siblings": siblings})
    return Root, Left, Right, Other, C


# --- a new MRO -------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_new_bases_along_which_the_same_value_is_found_break_nothing(log):
    *_, Right, _, C = family()
    handle = log.commit(freeze_attribute(C, "x"))
    with Counted() as counted:
        C.__bases__ = (Right,)
        assert handle.valid
        assert log.drained() == []
    assert handle.valid
    assert counted("breaks", "conservative_breaks") == {"breaks": 0, "conservative_breaks": 0}


CHANGES = {
    "the new base gets the name": lambda Root, Left, Right, Other, C: setattr(Right, "x", 1),
    "the provider changes": lambda Root, Left, Right, Other, C: setattr(Root, "x", 1),
    "the provider loses it": lambda Root, Left, Right, Other, C: delattr(Root, "x"),
    "the class itself gets it": lambda Root, Left, Right, Other, C: setattr(C, "x", 1),
    "the new base gets other bases": lambda Root, Left, Right, Other, C: setattr(Right, "__bases__", (WithX,)),
    "the class gets other bases again": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (WithX,)),
    "the class gets a base in front": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (WithX, Right)),
    "the new base's dict is written to": lambda Root, Left, Right, Other, C: dict_of(Right).__setitem__("x", 1),
}


class WithX:
    x = "another"


class Sibling(WithX):
    pass


def dict_of(cls):
    (found,) = (each for each in gc.get_referents(vars(cls)) if type(each) is dict)
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@without_automatic_drain
def test_what_was_not_registered_yet_breaks_at_once_when_it_changes(log, change):
    classes = family()
    C = classes[-1]
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    C.__bases__ = (classes[2],)
    assert (claim.handle.valid, claim.guard.holds, claim.cell.value) == (True, True, UNKNOWN)
    change(*classes)
    assert claim.truth() is not VALUE
    claims.changed(claim)


HARMLESS = {
    "another name of the new base": lambda Root, Left, Right, Other, C: setattr(Right, "y", 1),
    "the same name elsewhere": lambda Root, Left, Right, Other, C: setattr(Other, "x", 1),
    "the same name in a base that was left": lambda Root, Left, Right, Other, C: setattr(Left, "x", 1),
    "the same value in front": lambda Root, Left, Right, Other, C: setattr(Right, "x", VALUE),
    "the same value in the class": lambda Root, Left, Right, Other, C: setattr(C, "x", VALUE),
    "a third base with the same value": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (Other,)),
    "back again": lambda Root, Left, Right, Other, C: setattr(C, "__bases__", (Left,)),
    "a subclass of the new base": lambda Root, Left, Right, Other, C: type("Passing", (Right,), {"x": 1}),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
@without_automatic_drain
def test_what_does_not_concern_the_value_breaks_nothing_before_the_drain_either(log, change):
    classes = family()
    C = classes[-1]
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    C.__bases__ = (classes[2],)
    change(*classes)
    assert claim.truth() is VALUE
    assert claim.handle.valid
    claims.unchanged()


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
def test_the_only_subclass_of_its_base_breaks_until_the_drain(log):
    Root, _, Right, _, C = family()
    Alone = type("Alone", (Root,), {})
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    C.__bases__ = (Alone,)
    assert claim.handle.broken == 1
    claims.unchanged()
    assert claim.handle.valid
    C.__bases__ = (Right,)
    Right.x = 1
    claims.changed(claim)


class Odd:
    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return hash(self.name)


@without_automatic_drain
def test_an_odd_key_of_another_hash_on_the_way_is_passed_by(log):
    *_, Right, _, C = family()
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    dict_of(Right)[Odd("y")] = 1
    C.__bases__ = (Right,)
    assert claim.handle.valid
    claims.unchanged()


@without_automatic_drain
def test_an_odd_key_of_the_name_on_the_way_retires(log):
    *_, Right, _, C = family()
    handle = log.commit(freeze_attribute(C, "x"))
    dict_of(Right)[Odd("x")] = 1
    C.__bases__ = (Right,)
    assert handle.broken == 1
    assert log.drained() == [("retired", "frozen")]


@without_automatic_drain
def test_a_static_class_that_provides_the_value_ends_the_search(log):
    class Error(ValueError):
        pass

    class Other(ValueError):
        pass

    siblings = [type("Sibling", (base,), {}) for base in (Error, Other)]
    C = type("C", (Error,), {"siblings": siblings})
    claims = Claims(log)
    claim = claims.of_attribute(C, "__init__")
    C.__bases__ = (Other,)
    assert claim.handle.broken == 1
    claims.unchanged()
    assert claim.handle.valid


@without_automatic_drain
def test_more_than_can_be_followed_break_until_the_drain(log):
    *_, Right, _, C = family(**{f"x{i}": VALUE for i in range(200)})
    handles = [log.commit(freeze_attribute(C, f"x{i}")) for i in range(200)]
    C.__bases__ = (Right,)
    assert {handle.broken for handle in handles} == {0, 1}
    Right.x0 = Right.x199 = 1
    assert (handles[0].valid, handles[199].valid) == (False, False)
    depwatch.drain()
    assert [handle.broken for handle in handles] == [1, *[0] * 198, 1]


@without_automatic_drain
def test_dicts_that_are_watched_meanwhile_may_die(log):
    Root, _, Right, Other, C = family()
    handle = log.commit(freeze_attribute(C, "x"))
    C.__bases__ = (Right,)
    C.__bases__ = (Other,)
    Right.x = 1
    C.siblings.clear()
    del Right
    gc.collect()
    assert handle.valid
    assert log.drained() == []
    Root.x = 1
    assert handle.broken == 1


# --- a removal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remove", [
    lambda d: d.__delitem__("X"), lambda d: d.pop("X"), lambda d: d.clear(), lambda d: d.popitem(),
], ids=["del", "pop", "clear", "popitem"])  # fmt: skip
@without_automatic_drain
def test_a_removed_global_behind_which_the_builtin_is_the_same_breaks_nothing(log, remove):
    names = {"X": VALUE}
    globals_ = namespace(names, X=VALUE)
    claims = Claims(log)
    claim = claims.of_global(eval("lambda: X", globals_), "X")
    remove(globals_)
    assert (claim.handle.valid, claim.guard.holds, claim.cell.value) == (True, True, UNKNOWN)
    names["X"] = 1
    assert (claim.handle.valid, claim.guard.holds) == (False, False)
    names["X"] = VALUE
    depwatch.drain()
    assert claim.handle.valid


@without_automatic_drain
def test_a_removed_attribute_behind_which_a_base_has_the_same_breaks_nothing(log):
    Root, Left, _, _, C = family()
    C.x = VALUE
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    del C.x
    assert claim.handle.valid
    Left.x = VALUE
    assert claim.handle.valid
    del Left.x
    assert claim.truth() is VALUE
    Root.x = 1
    claims.changed(claim)


@without_automatic_drain
def test_removed_and_new_bases_before_any_drain(log):
    *_, Right, _, C = family()
    C.x = VALUE
    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    del C.x
    C.__bases__ = (Right,)
    Right.x = 1
    claims.changed(claim)


@without_automatic_drain
def test_nothing_stays_watched_that_nobody_relies_on(log, counting):
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
def test_a_class_that_dies_on_the_way_is_followed_no_further(log):
    Root = type("Root", (), {"x": VALUE})
    Left = type("Left", (Root,), {})
    C = type("C", (Left,), {"x": VALUE})
    recorder = depwatch.Recorder("f")
    recorder.read_type_attr(C, "x")
    handle = log.commit(recorder)
    del C.x
    assert handle.valid
    del C
    gc.collect()
    Root.x = 1  # of a dict on the way along which the value was found again
    assert (handle.valid, handle.retired) == (False, True)
    depwatch.drain()
    assert " died" in handle.reason
