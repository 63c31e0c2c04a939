"""Code that is run in a namespace: everything in the language that binds or unbinds a name."""

import contextlib
import types
from typing import Any

from fuzz.routes import route
from fuzz.routes_dict import name, place
from fuzz.world import DELETE, MODULE, STORE, VALUES, Space, code_at_top, code_of_function

BINDINGS = (
    "NAME = VALUES.pop()",
    "for NAME in VALUES: pass",
    "with nullcontext(VALUES.pop()) as NAME: pass",
    "(NAME := VALUES.pop())",
    "[NAME := each for each in VALUES]",
    "OTHER, NAME = None, VALUES.pop()",
    "[*NAME] = VALUES",
    "match VALUES.pop():\n    case NAME: pass",
    "def NAME(): pass",
    "class NAME: pass",
    "type NAME = int",
    "import keyword as NAME",
    "from keyword import iskeyword as NAME",
)
REBINDINGS = (
    "NAME = 1.5\nNAME += 1",
    "NAME = OTHER = VALUES.pop()\ndel NAME",
    "for NAME in (*VALUES, 1, 2): pass",
    "try:\n    raise VALUES.pop()\nexcept BaseException as NAME:\n    pass",
    "try:\n    raise ExceptionGroup('', [ValueError()])\nexcept* ValueError as NAME:\n    pass",
)
WRITTEN = (
    "locals()['NAME'] = VALUES.pop()",
    "globals()['NAME'] = VALUES.pop()",
    "vars()['NAME'] = VALUES.pop()",
    "getframe().f_locals['NAME'] = VALUES.pop()",
    "getframe().f_globals['NAME'] = VALUES.pop()",
    "exec('NAME = VALUES.pop()')",
    "eval('(NAME := VALUES.pop())')",
    "NAME: int = VALUES.pop()",
)
AT_TOP = [code_at_top(source) for source in BINDINGS]
IN_FUNCTIONS = [code_of_function(source) for source in BINDINGS]
AGAIN_AT_TOP = [code_at_top(source) for source in REBINDINGS]
AGAIN_IN_FUNCTIONS = [code_of_function(source) for source in REBINDINGS]
THROUGH_VIEWS = [code_at_top(source) for source in WRITTEN]
STAR = compile(f"from {MODULE} import *", "<fuzz>", "exec")
SHORT_LIVED = compile(
    "(lambda: 0)(); [each for each in ()]; (each for each in ()); (lambda: (yield))()", "<fuzz>", "exec"
)


def execute(space: Space, code: types.CodeType, *values: Any) -> None:
    """Run the code in the namespace itself; the values wait in its builtins."""
    assert space.dict is not None
    VALUES[:] = values
    try:
        exec(code, space.dict)
    finally:
        VALUES.clear()


def call(space: Space, code: types.CodeType, *values: Any) -> None:
    """Call a function of the namespace."""
    VALUES[:] = values
    try:
        space.function(code)()
    finally:
        VALUES.clear()


@route(4)
def store_global(m: Any, x: int, y: int, z: int) -> None:
    m.world.space(x).function(STORE[name(y)])(m.world.value(z))


@route(1)
def delete_global(m: Any, x: int, y: int, z: int) -> None:
    space = m.world.space(x)
    if name(y) in space.dict:
        space.function(DELETE[name(y)])()


@route(3)
def bind_at_the_top(m: Any, x: int, y: int, z: int) -> None:
    execute(m.world.space(x), AT_TOP[z % len(AT_TOP)][name(y)], m.world.value(z))


@route(2)
def bind_in_a_function(m: Any, x: int, y: int, z: int) -> None:
    call(m.world.space(x), IN_FUNCTIONS[z % len(IN_FUNCTIONS)][name(y)], m.world.value(z))


@route(1, transient=True)
def bind_more_than_once(m: Any, x: int, y: int, z: int) -> None:
    with contextlib.suppress(TypeError):  # a value that acts as it dies may change the name between two lines
        if z & 128:
            execute(m.world.space(x), AGAIN_AT_TOP[z % len(AGAIN_AT_TOP)][name(y)], ValueError())
        else:
            call(m.world.space(x), AGAIN_IN_FUNCTIONS[z % len(AGAIN_IN_FUNCTIONS)][name(y)], ValueError())


@route(1)
def write_through_a_view(m: Any, x: int, y: int, z: int) -> None:
    """locals(), globals(), f_locals of code at the top are the namespace itself."""
    execute(m.world.space(x), THROUGH_VIEWS[z % len(THROUGH_VIEWS)][name(y)], m.world.value(z))


@route(1)
def locals_of_exec(m: Any, x: int, y: int, z: int) -> None:
    """The namespace as the locals of code whose globals are others."""
    exec(AT_TOP[0][name(y)], {"VALUES": [m.world.value(z)]}, m.world.space(x).dict)


@route(1)
def import_star(m: Any, x: int, y: int, z: int) -> None:
    m.world.publish_module()
    if all(type(each) is str for each in m.world.spaces[1].dict):
        execute(m.world.space(x), STAR)


@route(1, transient=True)
def class_body(m: Any, x: int, y: int, z: int) -> None:
    """A class body is executed in what __prepare__ returns."""
    where, special = place(m.world, x), ("__module__", "__qualname__", "__firstlineno__", "__static_attributes__")
    before = {each: where[each] for each in special if each in where}

    class Prepared(type):
        @classmethod
        def __prepare__(metacls, *of: Any) -> Any:
            return where

        def __new__(metacls, called: str, bases: Any, namespace: Any) -> Any:
            return type(called, bases, {})

    space = {"Prepared": Prepared, "NEW_VALUE": m.world.value(z)}
    exec(f"class C(metaclass=Prepared):\n    {name(y)} = NEW_VALUE", space)
    for each in special:
        where.pop(each, None)
    where.update(before)


@route(1)
def short_lived_functions(m: Any, x: int, y: int, z: int) -> None:
    """Functions and generators come and go in the namespace, and change nothing in it."""
    for _ in range(1 + z % 4):
        execute(m.world.space(x), SHORT_LIVED)
