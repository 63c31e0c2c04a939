"""Type attributes: what is found along the MRO, and changes of the MRO itself."""

import abc
import enum
import sys
import types

import pytest

import depwatch
from support import UNKNOWN, Counted, at_once, dependents, freeze_attribute, without_automatic_drain


def diamond():
    """Bottom inherits from Left and Right, which inherit from Top. All have `own`, only Top has `x`."""

    class Top:
        x = "top"

    class Left(Top):
        pass

    class Right(Top):
        pass

    class Bottom(Left, Right):
        pass

    return Top, Left, Right, Bottom


def test_an_attribute_is_read_raw_as_found_along_the_mro():
    class Base:
        @property
        def prop(self):
            return 1

        @classmethod
        def make(cls):
            return cls

        @staticmethod
        def plain():
            return 2

        __slots__ = ("slot",)

        def method(self):
            return 3

    class Derived(Base):
        pass

    recorder = depwatch.Recorder("r")
    for name in ("prop", "make", "plain", "slot", "method"):
        assert recorder.read_type_attr(Derived, name) is vars(Base)[name]
    assert recorder.read_type_attr(Derived, "__repr__") is vars(object)["__repr__"]


def test_a_metaclass_attribute_is_not_found():
    class Meta(type):
        x = 1

    class Plain(metaclass=Meta):
        pass

    assert Plain.x == 1
    with pytest.raises(AttributeError) as error:
        depwatch.Recorder("r").read_type_attr(Plain, "x")
    assert (error.value.name, error.value.obj) == ("x", Plain)


def test_static_types_record_nothing():
    recorder = depwatch.Recorder("r")
    with Counted() as counted:
        assert recorder.read_type_attr(int, "real") is vars(int)["real"]
        assert recorder.read_type_attr(bool, "real") is vars(int)["real"]
        assert recorder.read_type_attr(dict, "__repr__") is vars(dict)["__repr__"]
        recorder.depend_on(int)
    assert counted() == {}
    with pytest.raises(AttributeError):
        recorder.read_type_attr(int, "nonsense")
    handle = recorder.commit()
    assert depwatch.explain(handle).endswith("0 assumptions hold")


@pytest.mark.parametrize("change", ["store", "in a base", "shadow", "delete", "setattr", "straight into the dict"])
def test_every_change_of_what_is_found_breaks(log, change):
    Top, Left, _, Bottom = diamond()
    handle = log.commit(freeze_attribute(Bottom, "x"))
    if change == "store":
        Bottom.x = 1
    elif change == "in a base":
        Top.x = 1
    elif change == "shadow":
        Left.x = 1
    elif change == "delete":
        del Top.x
    elif change == "setattr":
        setattr(Top, "".join("x"), 1)
    else:
        import gc

        (mapping,) = (d for d in gc.get_referents(Top) if type(d) is dict and "x" in d)
        mapping["x"] = 1
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


def test_a_store_behind_the_provider_is_shadowed(log):
    Top, Left, Right, Bottom = diamond()
    Left.x = "left"
    handle = log.commit(freeze_attribute(Bottom, "x"))
    with Counted() as counted:
        Right.x = 1
        Top.x = 2
        del Right.x
        del Top.x
        assert log.drained() == []
    assert counted("breaks", "details_queued") == {"breaks": 0, "details_queued": 0}
    assert handle.valid


def test_other_attributes_and_other_classes_change_nothing(log):
    Top, Left, Right, Bottom = diamond()
    handle = log.commit(freeze_attribute(Left, "x"))
    Bottom.x = 1
    Right.x = 1
    Top.y = Left.y = 1
    Top.__doc__ = "changed"
    Top().x = 5
    types.new_class("Another", (Left,)).x = 1
    assert (handle.valid, log.drained()) == (True, [])


