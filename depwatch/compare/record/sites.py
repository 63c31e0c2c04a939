"""The classes that CPython has seen where code uses attributes: they are in its inline caches once the code is warm.

A cache has the class by the number that CPython gives each state of a class (tp_version_tag). The class is found in the
tree of classes by that number, so what a cache names and is gone is not found.
"""

import dis
import opcode
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from . import _tap

type Site = tuple[int, str, int | None, bool]  # offset, attribute, line, whether it is loaded to be called

type Last = dict[int, tuple[weakref.ref[type], bool]]  # by offset: the class, and whether its own attribute was used

_AT: Final = 4  # bytes from the instruction to the number, of four: past it and a counter of 16 bits
_MOST: Final = 100_000  # numbers that are remembered
_SHARE: Final = 20  # of the time at most one part in so many goes into looking at all classes


def _specialized() -> dict[int, bool]:
    """The instructions whose cache has the number of a class: whether it is the class whose own attribute is used."""
    known: Any = vars(opcode).get("_specialized_opmap") or {
        name: number for number, name in enumerate(vars(dis)["_all_opname"])
    }
    return {
        number: "_CLASS" in name
        for name, number in known.items()
        if name.startswith(("LOAD_ATTR_", "STORE_ATTR_")) and not name.endswith("_MODULE")
    }


_SPECIALIZED: Final = _specialized()


@dataclass(frozen=True, slots=True)
class Seen:
    """What CPython has seen at one site."""

    cls: type
    of_class: bool  # an attribute of the class itself is used, else of an instance
    name: str
    called: bool


class Classes:
    """Finds classes by their numbers."""

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[type]] = {}
        self._next = 0.0  # when all may be looked at again

    def seen(self, code: CodeType, sites: tuple[Site, ...], lines: set[int], last: Last) -> Iterator[Seen]:
        """What was seen at those of the sites whose line has run. last: of the same code, which this keeps: a cache is
        empty for a while after the class has changed."""
        adaptive: bytes = code._co_code_adaptive  # type: ignore[attr-defined]
        for offset, name, line, called in sites:
            if not (line is None or line in lines):
                continue
            of_class = _SPECIALIZED.get(adaptive[offset])
            if of_class is not None:
                cls = self._find(int.from_bytes(adaptive[offset + _AT : offset + _AT + 4], "little"))
                if cls is not None:
                    last[offset] = weakref.ref(cls), of_class
            if offset in last:
                reference, of_class = last[offset]
                if (cls := reference()) is not None:
                    yield Seen(cls, of_class, name, called)

    def _find(self, version: int) -> type | None:
        """The class that has this number, or had it when it was looked at."""
        if version not in self._known and time.monotonic() >= self._next:
            self._look()
        reference = self._known.get(version)
        return None if reference is None else reference()

    def _look(self) -> None:
        begun = time.monotonic()
        if len(self._known) > _MOST:
            self._known.clear()
        waiting: list[type] = [object]
        while waiting:
            cls = waiting.pop()
            if version := _tap.version_of(cls):
                self._known[version] = weakref.ref(cls)
            waiting += type.__subclasses__(cls)
        now = time.monotonic()
        self._next = now + _SHARE * (now - begun)
