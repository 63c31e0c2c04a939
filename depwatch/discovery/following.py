"""Which Python functions discovery goes into: the boundary around what it looks at."""

import functools
import re
import site
import sysconfig
import types
from collections.abc import Callable

from depwatch.discovery.reads import Follow
from depwatch.values import brief

type Predicate = Callable[[types.FunctionType], object]


@functools.cache
def _places() -> tuple[str, ...]:
    """Where the standard library and installed packages are, and what is frozen into CPython: the longest first."""
    paths = sysconfig.get_paths()
    found = [paths.get(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = {path.rstrip("/") + "/" for path in (*found, *site.getsitepackages()) if path}
    return (*sorted(folders, key=len, reverse=True), "<frozen ")


@functools.lru_cache(maxsize=4096)
def _package_in(file: str) -> str | None:
    for place in _places():
        if file.startswith(place):
            return re.split(r"[./>]", file[len(place) :], maxsplit=1)[0]
    return None


def package_of(function: types.FunctionType) -> str | None:
    """The top-level package or module that a function was written in; None for the program itself.

    By the place of its code: the globals of a function may have keys that run the program's code when they are asked.
    """
    return package_of_code(function.__code__)


def package_of_code(code: types.CodeType) -> str | None:
    return _package_in(str.__str__(code.co_filename))  # exact: a subclass of str has a say in its hash


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
