"""The look from outside: what a function's code can read."""

import functools
import gc
import types
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from depwatch.discovery import calls
from depwatch.discovery.abstract import LRU, known, of_type
from depwatch.discovery.following import predicate
from depwatch.discovery.frame import Frame
from depwatch.discovery.reads import Follow, Found
from depwatch.discovery.walk import Walk
from depwatch.values import brief, is_a

_found: Final[weakref.WeakValueDictionary[tuple[Any, ...], Found]] = weakref.WeakValueDictionary()


def find(
    function: Callable[..., Any],
    follow: Follow,
    argument_types: Sequence[type],
    lines: Iterable[int] | None,
    depth: int,
) -> Found:
    """discover()"""
    if type(depth) is not int or depth < 1:
        raise ValueError(f"depth is {brief(depth)}; it must be at least 1 call")
    types_given = tuple(argument_types)
    for each in types_given:
        if not is_a(each, type):
            raise TypeError(f"argument_types has {brief(each)}, which is no class")
    ran = None if lines is None else frozenset(lines)
    root = _root(function)
    given = (function, follow, types_given)
    key = (*map(id, given[:1] if type(follow) is str else given[:2]), follow if type(follow) is str else None,
           tuple(map(id, types_given)), ran, depth)  # fmt: skip
    before = _found.get(key)
    if before is not None and before.given[0] is function and before.holds():
        return before
    follows = predicate(follow, root)
    hidden: frozenset[str] = frozenset()
    while True:
        walk = Walk(lambda each: each is root or follows(each), root, ran, depth, hidden)
        start = Frame(walk, _START, _START.__code__, {}, None, 0, None)
        calls.call(start, known(function, None), tuple((of_type(each),) for each in types_given) or None, {})
        more = walk.not_hidden - hidden if walk.stores_any else walk.not_hidden & walk.stored - hidden
        if not more:
            break
        hidden |= more
    found = Found(
        root,
        tuple(walk.reads.values()),
        tuple(walk.cells.values()),
        tuple(walk.refused.values()),
        tuple(walk.opaque.values()),
        tuple(walk.leaves.values()),
        walk.checks(),
        given,
    )
    _found[key] = found
    return found


def _root(function: Any) -> types.FunctionType:
    """The Python function that a callable begins with. Raises TypeError."""
    inner = function
    for _ in range(100):
        if type(inner) is types.FunctionType:
            return inner
        if type(inner) is types.MethodType:
            inner = calls.inside(inner, "__func__")
        elif type(inner) is functools.partial:
            inner = calls.inside(inner, "func")
        elif type(inner) is LRU:
            inner = next(filter(calls.is_wrapped, gc.get_referents(inner)), None)
        else:
            break
    raise TypeError(f"{brief(function)} is no Python function, nor a method, functools.partial or lru_cache of one")


_START: Final = types.FunctionType((lambda: None).__code__, {})  # where the code stands that calls it: nowhere
