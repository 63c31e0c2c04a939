"""What happens to modules, beside their dicts."""

import importlib
import sys
import types
from typing import Any

from fuzz.routes import route
from fuzz.world import LOADER, MODULE, NAMES


def name(y: int) -> str:
    return NAMES[y % 4]


@route(1)
def reload_with_other_values(m: Any, x: int, y: int, z: int) -> None:
    LOADER.reloads = {name(y): m.world.value(z), name(x): m.world.value(y)}
    _reload(m)


@route(1)
def reload_with_the_same(m: Any, x: int, y: int, z: int) -> None:
    _reload(m)


def _reload(m: Any) -> None:
    m.world.publish_module()
    importlib.reload(m.world.spaces[1].owner)


@route(1)
def replace_in_sys_modules(m: Any, x: int, y: int, z: int) -> None:
    sys.modules[MODULE] = types.ModuleType(MODULE)


@route(1)
def getattr_of_the_module(m: Any, x: int, y: int, z: int) -> None:
    space = m.world.spaces[1].dict
    if z & 1:
        space["__getattr__"] = lambda wanted: (_ for _ in ()).throw(AttributeError(wanted))
    else:
        space.pop("__getattr__", None)


def computing(of: str) -> type:
    """A class of modules that computes one of the names; storing and deleting it is left to the module's dict."""
    made = property(
        lambda self: 1.5,
        lambda self, value: vars(self).__setitem__(of, value),
        lambda self: vars(self).__delitem__(of),
    )
    return type("Computing", (types.ModuleType,), {of: made})


COMPUTING = [computing(each) for each in NAMES]


@route(1)
def class_of_module(m: Any, x: int, y: int, z: int) -> None:
    m.world.spaces[1].owner.__class__ = COMPUTING[y % 4] if z < 10 else types.ModuleType
    m.world.module_classes += 1
