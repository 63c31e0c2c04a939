"""Bases: assigned, refused, interrupted; version tags that are used up; static bases that are left."""

import gc
import sys
from pathlib import Path

import pytest
from classes import dict_of, family, use_up

import depwatch
from claims import MISSING, Claims, along_the_mro
from support import UNKNOWN, at_once, dependents, freeze_attribute, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

# --- the MRO ---------------------------------------------------------------------------------------------------------


def two_bases():
    class A:
        x = "a"

    class B:
        x = "b"

    class C(A):
        pass

    class D(C):
        pass

    return A, B, C, D


@pytest.mark.parametrize("which", ["C", "D"])
def test_a_change_of_bases_breaks_at_once_what_is_then_found_elsewhere(log, which):
    A, B, C, D = two_bases()
    handle = log.commit(freeze_attribute({"C": C, "D": D}[which], "x"))
    C.__bases__ = (B,)
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    A.x = "not found any more"
    assert (handle.broken, log.drained()) == (1, [])
    A.x = "a"
    C.__bases__ = (A,)
    assert log.drained() == [("resumed", "frozen")]
    assert handle.valid


def test_a_change_of_bases_right_after_a_store_is_seen(log):
    _, B, C, D = two_bases()
    handle = log.commit(freeze_attribute(D, "x"))
    at_once((setattr, C, "y", 1), (setattr, C, "__bases__", (B,)))
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


@without_automatic_drain
def test_a_change_of_bases_that_finds_the_same_value_never_counted(log):
    A, B, C, D = two_bases()
    B.x = A.x
    handle = log.commit(freeze_attribute(D, "x"))
    C.__bases__ = (B,)
    assert log.drained() == []
    assert handle.valid
    A.x = 1
    assert handle.valid
    B.x = 1
    assert handle.broken == 1


def test_a_new_base_in_front_is_watched_from_then_on(log):
    A, B, C, D = two_bases()
    del B.x
    handle = log.commit(freeze_attribute(D, "x"))
    C.__bases__ = (B, A)
    depwatch.drain()
    log.clear()
    assert handle.valid
    B.x = "in front"
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]
    assert dependents(B, "x") == {handle.id}


def test_a_listener_to_an_attribute_is_told_of_a_change_of_the_mro(log):
    _, B, C, D = two_bases()
    subscription = depwatch.subscribe(log.event, D, "x")
    C.__bases__ = (B,)
    assert log.drained() == [("MRO", "x", "a", UNKNOWN)]
    B.x = 1
    assert log.drained() == [("MODIFIED", "x", "b", 1)]
    subscription.cancel()


def test_the_line_that_changed_the_bases_is_told():
    _, B, C, D = two_bases()
    handle = freeze_attribute(D, "x").commit()
    line = sys._getframe().f_lineno + 1
    C.__bases__ = (B,)
    assert f"{__file__}:{line}" in depwatch.explain(handle)
    assert "'x' of <class" in depwatch.explain(handle)


def test_assigning_the_same_bases_changes_nothing_that_counts(log):
    A, _, C, D = two_bases()
    handle = log.commit(freeze_attribute(D, "x"))
    C.__bases__ = (A,)
    assert log.drained() in ([], [("invalidated", "frozen"), ("resumed", "frozen")])
    assert handle.valid


@pytest.mark.skipif(sys.version_info < (3, 15), reason="before 3.15 a class cannot leave a static base")
@pytest.mark.parametrize("frozen", [False, True], ids=["", "after gc.freeze()"])
def test_a_class_that_leaves_a_static_base_is_seen(log, frozen):
    import gc

    class Heap(list):
        append = "heap"

    class Leaves(list):
        pass

    class Sub(Leaves):
        pass

    if frozen:
        gc.freeze()
    try:
        handle = log.commit(freeze_attribute(Sub, "append"))
        Leaves.__bases__ = (Heap,)
        assert Sub.append == "heap"
        depwatch.drain()
        assert handle.broken == 1
        assert log.drained() == [("invalidated", "frozen")]
        Leaves.__bases__ = (list,)
        assert log.drained() == [("resumed", "frozen")]
        assert handle.valid
    finally:
        gc.unfreeze()


@without_automatic_drain
def test_new_bases_are_seen_although_the_new_mro_lies_where_the_old_one_was(log):
    """Before 3.15, `Root.__bases__ = (object,)` makes all MROs anew, unreported; the next may lie where one was."""
    for _ in range(100):
        Root = type("Root", (), {})
        A, B = type("A", (Root,), {"x": "a"}), type("B", (Root,), {"x": "b"})
        C = type("C", (A,), {})
        handle = log.commit(freeze_attribute(C, "x"))
        Root.__bases__ = (object,)
        C.__bases__ = (B,)
        assert handle.broken == 1
        C.__bases__ = (A,)
        Root.__bases__ = (object,)
        C.__bases__ = (B,)
        assert handle.broken == 1
        handle.release()