def test_a_subclass_that_comes_and_goes_changes_nothing(log):
    Top, *_ = diamond()
    handle = log.commit(freeze_attribute(Top, "x"))
    for _ in range(3):
        exec("class Sub(Top): x = 1\ndel Sub", {"Top": Top})
    import gc

    gc.collect()
    assert (handle.valid, log.drained()) == (True, [])


def test_modified_at_the_provider_heals_at_once(log):
    Top, _, _, Bottom = diamond()
    old = vars(Top)["x"]
    handle = log.commit(freeze_attribute(Bottom, "x"))
    Top.x = "other"
    assert handle.broken == 1
    Top.x = old
    assert handle.broken == 0
    assert log.drained() in ([], [("invalidated", "frozen"), ("resumed", "frozen")])


def test_a_shadow_that_is_taken_away_resumes_at_the_drain(log):
    _, Left, _, Bottom = diamond()
    handle = log.commit(freeze_attribute(Bottom, "x"))
    Left.x = "left"
    assert log.drained() == [("invalidated", "frozen")]
    del Left.x
    assert log.drained() == [("resumed", "frozen")]
    assert handle.valid


def test_a_listener_to_an_attribute_is_told_of_changes_along_the_mro(log):
    Top, Left, _, Bottom = diamond()
    subscription = depwatch.subscribe(log.event, Bottom, "x")
    Top.x = 1
    assert log.drained() == [("MODIFIED", "x", "top", 1)]
    Left.x = 2
    assert log.drained() == [("ADDED", "x", 1, 2)]
    Top.x = 3
    assert log.drained() == []
    del Left.x
    assert log.drained() == [("DELETED", "x", 2, UNKNOWN)]
    del Top.x
    assert log.drained() == [("DELETED", "x", 3, UNKNOWN)]
    subscription.cancel()
    Top.x = 4
    assert log.drained() == []


def test_a_listener_to_a_whole_class_is_told_of_its_bases_too(log):
    Top, Left, Right, Bottom = diamond()
    subscription = depwatch.subscribe(log.event, Left)
    Top.x = 1
    Left.y = 2
    Right.y = Bottom.y = 3
    assert [entry[:2] for entry in log.drained()] == [("MODIFIED", "x"), ("ADDED", "y")]
    subscription.cancel()


def test_dependents_of_a_base_include_those_of_its_subclasses():
    Top, Left, Right, Bottom = diamond()
    top, bottom = (freeze_attribute(cls, "x").commit() for cls in (Top, Bottom))
    assert dependents(Top, "x") == {top.id, bottom.id}
    assert dependents(Left, "x") == dependents(Right, "x") == dependents(Bottom, "x") == {bottom.id}
    assert dependents(Top) == {top.id, bottom.id}
    assert dependents(Top, "y") == set()
    Left.x = 1
    depwatch.drain()
    assert dependents(Top, "x") == {top.id}
    assert dependents(Left, "x") == {bottom.id}


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


def test_a_change_of_bases_is_seen_when_the_version_tags_of_the_class_are_used_up(log):
    _, B, C, D = two_bases()
    handle = log.commit(freeze_attribute(D, "x"))
    for i in range(3000):
        C.counter = i
        C.counter
    assert (handle.valid, log.drained()) == (True, [])
    C.__bases__ = (B,)
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


def test_stores_are_seen_when_the_version_tags_of_the_class_are_used_up(log):
    A, _, C, D = two_bases()
    for i in range(3000):
        A.counter = C.counter = i
        C.counter
    handle = log.commit(freeze_attribute(D, "x"))
    A.x = "other"
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


def test_a_change_of_the_bases_of_a_base_is_seen_by_every_subclass(log):
    _, B, C, D = two_bases()
    E = types.new_class("E", (D,))
    handles = [log.commit(freeze_attribute(cls, "x", name=cls.__name__)) for cls in (C, D, E)]
    C.__bases__ = (B,)
    assert [handle.broken for handle in handles] == [1, 1, 1]
    assert sorted(log.drained()) == [("invalidated", "C"), ("invalidated", "D"), ("invalidated", "E")]


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


