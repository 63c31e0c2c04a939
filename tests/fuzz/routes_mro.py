"""Metaclasses with an mro() of their own: it runs in the middle of an assignment of bases, and does what it likes."""

import contextlib
from typing import Any

import depwatch
from fuzz.routes import route
from fuzz.routes_type import choose, give_bases, name, pick


@route(1)
def mro_of_a_metaclass(m: Any, x: int, y: int, z: int) -> None:
    """It gets one, or loses it."""
    if z & 1:
        m.world.mro_metaclass.mro = lambda cls: m.world.mro(cls)  # a bound method would not get the class
    elif "mro" in vars(m.world.mro_metaclass):
        del m.world.mro_metaclass.mro


@route(1)
def class_of_a_class_with_an_mro(m: Any, x: int, y: int, z: int) -> None:
    """A subclass gets the metaclass, or another."""
    cls = m.world.mro_classes[x % len(m.world.mro_classes)]
    with contextlib.suppress(TypeError):
        cls.__class__ = m.world.mro_metaclass if z & 3 else m.world.metaclass


class Raised(Exception):
    """By an mro()."""


@route(3, transient=True)
def bases_while_an_mro_runs(m: Any, x: int, y: int, z: int) -> None:
    world = m.world

    def between() -> None:
        match z % 8:
            case 0 | 1:
                give_bases(world, choose(x), z >> 3)
            case 2:
                give_bases(world, choose(y), z >> 3)
            case 3:
                setattr(pick(world, y), name(z >> 3), world.value(z))
            case 4:
                depwatch.drain()
            case 5:
                give_bases(world, choose(x), z >> 3)
                depwatch.drain()
        if z >= 192:
            raise Raised

    world.between = between
    try:
        with contextlib.suppress(Raised):
            give_bases(world, choose(x), y)
    finally:
        world.between = None
