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
    module = m.world.spaces[1].owner
    module.__name__ = MODULE
    module.__spec__ = importlib.machinery.ModuleSpec(MODULE, LOADER)
    sys.modules[MODULE] = module
    importlib.reload(module)


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
