"""What CPython has seen where code uses attributes and calls: it is in the code's inline caches once that is warm.

A cache has a class or a function by the number that CPython gives each state of it (tp_version_tag, func_version).
Classes are found in the tree of classes by that number, functions among all objects; so what a cache names and is gone
is not found.
"""

import opcode
import time
import weakref
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final, NamedTuple

from . import _tap

_AT: Final = 4  # bytes from the instruction to the number, of four: past it and a counter of 16 bits
_MOST: Final = 100_000  # numbers that are remembered
_SHARE: Final = 20  # of the time at most one part in so many goes into looking at all classes, or at all functions
_METHOD, _OWN, _OTHER, _CALL, _MAKE = range(5)  # what the number in a cache belongs to

# Calls whose callee is Python code, with the number of the function or, where an object is made, of the class.
_CALLS: Final = ("CALL_PY_", "CALL_BOUND_METHOD_", "CALL_KW_PY", "CALL_KW_BOUND_METHOD")
_MAKERS: Final = ("CALL_ALLOC_AND_ENTER_INIT",)


class Site(NamedTuple):
    """An instruction that CPython may specialise for a class or a function."""

    offset: int
    name: str | None  # the attribute; None: a call
    line: int | None
    called: bool  # the attribute is loaded to be called
    callee: int | None  # of a call: where what it calls is loaded by name


class Seen(NamedTuple):
    """What CPython has seen at a site: an attribute of a class or its instances, or a call of a function or class."""

    offset: int
    cls: type | None
    function: Any  # a FunctionType, or None
    of_class: bool  # an attribute of the class itself is used, else of an instance
    name: str | None
    called: bool
    callee: int | None


type Last = dict[int, tuple[weakref.ref[Any], int]]  # by offset: the class or function, and which of the kinds above


def _kind(name: str) -> int | None:
    if name.startswith(("LOAD_ATTR_", "STORE_ATTR_")) and not name.endswith("_MODULE"):
        return _OWN if "_CLASS" in name else _OTHER
    if name.startswith(_MAKERS):
        return _MAKE
    return _CALL if name.startswith(_CALLS) else None


def _instructions() -> dict[str, int]:
    """The specialised ones. Those of 3.12 have the numbers that are left, in the order of a list."""
    known: dict[str, int] = vars(opcode).get("_specialized_opmap", {})
    if known:
        return known
    free = (number for number in range(1, 256) if opcode.opname[number].startswith("<"))
    return dict(zip(vars(opcode)["_specialized_instructions"], free, strict=False))


_INSTRUCTIONS: Final = _instructions()
# The instructions whose cache has a number that we can find, and of what.
_SPECIALIZED: Final = {number: kind for name, number in _INSTRUCTIONS.items() if (kind := _kind(name)) is not None}

# What CPython specialises code for. Of calls, those that run Python code.
LOOKUPS: Final = {
    "attribute": ("LOAD_ATTR_", "STORE_ATTR_", "LOAD_SUPER_ATTR_"),
    "global": ("LOAD_GLOBAL_",),
    "call": (*_CALLS, *_MAKERS),
}


def lookups() -> dict[str, dict[str, int]]:
    """How many there are in hot code now, of each kind, and how many of these are followed; and weighted by calls."""
    starts = tuple(LOOKUPS.values())
    kinds = bytearray([starts.__len__()]) * 256
    for name, number in _INSTRUCTIONS.items():
        for kind, start in enumerate(starts):
            if name.startswith(start):
                kinds[number] = kind
    counted = _tap.lookups(bytes(kinds), bytes(CACHES), starts.__len__())
    columns = ("sites", "followed", "calls", "followed_calls")
    return {kind: dict(zip(columns, row, strict=True)) for kind, row in zip(LOOKUPS, counted, strict=True)}


