"""Every way to change what instances find in a class."""

import abc
import contextlib
import dataclasses
import enum
import gc
from typing import Any

from fuzz.routes import route
from fuzz.values import Value
from fuzz.world import MAY_LEAVE_OBJECT, NAMES, World


def pick(world: World, x: int) -> type:
    found: type = world.classes[x % len(world.classes)].item
    return found


def name(y: int) -> str:
    return NAMES[y % 4]


@route(6)
def store_in_class(m: Any, x: int, y: int, z: int) -> None:
    setattr(pick(m.world, x), name(y), m.world.value(z))


@route(4)
def delete_from_class(m: Any, x: int, y: int, z: int) -> None:
    cls = pick(m.world, x)
    if name(y) in vars(cls):
        delattr(cls, name(y))


@route(1)
def store_by_type_setattr(m: Any, x: int, y: int, z: int) -> None:
    type.__setattr__(pick(m.world, x), name(y), m.world.value(z))


@route(1)
def store_straight_into_the_dict(m: Any, x: int, y: int, z: int) -> None:
    """What careless C extensions do: no type event, and CPython's own cache is stale; the dict tells.

    That cache borrows what it has: the old value must live on, or CPython crashes.
    """
    cls = pick(m.world, x)
    (found,) = (each for each in gc.get_referents(vars(cls)) if type(each) is dict)
    m.world.takes(found.get(name(y)))
    m.world.cached.append(found.get(name(y)))
    found[name(y)] = m.world.value(z)


@route(2)
def property_in_class(m: Any, x: int, y: int, z: int) -> None:
    cls = pick(m.world, x)
    found = vars(cls).get(name(y))
    made = property(lambda self: z)
    setattr(cls, name(y), found.setter(lambda self, value: None) if type(found) is property else made)


@route(1)
def special_method(m: Any, x: int, y: int, z: int) -> None:
    """A change of a slot of the type is a change of its dict."""
    setattr(pick(m.world, x), ("__len__", "__call__", "__getattr__", "__getattribute__")[y % 4], lambda self, *rest: 1)


@route(1)
def metadata_of_class(m: Any, x: int, y: int, z: int) -> None:
    cls = pick(m.world, x)
    match z % 6:
        case 0:
            cls.__name__ = f"Renamed{y}"
        case 1:
            cls.__qualname__ = f"Renamed.{y}"
        case 2:
            cls.__doc__ = f"text {y}"
        case 3:
            cls.__module__ = f"module {y}"
        case 4:
            cls.__annotations__ = {name(y): int}
        case 5:
            cls.__abstractmethods__ = frozenset({name(y)})


@route(1)
def read_annotations(m: Any, x: int, y: int, z: int) -> None:
    getattr(pick(m.world, x), "__annotations__", None)


@route(2)
def look_up(m: Any, x: int, y: int, z: int) -> None:
    """A look-up gives the class a version tag."""
    cls = pick(m.world, x)
    for each in NAMES:
        getattr(cls, each, None)


BASES = {
    # class: the bases that it may get, as numbers of classes (9: one from outside)
    1: ((0,), (0, 9), (9, 0), (9,)),
    2: ((0,), (9, 0), (0, 9)),
    3: ((1,), (2,), (1, 2), (2, 1), (0,), (4,), (9, 1)),
    4: ((1, 2), (2, 1), (1,), (2,), (0,), (1, 9)),
    6: ((3,), (4,), (9, 3), (1, 2)),
    7: ((6, 2), (6,), (3, 2), (2, 6), (6, 9)),
}


def choose(x: int) -> int:
    """A class whose bases may be changed, by a number."""
    return tuple(BASES)[x % len(BASES)]


def expect_mro(world: World) -> None:
    """Bases are about to be assigned. If an mro() may run, all that is looked up along them ends, changed or not."""
    if "mro" in vars(world.mro_metaclass):
        world.mros += 1
        world.transient = True


def give_bases(world: World, number: int, y: int) -> None:
    """Other bases than it has."""
    cls = world.classes[number].item
    choice = [tuple(world.foreign if each == 9 else world.classes[each].item for each in of) for of in BASES[number]]
    other = [each for each in choice if each != cls.__bases__]
    expect_mro(world)
    with contextlib.suppress(TypeError):  # no such order, a cycle, or another layout
        cls.__bases__ = other[y % len(other)]


@route(2)
def bases(m: Any, x: int, y: int, z: int) -> None:
    number = choose(x)
    cls = m.world.classes[number].item
    if z & 1:  # straight before: no version tag is assigned in between
        setattr(cls, name(z >> 1), m.world.value(z))
    if z % 16 == 2:
        expect_mro(m.world)
        with contextlib.suppress(TypeError):  # see bases_and_back
            cls.__bases__ = cls.__bases__
    else:
        give_bases(m.world, number, y)