# --- leaving a static base -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old, new, name", [
    (ValueError, TypeError, "__new__"), (KeyError, LookupError, "__str__"), (BufferError, EOFError, "__new__"),
])  # fmt: skip
@without_automatic_drain
def test_an_exception_class_that_leaves_one_static_base_for_another_is_seen(log, old, new, name):
    """Every version allows it: classes of exceptions have the same layout and deallocator."""

    class Error(old):
        pass

    class Derived(Error):
        pass

    claims = Claims(log)
    own, derived = claims.of_attribute(Error, name), claims.of_attribute(Derived, name)
    Error.__bases__ = (new,)
    assert along_the_mro(Derived, name) is not derived.value
    claims.changed(own, derived)
    Error.__bases__ = (old,)
    claims.restored(own, derived)


@pytest.mark.parametrize("why", ["frozen", "registered"])
def test_a_static_base_whose_table_is_hard_to_find_is_watched_or_refused(why):
    """Frozen objects have no referrers; and a dict of the program may look just like that table."""
    assert python(PROGRAMS / "static_base.py", why) == "fine\n"


# --- after thousands of modifications --------------------------------------------------------------------------------


@pytest.mark.parametrize("used_up", ["Root", "Base", "Middle", "Leaf"])
@pytest.mark.parametrize("times", [1000, 3000])
@pytest.mark.parametrize("when", ["before", "after"])
@without_automatic_drain
def test_every_change_is_seen_after_a_class_has_used_up_its_version_tags(log, used_up, times, when):
    Root, Base, Middle, Leaf, Other = family()
    claims = Claims(log)
    if when == "before":
        use_up(locals()[used_up], times)
    root, base, middle, leaf = (claims.of_attribute(cls, "x") for cls in (Root, Base, Middle, Leaf))
    if when == "after":
        use_up(locals()[used_up], times)
        claims.unchanged()
    Root.x = "changed"
    claims.changed(root, base, middle, leaf)
    Root.x = "root"
    claims.restored(root, base, middle, leaf)
    Middle.x = "shadow"
    claims.changed(middle, leaf)
    del Middle.x
    claims.restored(middle, leaf)
    Base.__bases__ = (Other,)  # the bases of a base
    claims.changed(base, middle, leaf)
    Base.__bases__ = (Root,)
    claims.restored(base, middle, leaf)
    Leaf.__bases__ = (Other,)
    claims.changed(leaf)
    Leaf.__bases__ = (Middle,)
    claims.restored(leaf)
    dict_of(Base)["x"] = "behind its back"
    claims.changed(base, middle, leaf)
    del dict_of(Base)["x"]
    claims.restored(base, middle, leaf)


@without_automatic_drain
def test_many_changes_of_bases_without_a_look_up_between_are_all_seen(log):
    Root, Base, Middle, Leaf, Other = family()
    claims = Claims(log)
    base, middle, leaf = (claims.of_attribute(cls, "x") for cls in (Base, Middle, Leaf))
    for _ in range(300):
        at_once((setattr, Base, "__bases__", (Other,)), (setattr, Base, "__bases__", (Root,)))
    assert [claim.handle.broken for claim in claims.all] == [1, 1, 1]
    claims.unchanged()
    at_once(*((setattr, Base, "__bases__", (cls,)) for cls in [Other, Root] * 300 + [Other]))
    claims.changed(base, middle, leaf)


@without_automatic_drain
def test_a_change_of_bases_that_no_order_is_found_for_is_undone_and_changes_nothing(log):
    class A:
        x = "a"

    class B(A):
        x = "b"

    class C(A):
        pass

    class D(C):
        pass

    class E(D, B):
        pass

    claims = Claims(log)
    for cls in (A, B, C, D, E):
        claims.of_attribute(cls, "x")
    before = [cls.__mro__ for cls in (A, B, C, D, E)]
    with pytest.raises(TypeError, match="MRO"):
        B.__bases__ = (D,)  # E inherits from D and then from B, which cannot both be
    assert [cls.__mro__ for cls in (A, B, C, D, E)] == before
    claims.unchanged()
    A.x = "changed"
    assert [claim.handle.valid for claim in claims.all] == [False, True, False, False, True]
    A.x = "a"
    claims.settled()


@without_automatic_drain
def test_a_base_that_is_left_may_die_and_come_to_mean_another_class(log):
    class Keeper:
        x = "keeper"

    def leave():
        """C leaves a base of its own for Keeper; the base dies."""

        class Gone:
            x = "gone"

        class C(Gone):
            pass

        claims.of_attribute(C, "x")
        claims.of_attribute(Gone, "x").truth = lambda: MISSING
        C.__bases__ = (Keeper,)
        return C

    claims = Claims(log)
    classes = [leave() for _ in range(10)]
    gc.collect()
    assert [claim.handle.valid for claim in claims.all] == [False] * 20
    told = log.drained()
    assert sorted(told) == sorted(
        ("invalidated" if i % 2 == 0 else "retired", claim.label) for i, claim in enumerate(claims.all)
    )
    again = [claims.of_attribute(cls, "x") for cls in classes]
    log.clear()
    Keeper.x = "changed"
    assert [claim.handle.broken for claim in again] == [1] * 10
