"""The objects and facets that a program's functions depend on: found by address, told of by the tap, not kept alive."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from types import FunctionType, ModuleType
from typing import Any, Final

# Past __getattribute__ and metaclasses of the program: no code of its own may run because it is recorded.
from depwatch.values import dict_of_class, dict_of_module, flags_of, is_a, mro_of, qualname_of

from . import _tap
from .places import Places

type Owner = FunctionType | dict[str, Any] | type

_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE

MISSING: Final = object()


class Kind(StrEnum):
    GLOBAL = "global"  # [globals, builtins], as code looks a name up
    MODULE = "module attribute"
    TYPE = "type attribute"
    FUNCTION = "function"


class Objects:
    """Gives objects and facets their numbers. An object that died is no longer found here."""

    def __init__(self, places: Places) -> None:
        self._places: Final = places
        self._at: Final[dict[int, _tap.Object]] = {}  # by address
        self._named: Final[dict[tuple[int, int, str, str], _tap.Facet]] = {}
        self._of: Final[dict[int, list[tuple[int, int, str, str]]]] = {}  # names of the facets, by object

    def object(self, owner: Owner) -> _tap.Object:
        """The object of a dict, class or function. Raises depwatch.Unwatchable."""
        known = self._at.get(id(owner))
        if known is not None and not known.dead:
            return known
        self._bury()
        new = self._at[id(owner)] = _tap.Object(owner, *self._describe(owner))
        return new

    def facet(self, kind: Kind, owner: _tap.Object, fallback: _tap.Object | None, name: str) -> _tap.Facet:
        """fallback: of a global, the builtins."""
        key = (owner.number, -1 if fallback is None else fallback.number, kind.value, name)
        known = self._named.get(key)
        if known is None:
            known = self._named[key] = _tap.Facet(kind.value, owner, fallback, sys.intern(name))
            known.lies_in(owner)
            if fallback is not None:
                known.lies_in(fallback)
            self._of.setdefault(owner.number, []).append(key)
        return known

    def _bury(self) -> None:
        """Forget the objects that have died, with their facets."""
        if not _tap.any_dead():
            return
        dead = [(address, each) for address, each in list(self._at.items()) if each.dead]
        for address, each in dead:
            del self._at[address]
            for key in self._of.pop(each.number, ()):
                del self._named[key]
        _tap.bury([each for _, each in dead])

    def _describe(self, owner: Owner) -> tuple[str, str, str | None]:
        """(type, name, file)"""
        if isinstance(owner, dict):
            name = _text(dict.get(owner, "__name__"), "<dict>")
            kind = "builtins" if name == "builtins" else "dict" if module_of(owner) is None else "module"
            return kind, name, self._file(owner)
        if isinstance(owner, FunctionType):
            name = f"{_text(owner.__module__, '?')}.{_text(owner.__qualname__, '?')}"
            return "function", name, self._places.name(owner.__code__.co_filename)
        name = _text(dict_of_class(owner).get("__module__"), "?")
        module = sys.modules.get(name)
        file = self._file(dict_of_module(module)) if module is not None and is_a(module, ModuleType) else None
        return "type", f"{name}.{qualname_of(owner)}", file

    def _file(self, namespace: dict[str, Any]) -> str | None:
        file = dict.get(namespace, "__file__")
        return self._places.name(file) if type(file) is str else None


def _text(value: object, otherwise: str) -> str:
    return value if type(value) is str else otherwise


def provided(cls: type, name: str) -> Iterator[tuple[type, object]]:
    """The classes along the MRO that have name, each with the raw value; the first one counts."""
    for base in mro_of(cls):
        value = dict_of_class(base).get(name, MISSING)
        if value is not MISSING:
            yield base, value


def heap_bases(cls: type) -> list[type]:
    """The classes whose change is a change of cls; static types cannot change."""
    return [base for base in mro_of(cls) if is_heap(base)]


def is_heap(cls: type) -> bool:
    return bool(flags_of(cls) & _HEAP_TYPE)


def module_of(namespace: dict[str, Any]) -> ModuleType | None:
    """The module whose dict this is."""
    name = dict.get(namespace, "__name__")
    module = sys.modules.get(name) if type(name) is str else None
    if module is not None and is_a(module, ModuleType) and dict_of_module(module) is namespace:
        return module
    return None
