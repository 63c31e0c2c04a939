"""Which Python functions discovery goes into: the boundary around what it looks at."""

import functools
import site
import sysconfig
import types
from collections.abc import Callable
from typing import Literal

from depwatch.values import brief, is_a

type Follow = Literal["default", "all"] | Callable[[types.FunctionType], object]
type Predicate = Callable[[types.FunctionType], object]


@functools.cache
def _places() -> tuple[str, ...]:
    """Where the standard library and installed packages are, and what is frozen into CPython."""
    paths = sysconfig.get_paths()
    found = [paths.get(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return ("<frozen ", *{path.rstrip("/") + "/" for path in (*found, *site.getsitepackages()) if path})


def package_of(function: types.FunctionType) -> str | None:
    """The top-level package or module that a function was written in; None for the program itself."""
    file = function.__code__.co_filename
    if file.startswith(_places()):
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
