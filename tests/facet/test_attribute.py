"""Type attributes: what is found along the MRO, and changes of the MRO itself."""

import abc
import enum
import types

import pytest

import depwatch
from support import UNKNOWN, Counted, dependents, freeze_attribute


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
