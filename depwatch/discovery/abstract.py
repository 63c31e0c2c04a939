"""What is known of a value before code runs: which object it is, or which class it has, or nothing."""

import functools
import types
from collections.abc import Iterable
from typing import Any, Final, Literal, final

from depwatch.discovery.reads import Read
from depwatch.naming import is_immutable

type What = Literal["known", "instance", "plain", "unknown", "bound", "made", "super"]
type Origin = Literal["arguments", "world", "here"]  # what settles an instance's attributes; here: it is made here
type Values = tuple[Value, ...]


def ids(*objects: Any) -> frozenset[int]:
    """By identity: an == with a class of the program may run its metaclass. For objects that do not die."""
    return frozenset(map(id, objects))


PLAIN_TYPES: Final = ids(
    int, float, complex, str, bytes, bool, types.NoneType, types.EllipsisType, types.NotImplementedType, range
)
LRU: Final = functools._lru_cache_wrapper
_LEADING_ON: Final = ids(
    types.FunctionType, types.MethodType, functools.partial, LRU, staticmethod, classmethod, property
)
MOST: Final = 8  # values that one use may have, before it may have any


@final
class Value:
    """known: this object. instance: of exactly this class. plain: data of built-in types through and through.

    bound: a function (a Value) and its first argument. made: a function that the code makes. super: a class and a first
    argument.
    """

    __slots__ = ("first", "obj", "origin", "via", "what")

    def __init__(
        self,
        what: What,
        obj: Any = None,
        via: Read | None = None,
        origin: Origin = "arguments",
        first: "Value | None" = None,
    ) -> None:
        self.what: Final = what
        self.obj: Final = obj
        self.via: Final = via
        self.origin: Final[Origin] = origin
        self.first: Final = first

    def key(self) -> tuple[Any, ...]:
        if self.what == "bound" and self.first is not None:
            return ("bound", self.obj.key(), self.first.key())
        return (self.what, id(self.obj), self.origin)


UNKNOWN: Final = Value("unknown")
PLAIN: Final = Value("plain")
ANY: Final = (UNKNOWN,)
DATA: Final = (PLAIN,)


def known(obj: Any, via: Read | None) -> Value:
    return Value("known", obj, via, "world")


def union(parts: Iterable[Values]) -> Values:
    """All of these, each once; anything where there are too many."""
    parts = [part for part in parts if part]
    if len(parts) == 1:
        return parts[0]
    by_key = {value.key(): value for part in parts for value in part}
    if len(by_key) > MOST:
        return (UNKNOWN, *(value for value in by_key.values() if leads_on(value)))
    return tuple(by_key.values())


def leads_on(value: Value) -> bool:
    """Whether a call of the value runs code that can be found."""
    if value.what == "bound":
        return True
    if value.what != "known":
        return False
    kind = type(value.obj)
    if id(kind) in _LEADING_ON:
        return True
    return issubclass(kind, type) and not is_immutable(value.obj)


def is_plain(value: Value) -> bool:
    what = value.what
    if what == "known":
        return id(type(value.obj)) in PLAIN_TYPES or is_plain_object(value.obj)
    return what == "plain" or (what == "instance" and id(value.obj) in PLAIN_TYPES)


def is_plain_object(obj: Any) -> bool:
    kind = type(obj)
    if kind is tuple or kind is frozenset:
        return len(obj) <= 100 and all(id(type(each)) in PLAIN_TYPES for each in obj)
    return id(kind) in PLAIN_TYPES


def class_of(value: Value) -> type | None:
    """The class that the value is an exact instance of, where it is known."""
    if value.what == "known":
        return type(value.obj)
    return value.obj if value.what == "instance" else None


def of_type(kind: type) -> Value:
    """An argument of this class."""
    return PLAIN if id(kind) in PLAIN_TYPES else Value("instance", kind)


def in_call(value: Value) -> Value:
    """What a callee is told of an argument: no more than changes what it can read."""
    if value.what == "known":
        if is_plain_object(value.obj):
            return PLAIN
        return value
    return UNKNOWN if value.what == "made" else value