@route(1, transient=True)
def bases_twice(m: Any, x: int, y: int, z: int) -> None:
    """No drain in between: what was registered along the first is out of date at the second."""
    give_bases(m.world, choose(x), y)
    if z & 1:
        setattr(pick(m.world, z), name(z >> 1), m.world.value(z))
    give_bases(m.world, choose(x if z & 2 else z), z >> 2)


@route(1, transient=True)
def bases_and_back(m: Any, x: int, y: int, z: int) -> None:
    cls = m.world.classes[choose(x)].item
    before = cls.__bases__
    expect_mro(m.world)
    # Where an mro() raised in an assignment, CPython may leave subclasses whose order cannot be made again.
    with contextlib.suppress(TypeError):
        cls.__bases__ = (m.world.foreign, *before)
        cls.__bases__ = before


@route(1)
def static_base(m: Any, x: int, y: int, z: int) -> None:
    """From 3.15 on a root class may leave `object`, and come back. Before, it gets the same: new MROs, unreported."""
    cls = m.world.classes[0].item
    expect_mro(m.world)
    leaves = MAY_LEAVE_OBJECT and cls.__bases__ == (object,)
    with contextlib.suppress(TypeError):  # see bases_and_back
        cls.__bases__ = (m.world.foreign,) if leaves else (object,)


@route(1)
def metaclass(m: Any, x: int, y: int, z: int) -> None:
    cls = pick(m.world, x)
    with contextlib.suppress(TypeError):
        cls.__class__ = m.world.metaclass if z & 1 else type


@route(1)
def metaclass_attribute(m: Any, x: int, y: int, z: int) -> None:
    """What a metaclass has is not found by instances."""
    setattr(m.world.metaclass, name(y), m.world.value(z))


@route(1)
def foreign_attribute(m: Any, x: int, y: int, z: int) -> None:
    if z & 3:
        setattr(m.world.foreign, name(y), m.world.value(z))
    elif name(y) in vars(m.world.foreign):
        delattr(m.world.foreign, name(y))


@route(1)
def subclass_comes_and_goes(m: Any, x: int, y: int, z: int) -> None:
    type("Passing", (pick(m.world, x),), {name(y): Value()})
    if z < 16:
        gc.collect()


@route(1)
def register(m: Any, x: int, y: int, z: int) -> None:
    cls = abc.ABCMeta("Abstract", (), {name(y): z})
    cls.register(pick(m.world, x))
    issubclass(pick(m.world, y), cls)


@route(1)
def instances(m: Any, x: int, y: int, z: int) -> None:
    """Instances change, and change their class: nothing that a class finds changes."""
    cls, other = pick(m.world, x), pick(m.world, y)
    if cls.__abstractmethods__ if "__abstractmethods__" in vars(cls) else False:
        return
    with contextlib.suppress(TypeError, AttributeError):
        made = object.__new__(cls)
        object.__setattr__(made, name(y), z)
        object.__setattr__(made, "__class__", other)


@route(1)
def renew_class(m: Any, x: int, y: int, z: int) -> None:
    m.world.renew_class(x)
    if z < 64:
        gc.collect()


@route(1, transient=True)
def wear_out(m: Any, x: int, y: int, z: int) -> None:
    """So many changes, with a look-up after each, that CPython gives the class no version tag any more."""
    if z >= 12:
        return
    cls = pick(m.world, x)
    for number in range(1100):
        cls.worn = number
        cls.worn
    del cls.worn


class Named:
    """A descriptor that changes a base of the class that it is put into."""

    def __init__(self, base: type, of: str, value: Any) -> None:
        self._change = (base, of, value)

    def __set_name__(self, owner: type, given: str) -> None:
        setattr(*self._change)


@route(1)
def set_name(m: Any, x: int, y: int, z: int) -> None:
    """Making a class runs code of what is in it."""
    with contextlib.suppress(TypeError):
        type("Passing", (pick(m.world, x),), {"named": Named(pick(m.world, z), name(y), m.world.value(z))})


@route(1)
def decorate(m: Any, x: int, y: int, z: int) -> None:
    """What the library does to classes, or makes of them."""
    cls = pick(m.world, x)
    match z % 4:
        case 0:
            cls.__annotations__ = {name(y): int}
            with contextlib.suppress(ValueError, TypeError):  # values that are no defaults; fields out of order
                dataclasses.dataclass(eq=False, repr=False)(cls)
        case 1:
            with contextlib.suppress(TypeError, ValueError, AttributeError):  # no such mixin
                enum.Enum("Made", {name(y): z}, type=cls)
        case 2:
            abc.update_abstractmethods(cls)
        case 3:
            with contextlib.suppress(TypeError):
                abc.ABCMeta("Made", (cls,), {name(y): abc.abstractmethod(lambda self: z)})
