"""Every way to change a function."""

import functools
from typing import Any

from fuzz.routes import route
from fuzz.values import Value
from fuzz.world import World


def pick(world: World, x: int) -> Any:
    return world.functions[x % len(world.functions)].item


@route(3)
def code(m: Any, x: int, y: int, z: int) -> None:
    pick(m.world, x).__code__ = m.world.codes[y % len(m.world.codes)]


@route(3)
def defaults(m: Any, x: int, y: int, z: int) -> None:
    function = pick(m.world, x)
    if z < 64:
        del function.__defaults__
    else:
        function.__defaults__ = None if z < 96 else (m.world.value(y),)


@route(3)
def kwdefaults(m: Any, x: int, y: int, z: int) -> None:
    function = pick(m.world, x)
    if z < 64:
        del function.__kwdefaults__
    else:
        function.__kwdefaults__ = None if z < 96 else {"b": m.world.value(y)}


@route(2)
def kwdefaults_in_place(m: Any, x: int, y: int, z: int) -> None:
    found = pick(m.world, x).__kwdefaults__
    if not found:
        return
    match z % 5:
        case 0:
            found["b"] = m.world.value(y)
        case 1:
            found.update(b=m.world.value(y))
        case 2:
            found["c"] = y
        case 3:
            found.clear()
        case 4:
            found["b"] = found.get("b", y)


@route(1)
def same_parts(m: Any, x: int, y: int, z: int) -> None:
    function = pick(m.world, x)
    function.__code__ = function.__code__
    function.__defaults__ = function.__defaults__
    function.__kwdefaults__ = function.__kwdefaults__


@route(1)
def other_attributes(m: Any, x: int, y: int, z: int) -> None:
    function = pick(m.world, x)
    function.__name__ = f"name {y}"
    function.__qualname__ = f"qualname {y}"
    function.__doc__ = "text"
    function.__annotations__ = {"a": int}
    function.extra = z
    function.__closure__[0].cell_contents = y


@route(1)
def wrap(m: Any, x: int, y: int, z: int) -> None:
    functools.update_wrapper(lambda: 1, pick(m.world, x))
    functools.update_wrapper(pick(m.world, y), len)
    pick(m.world, y).__dict__.clear()


@route(1)
def partial(m: Any, x: int, y: int, z: int) -> None:
    """A partial of the function calls it as it is now, and can be told to call another."""
    function, other = pick(m.world, x), pick(m.world, y)
    made = functools.partial(function, b=z)
    made(1)
    made.__setstate__((other, (1,), {"b": z}, {"extra": y}))
    made()
    functools.partial(made, 2) if z & 1 else made.__reduce__()


@route(1)
def short_lived(m: Any, x: int, y: int, z: int) -> None:
    list(value for value in (lambda: y, Value()))  # noqa: C400 (a generator expression is a function)
    function = pick(m.world, x)
    type(function)(function.__code__, {}, closure=function.__closure__)


@route(1)
def renew_function(m: Any, x: int, y: int, z: int) -> None:
    m.world.renew_function(x)
