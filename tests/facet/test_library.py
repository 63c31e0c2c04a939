"""Classes and functions that the standard library builds: what is a change of them and what only looks like one."""

import abc
import builtins
import dataclasses
import enum
import functools
import typing
from typing import Generic, NamedTuple, TypeVar

import pytest

import depwatch
from claims import Claims, along_the_mro
from support import without_automatic_drain

# --- abstract classes ------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_registering_with_an_abstract_class_changes_no_attribute(log):
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def f(self): ...

        def g(self):
            return 1

    class Concrete(Abstract):
        def f(self): ...

    claims = Claims(log)
    for cls, name in ((Abstract, "f"), (Abstract, "__abstractmethods__"), (Concrete, "f"), (Concrete, "g")):
        claims.of_attribute(cls, name)
    Abstract.register(int)
    assert isinstance(5, Abstract)
    assert isinstance(Concrete(), Abstract)
    claims.unchanged()


@without_automatic_drain
def test_abstract_methods_that_are_assigned_are_seen(log):
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def f(self): ...

        @abc.abstractmethod
        def g(self): ...

    class Concrete(Abstract):
        def g(self): ...

    claims = Claims(log)
    own = claims.of_attribute(Abstract, "__abstractmethods__")
    f, concrete = claims.of_attribute(Concrete, "f"), claims.of_attribute(Concrete, "__abstractmethods__")
    Concrete.f = lambda self: None
    claims.changed(f)
    abc.update_abstractmethods(Concrete)
    claims.changed(concrete)
    assert isinstance(Concrete(), Abstract)
    Abstract.__abstractmethods__ = frozenset()
    claims.changed(own)
    Abstract.__abstractmethods__, Concrete.__abstractmethods__ = own.value, concrete.value
    del Concrete.f
    claims.restored(own, concrete, f)
    with pytest.raises(TypeError, match="abstract"):
        Concrete()


# --- descriptors -----------------------------------------------------------------------------------------------------


def accessors():
    class C:
        def __init__(self):
            self._p = 1

        @property
        def p(self):
            return self._p

    return C


@pytest.mark.parametrize("part", ["getter", "setter", "deleter"])
@without_automatic_drain
def test_a_property_whose_getter_setter_or_deleter_is_replaced_is_another_property(log, part):
    C = accessors()
    Derived = type("Derived", (C,), {})
    claims = Claims(log)
    own, derived = claims.of_attribute(C, "p"), claims.of_attribute(Derived, "p")
    C.p = getattr(C.p, part)(lambda self, *value: None)
    claims.changed(own, derived)
    C.p = own.value
    claims.restored(own, derived)
    Derived.p = getattr(Derived.p, part)(lambda self, *value: None)
    claims.changed(derived)
    with pytest.raises(AttributeError):
        own.value.fget = None  # a property cannot change in place


@without_automatic_drain
def test_a_cached_property_stores_in_the_instance_and_not_in_the_class(log):
    class C:
        @functools.cached_property
        def p(self):
            return object()

    claims = Claims(log)
    claim = claims.of_attribute(C, "p")
    obj = C()
    assert obj.p is obj.p
    obj.p = 5
    del obj.p
    assert obj.p != 5
    claims.unchanged()
    C.p = property(lambda self: 1)
    claims.changed(claim)


@without_automatic_drain
def test_slots_are_changed_by_classes_and_not_by_instances(log):
    class C:
        __slots__ = ("a", "b")

    class D(C):
        __slots__ = ("c",)

    claims = Claims(log)
    a, b, c = (claims.of_attribute(D, name) for name in "abc")
    slots = claims.of_attribute(D, "__slots__")
    obj = D()
    obj.a = obj.b = obj.c = 1
    del obj.a
    claims.unchanged()
    D.__slots__ = ("c", "d")  # too late for instances, and yet another value
    claims.changed(slots)
    C.a = 5
    claims.changed(a)
    assert obj.a == 5
    del C.b
    claims.changed(b)
    C.a, C.b, D.__slots__ = a.value, b.value, slots.value
    claims.restored(a, b, slots)
    assert c.handle.valid


@without_automatic_drain
def test_set_name_that_stores_into_the_class_or_its_base_is_seen(log):
    class Named:
        def __set_name__(self, owner, name):
            Base.registry = (*Base.registry, name)
            setattr(owner, f"_{name}", self)

    class Base:
        registry = ()
        _x = "base"

    class Child(Base):
        pass

    claims = Claims(log)
    registry, child = claims.of_attribute(Base, "registry"), claims.of_attribute(Child, "_x")

    class Derived(Base):
        x = Named()

    claims.changed(registry)
    assert claims.of_attribute(Derived, "_x").value is vars(Derived)["x"]
    assert child.handle.valid