def _caches() -> bytearray:
    """How many units of cache follow each instruction."""
    caches = bytearray(256)
    entries: Any = vars(opcode)["_inline_cache_entries"]
    named = zip(opcode.opname, entries, strict=False) if isinstance(entries, list) else entries.items()
    for name, count in named:
        number = opcode.opmap.get(name, -1)
        if 0 <= number < 256:
            caches[number] = count
    return caches


CACHES: Final = _caches()


def _tables() -> bytes:
    """Of each instruction as it is in running code: how many units of cache follow it; whether these have a number."""
    caches, has_number = bytearray(CACHES), bytearray(256)
    for base, names in vars(opcode)["_specializations"].items():
        for name in names:
            if name in _INSTRUCTIONS:
                caches[_INSTRUCTIONS[name]] = caches[opcode.opmap[base]]
    for number in _SPECIALIZED:
        has_number[number] = 1
    return bytes(caches + has_number)


TABLES: Final = _tables()


class Finder:
    """Finds classes and functions by their numbers."""

    def __init__(self) -> None:
        self._classes: Final = _Numbered(_all_classes)
        self._functions: Final = _Numbered(_all_functions)
        self.put_off = False  # something was not looked for at the last call of seen(), as it is too early for that

    def seen(self, code: CodeType, sites: tuple[Site, ...], lines: set[int], last: Last) -> Iterator[Seen]:
        """What was seen at those of the sites whose line has run. last: of the same code, which this keeps: a cache is
        empty for a while after a class has changed."""
        adaptive: bytes = code._co_code_adaptive  # type: ignore[attr-defined]
        self.put_off = False
        for site in sites:
            if not (site.line is None or site.line in lines):
                continue
            offset = site.offset
            kind = _SPECIALIZED.get(adaptive[offset])
            if kind is not None:
                of = self._functions if kind == _CALL else self._classes
                reference = of.find(int.from_bytes(adaptive[offset + _AT : offset + _AT + 4], "little"))
                if reference is not None:
                    last[offset] = _tap.hide((reference, kind))  # also where what was put off is found later
                else:
                    self.put_off |= not of.is_sure
                if reference is None and kind == _CALL:
                    last.pop(offset, None)
            if offset in last:
                reference, kind = last[offset]
                if (thing := reference()) is not None:
                    cls, function = (None, thing) if kind == _CALL else (thing, None)
                    called = site.called or kind == _MAKE
                    yield Seen(offset, cls, function, kind == _OWN, site.name, called, site.callee)


class _Numbered:
    """Weak references by number; of the state that each had when all were looked at."""

    def __init__(self, all_of_them: Any) -> None:
        self._all: Final = all_of_them
        self._known: dict[int, weakref.ref[Any] | None] = {}  # None: several have it
        self._next = 0.0  # when all may be looked at again
        self.is_sure = True  # of the last answer of find(): it was not too early to look at all

    def find(self, version: int) -> weakref.ref[Any] | None:
        self.is_sure = True
        if version not in self._known:
            begun = time.monotonic()
            self.is_sure = begun >= self._next
            if self.is_sure:
                self._known = _tap.hide(self._all(self._known if self._known.__len__() < _MOST else {}))
                now = time.monotonic()
                self._next = now + _SHARE * (now - begun)
        return self._known.get(version)


def _all_classes(known: dict[int, weakref.ref[Any] | None]) -> dict[int, weakref.ref[Any] | None]:
    waiting: list[type] = [object]
    while waiting:
        cls = waiting.pop()
        if version := _tap.version_of(cls):
            known[version] = _tap.weak(cls)
        waiting += type.__subclasses__(cls)
    return known


def _all_functions(_: dict[int, weakref.ref[Any] | None]) -> dict[int, weakref.ref[Any] | None]:
    """Closures that are made anew of the same code share its number: which of them was seen is not known."""
    known: dict[int, weakref.ref[Any] | None] = {}
    for function, version in _tap.functions():
        known[version] = None if version in known else _tap.weak(function)
    return known
