"""Which Python functions discovery goes into: the boundary around what it looks at."""

import site
import sysconfig
import types
from collections.abc import Callable
from typing import Final, Literal

from depwatch.values import brief, is_a

type Follow = Literal["default", "all"] | Callable[[types.FunctionType], object]
type Predicate = Callable[[types.FunctionType], object]

_LIBRARY: Final = tuple(
    {path.rstrip("/") + "/" for path in map(sysconfig.get_paths().get, ("stdlib", "platstdlib")) if path}
)
_INSTALLED: Final = tuple(
    {
        path.rstrip("/") + "/"
        for path in (
            *map(sysconfig.get_paths().get, ("purelib", "platlib")),
            *(site.getsitepackages() if hasattr(site, "getsitepackages") else ()),
        )
        if path
    }
)


def package_of(function: types.FunctionType) -> str | None:
    """The top-level package or module that a function was written in; None for the program itself."""
    file = function.__code__.co_filename
    if file.startswith(("<frozen ", *_LIBRARY, *_INSTALLED)):
        name = dict.get(function.__globals__, "__name__") if is_a(function.__globals__, dict) else None
        return name.partition(".")[0] if type(name) is str else file
    return None


def predicate(follow: Follow, root: types.FunctionType) -> Predicate:
    """What a `follow` means. Raises TypeError."""
    if callable(follow):
        return follow
    if type(follow) is str and follow == "all":
        return lambda function: True
    if type(follow) is str and follow == "default":
        own = package_of(root)
        return lambda function: package_of(function) in (None, own)
    raise TypeError(f'follow must be "default", "all" or a function of a function, not {brief(follow)}')