@without_automatic_drain
def test_a_class_can_be_read_while_set_name_runs(log):
    claims = Claims(log)

    class Named:
        def __set_name__(self, owner, name):
            claims.of_attribute(owner, "y")
            claims.of_attribute(owner, "inherited")
            owner.y = 2

    class Base:
        inherited = 1

    class C(Base):
        x = Named()
        y = 1

    y, inherited = claims.all
    claims.changed(y)
    Base.inherited = 2
    claims.changed(inherited)
    C.y, Base.inherited = 1, 1
    claims.restored(y, inherited)


@without_automatic_drain
def test_init_subclass_that_counts_in_the_base_is_seen_by_all_subclasses(log):
    class Base:
        count = 0

        def __init_subclass__(cls, /, **options):
            super().__init_subclass__(**options)
            Base.count += 1

    class First(Base):
        pass

    claims = Claims(log)
    base, first = claims.of_attribute(Base, "count"), claims.of_attribute(First, "count")
    hook = claims.of_attribute(First, "__init_subclass__")

    class Second(Base):
        pass

    claims.changed(base, first)
    assert (Base.count, Second.count) == (2, 2)
    First.__init_subclass__ = classmethod(lambda cls: None)
    claims.changed(hook)

    class Third(First):
        pass

    Base.count = 1
    claims.restored(base, first)
    assert Third.count == 1


# --- generic classes -------------------------------------------------------------------------------------------------

T = TypeVar("T")


@without_automatic_drain
def test_subscripting_a_generic_class_changes_nothing_and_replacing_how_is_seen(log):
    class Old(Generic[T]):
        x = 1

    class New[U]:
        x = 1

    class Own:
        x = 1

        def __class_getitem__(cls, item):
            return item

    claims = Claims(log)
    getitems, xs = [], []
    for cls in (Old, New, Own):
        xs.append(claims.of_attribute(cls, "x"))
        getitems.append(claims.of_attribute(cls, "__class_getitem__"))
        if cls is not Own:
            claims.of_attribute(cls, "__parameters__")
            claims.of_attribute(cls, "__orig_bases__")

    class Derived(Old[int]):
        pass

    assert typing.get_origin(Old[int]) is Old
    assert (New[int]().x, Old[int]().x, Own[5]) == (1, 1, 5)
    claims.unchanged()
    derived = claims.of_attribute(Derived, "x")
    Old[int].x = 2  # an alias passes it on to the class
    claims.changed(xs[0], derived)
    for cls in (Old, New, Own):
        cls.__class_getitem__ = classmethod(lambda cls, item: "replaced")
    claims.changed(*getitems)
    assert [cls[int] for cls in (Old, New, Own)] == ["replaced"] * 3


@without_automatic_drain
def test_a_named_tuple_is_a_class_with_descriptors_for_its_fields(log):
    class Point(NamedTuple):
        x: int
        y: int = 0

    claims = Claims(log)
    x, y, make = (claims.of_attribute(Point, name) for name in ("x", "y", "_make"))
    assert Point(1)._replace(x=2) == (2, 0)
    claims.unchanged()
    Point.x = property(lambda self: "computed")
    claims.changed(x)
    del Point.y
    claims.changed(y)
    Point.x, Point.y = x.value, y.value
    claims.restored(x, y)
    assert make.handle.valid


# --- enums and dataclasses -------------------------------------------------------------------------------------------


@without_automatic_drain
def test_members_of_an_enum_changed_behind_its_metaclass_are_seen(log):
    class Color(enum.Enum):
        RED = 1
        GREEN = 2

    claims = Claims(log)
    red, green = claims.of_attribute(Color, "RED"), claims.of_attribute(Color, "GREEN")
    for change in (lambda: setattr(Color, "RED", 5), lambda: delattr(Color, "RED")):
        with pytest.raises((AttributeError, TypeError)):
            change()
    assert Color(1) is Color.RED
    assert len(Color.__members__) == 2
    claims.unchanged()
    type.__setattr__(Color, "RED", green.value)
    claims.changed(red)
    type.__setattr__(Color, "RED", red.value)
    claims.restored(red)


