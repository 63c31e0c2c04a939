"""Remember a value without keeping it alive."""

import struct
import weakref
from typing import Any, Final

from . import _tap

_LONG: Final = 64  # bytes of a value that is worth keeping as it is


class Recorded:
    """A value that was read, to be compared with a later one.

    The rule is the core's (ext/facet/values.h): exact ints, floats and strings are compared by type and bits, other
    values by identity: through a weak reference or, where the type has none (list, dict, tuple, ...) or where it would
    show (an array, that is not resized then), by type and address. It is written again, here and in tap/value.h, as the
    core compares two values that live, and a recorder must not keep one alive; and what is here checks the other two.

    An address alone can lie: the value may have died and another one of its type been put there. It does not for a
    facet that has held since it was recorded, because the place that was read owns the value. So only a change that
    was missed *and* put a new value of the same type at the very same address would escape the comparison.
    """

    __slots__ = ("_kind", "_what")

    def __init__(self, value: object) -> None:
        self._kind: type[Any] = type(value)
        self._what: object = _bits(value)
        if self._what is None:
            try:
                self._what = id(value) if _tap.shows_weakrefs(value) else weakref.ref(value)
            except TypeError:
                self._what = id(value)

    def is_same(self, value: object) -> bool:
        if type(value) is not self._kind:
            return False
        if isinstance(self._what, weakref.ref):
            return self._what() is value
        bits = _bits(value)
        return self._what == (id(value) if bits is None else bits)


def _bits(value: object) -> tuple[object, ...] | None:
    """What tells value from others of its type by its bits; None if only its identity does."""
    kind = type(value)
    if kind is int:
        assert isinstance(value, int)
        return (value,) if value.bit_length() <= _LONG * 8 else (value.bit_length(), hash(value))
    if kind is float:
        return (struct.pack("d", value),)
    if kind is str:
        assert isinstance(value, str)
        return (value,) if len(value) <= _LONG else (len(value), hash(value))
    return None
