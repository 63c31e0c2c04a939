"""Lazy imports (3.15+): names that stand for an import which is not made yet."""

from typing import Any

from fuzz.routes import route
from fuzz.routes_dict import name, place
from fuzz.values import is_lazy
from fuzz.world import HAS_LAZY_IMPORTS, LOAD, lazy_import


@route(3)
def store_a_lazy_import(m: Any, x: int, y: int, z: int) -> None:
    if HAS_LAZY_IMPORTS:
        place(m.world, x)[name(y)] = lazy_import(m.world.value(z))["lazy"]
        m.count("lazy imports")


@route(3)
def load(m: Any, x: int, y: int, z: int) -> None:
    """Makes the import, if the name stands for one."""
    space = m.world.space(x)
    found = space.dict.get(name(y), space.builtins_of_function().get(name(y)))
    if found is not None:
        assert not is_lazy(space.function(LOAD[name(y)])())
        m.count("lazy imports made") if is_lazy(found) else None


@route(1)
def load_attribute(m: Any, x: int, y: int, z: int) -> None:
    owner = m.world.spaces[1].owner
    assert not is_lazy(getattr(owner, name(y), None))