@without_automatic_drain
def test_a_decorator_that_makes_a_new_class_leaves_the_old_one_as_it_was(log):
    namespace = {"__builtins__": builtins}
    exec("class C:\n    a: int = 1\n    b: int = 2\n    def f(self): return self.a", namespace)
    C = namespace["C"]
    claims = Claims(log)
    name = claims.of_global(namespace, "C")
    a, f = claims.of_attribute(C, "a"), claims.of_attribute(C, "f")
    init = claims.of_attribute(C, "__init__")
    namespace["C"] = Slotted = dataclasses.dataclass(slots=True)(C)
    assert Slotted is not C
    claims.changed(name, init)  # dataclass() has also given the old class its __init__
    assert (a.handle.valid, f.handle.valid) == (True, True)
    assert claims.of_attribute(Slotted, "a").value is vars(Slotted)["a"]
    Slotted.f = None
    claims.unchanged()
    namespace["C"] = C
    claims.restored(name)


@without_automatic_drain
def test_a_frozen_dataclass_is_frozen_for_instances_and_not_for_the_class(log):
    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int = 0
        tags: list = dataclasses.field(default_factory=list)

    claims = Claims(log)
    x, eq = claims.of_attribute(Point, "x"), claims.of_attribute(Point, "__eq__")
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    object.__setattr__(point, "x", 2)
    assert dataclasses.replace(point, x=3).x == 3
    claims.unchanged()
    Point.x = 5
    claims.changed(x)
    Point.__eq__ = object.__eq__
    claims.changed(eq)
    Point.__init__ = None
    assert claims.settled() == []
    Point.__eq__, Point.x = eq.value, 0
    claims.restored(eq, x)


@without_automatic_drain
def test_a_decorator_that_fills_in_methods_is_seen(log):
    class Version:
        def __init__(self, number):
            self.number = number

        def __lt__(self, other):
            return self.number < other.number

    claims = Claims(log)
    missing = [claims.of_attribute(Version, name) for name in ("__gt__", "__le__", "__ge__")]
    own = claims.of_attribute(Version, "__lt__")
    assert all(claim.value is along_the_mro(object, claim.label.split(".")[1].split()[0]) for claim in missing)
    assert functools.total_ordering(Version) is Version
    claims.changed(*missing)
    assert own.handle.valid
    for name in ("__gt__", "__le__", "__ge__"):
        delattr(Version, name)
    claims.restored(*missing)


# --- functions in wrappings ------------------------------------------------------------------------------------------


@without_automatic_drain
def test_what_changes_inside_a_wrapped_function_is_no_change_of_its_name(log):
    globals_ = {"__builtins__": builtins}
    exec("def wrapped(x, *, y=1): return x", globals_)
    inner = globals_["wrapped"]
    globals_["cached"] = functools.lru_cache(inner)
    globals_["dispatched"] = functools.singledispatch(inner)
    globals_["partial"] = functools.partial(inner, 5)
    claims = Claims(log)
    recorder = depwatch.Recorder("inner")
    recorder.read_function(inner, "code", "defaults", "kwdefaults", "existence")
    handle = log.commit(recorder)
    names = [claims.of_global(globals_, name) for name in ("wrapped", "cached", "dispatched", "partial")]
    globals_["cached"](1)
    globals_["cached"].cache_clear()
    globals_["dispatched"].register(int, lambda x: "int")
    assert globals_["dispatched"](1) == "int"
    globals_["partial"].__setstate__((inner, (6,), {}, {}))
    functools.update_wrapper(globals_["cached"], len)
    functools.update_wrapper(inner, len)  # renames it, and stores __wrapped__
    assert inner.__name__ == "len"
    claims.unchanged()
    assert handle.valid
    for name in ("wrapped", "cached", "dispatched", "partial"):
        globals_[name] = functools.wraps(inner)(lambda x: x)
    claims.changed(*names)
    assert handle.valid
    for claim, name in zip(names, ("wrapped", "cached", "dispatched", "partial"), strict=True):
        globals_[name] = claim.value
    claims.restored(*names)


@without_automatic_drain
def test_methods_of_a_class_that_are_wrapped_again_are_other_attributes(log):
    class C:
        def plain(self):
            return 1

        @classmethod
        def cls(cls):
            return 2

        @staticmethod
        def static():
            return 3

        @functools.lru_cache  # noqa: B019
        def cached(self):
            return 4

        @functools.singledispatchmethod
        def dispatched(self, x):
            return 5

        @functools.partialmethod
        def partial(self):
            return 6

    names = ("plain", "cls", "static", "cached", "dispatched", "partial")
    claims = Claims(log)
    held = [claims.of_attribute(C, name) for name in names]
    C.dispatched.register(str, lambda self, x: "str")
    assert (C().cached(), C().dispatched("x"), C.static(), C.cls()) == (4, "str", 3, 2)
    claims.unchanged()
    for name in names:
        setattr(C, name, functools.wraps(getattr(C, name))(lambda *args: None))
    claims.changed(*held)
    for name, claim in zip(names, held, strict=True):
        setattr(C, name, claim.value)
    claims.restored(*held)
