"""What programs store, and how a value is recognised later without keeping it alive: depwatch must not need us to."""

import functools
import struct
import types
import weakref
from typing import Any

import depwatch

may_act = False  # while a route changes the world, and not while that is looked at


class Value:
    """Can be referred to weakly."""

    __slots__ = ("__weakref__",)


class Mark:
    __slots__ = ("alive",)

    def __init__(self) -> None:
        self.alive = True


class Bare:
    """Cannot be referred to weakly: known by its mark. Its destructor runs Python wherever the last reference goes, and
    drains there if it acts."""

    __slots__ = ("acts", "mark")

    def __init__(self, acts: bool = False) -> None:
        self.mark, self.acts = Mark(), acts

    def __del__(self) -> None:
        self.mark.alive = False
        if self.acts and may_act:
            depwatch.drain()


class Scalar:
    """An exact int, float or str is the same value if it has the same bits."""

    __slots__ = ("bits", "kind")

    def __init__(self, value: Any) -> None:
        self.kind = type(value)
        self.bits = struct.pack("d", value) if self.kind is float else value


class Strong:
    """Anything else is kept."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Missing:
    """The type of MISSING (nothing is found) and GONE (there is nothing any more that could be looked at)."""


MISSING, GONE = Missing(), Missing()
_LAZY = getattr(types, "LazyImportType", Missing)  # 3.15+


def is_lazy(value: Any) -> bool:
    """Whether it stands for an import that is not made yet: no value that code could find."""
    return type(value) is _LAZY and _LAZY is not Missing


def key_of(value: Any) -> Any:
    kind = type(value)
    if value is MISSING:
        return MISSING  # that nothing is found can be relied on, too
    if kind is Value:
        return weakref.ref(value)
    if kind is Bare:
        return value.mark
    if kind is int or kind is float or kind is str:
        return Scalar(value)
    return Strong(value)


def same(now: Any, key: Any) -> bool:
    """Whether the value found now is the one of the key."""
    kind = type(key)
    if kind is Missing:
        return now is key
    if kind is weakref.ref:
        return type(now) is Value and key() is now
    if kind is Mark:
        return type(now) is Bare and now.mark is key
    if kind is Scalar:
        if type(now) is not key.kind:
            return False
        return (struct.pack("d", now) if key.kind is float else now) == key.bits
    return now is key.value


def same_key(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) is Strong and a.value is b.value)


def value_of(key: Any) -> Any:
    """The value, or MISSING if it is dead or only its mark is known."""
    kind = type(key)
    if kind is weakref.ref:
        value = key()
        return MISSING if value is None else value
    if kind is Scalar:
        return struct.unpack("d", key.bits)[0] if key.kind is float else key.bits
    return MISSING if kind is Mark or kind is Missing else key.value


def is_dead(key: Any) -> bool:
    kind = type(key)
    if kind is weakref.ref:
        return key() is None
    return kind is Mark and not key.alive


LONG_LIVED = [Value(), Value(), Bare(), 1.5, -0.0, 0.0, float("nan"), 7, 10**30, "text", None, True, (1, 2), [], Value,
              functools.partial(len)]  # fmt: skip


_acting: set[weakref.ref[Value]] = set()  # weak references that drain when their value dies


def _value_died(reference: weakref.ref[Value]) -> None:
    _acting.discard(reference)
    if may_act:
        depwatch.drain()


def make(number: int) -> Any:
    """A value by a number below 256: some come again and again, most are new."""
    if number < 40:
        return LONG_LIVED[number % len(LONG_LIVED)]
    fresh = number % 6
    if fresh < 2:
        value = Value()
        if number & 16:
            _acting.add(weakref.ref(value, _value_died))
        return value
    if fresh == 2:
        return Bare(acts=bool(number & 16))
    if fresh == 3:
        return number + 0.25
    if fresh == 4:
        return 10**12 + number
    return f"value {number}"