# --- unusual classes -------------------------------------------------------------------------------------------------


def test_slots_dunders_and_enums_are_attributes_like_any_other(log):
    class Slotted:
        __slots__ = ("a",)

        def __eq__(self, other):
            return True

        __hash__ = None

    class Color(enum.Enum):
        RED = 1

    class Abstract(abc.ABC):
        @abc.abstractmethod
        def f(self): ...

    handles = [
        log.commit(freeze_attribute(cls, name, name=name))
        for cls, name in ((Slotted, "a"), (Slotted, "__eq__"), (Color, "_member_map_"), (Abstract, "f"))
    ]
    kept = [vars(Slotted)["a"], vars(Slotted)["__eq__"], vars(Color)["_member_map_"], vars(Abstract)["f"]]
    Slotted.a = 5
    Slotted.__eq__ = None
    Color._member_map_ = {}
    Abstract.f = None
    assert [handle.broken for handle in handles] == [1, 1, 1, 1]
    assert sorted(log.drained()) == [("invalidated", name) for name in ("__eq__", "_member_map_", "a", "f")]
    Slotted.a, Slotted.__eq__, Color._member_map_, Abstract.f = kept
    assert [handle.broken for handle in handles] == [0, 0, 0, 0]


def test_abc_registration_and_a_changed_metaclass_change_no_attribute(log):
    class Abstract(metaclass=abc.ABCMeta):  # noqa: B024
        x = 1

    class Meta(abc.ABCMeta):
        pass

    handle = log.commit(freeze_attribute(Abstract, "x"))
    Abstract.register(int)
    Abstract.__class__ = Meta
    assert isinstance(5, Abstract)
    assert (handle.valid, log.drained()) == (True, [])


def test_a_metaclass_with_an_mro_of_its_own_is_unwatchable_for_its_classes_and_their_subclasses():
    """It runs in the middle of a change of bases, and may change them itself: that could not be told in time."""

    class Meta(type):
        def mro(cls):
            return super().mro()

    class Odd(metaclass=Meta):
        x = 1

    for cls in (Odd, type("Derived", (Odd,), {})):
        for use in (lambda r, c: r.read_type_attr(c, "x"), lambda r, c: r.depend_on(c)):
            with pytest.raises(depwatch.Unwatchable, match=r"metaclass Meta has an mro\(\) of its own"):
                use(depwatch.Recorder("r"), cls)


def test_a_metaclass_that_lies_about_its_attributes_is_not_asked(log):
    class Meta(type):
        @property
        def __dict__(cls):
            raise AssertionError("asked")

        def __getattribute__(cls, name):
            if name in ("__mro__", "__flags__", "__qualname__"):
                return super().__getattribute__(name)
            raise AssertionError(f"asked for {name}")

    class Odd(metaclass=Meta):
        x = 1

    recorder = depwatch.Recorder("r")
    assert recorder.read_type_attr(Odd, "x") == 1
    handle = log.commit(recorder)
    type.__setattr__(Odd, "x", 2)
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "r")]
    assert "Odd" in depwatch.explain(handle)
    assert dependents(Odd, "x") == {handle.id}


def test_many_classes_share_a_base_and_only_those_concerned_break(log):
    class Base:
        x = 1

    classes = [types.new_class(f"C{i}", (Base,)) for i in range(50)]
    for cls in classes[:20]:
        cls.x = 2
    handles = [log.commit(freeze_attribute(cls, "x", name=cls.__name__)) for cls in classes]
    Base.x = 3
    assert [handle.broken for handle in handles] == [0] * 20 + [1] * 30
    assert sorted(log.drained()) == [("invalidated", f"C{i}") for i in range(20, 50)]


@without_automatic_drain
def test_new_bases_are_seen_after_an_unreported_change_has_freed_the_memory_of_the_old_mro(log):
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
