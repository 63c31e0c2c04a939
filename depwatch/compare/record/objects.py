"""The objects and facets that a program's functions depend on: found by address, told of by the tap, not kept alive."""

import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Final

# Past __getattribute__ and metaclasses of the program: no code of its own may run because it is recorded.
from depwatch.values import dict_of_class, dict_of_module, flags_of, is_a, mro_of, qualname_of

from . import _tap
from .places import Places

type Owner = FunctionType | dict[str, Any] | type

_IMMUTABLE_TYPE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: re.Pattern, collections.deque
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE

MISSING: Final = object()


class Kind:
    """Of a facet. No Enum: that looks its values up by Python code."""

    GLOBAL: Final = "global"  # a key of one namespace, whether a global or an attribute of its module
    TYPE: Final = "type attribute"
    FUNCTION: Final = "function"


class Objects:
    """Gives objects and facets their numbers. An object that died is no longer found here."""

    def __init__(self, places: Places) -> None:
        self._places: Final = places
        self._at: Final[dict[int, _tap.Object]] = {}  # by address
        self._named: Final[dict[tuple[int, str, str], _tap.Facet]] = {}
        self._of: Final[dict[int, list[tuple[int, str, str]]]] = {}  # names of the facets, by object
        self._chains: Final[
            dict[int, tuple[int, tuple[_tap.Object, ...]]]
        ] = {}  # by a class's address, with its number

    def object(self, owner: Owner) -> _tap.Object:
        """The object of a dict, class or function. Raises depwatch.Unwatchable."""
        known = self._at.get(id(owner))
        if known is not None and not known.dead:
            return known
        self._bury()
        new = self._at[id(owner)] = _tap.Object(owner, *self._describe(owner))
        return new

    def chain(self, cls: type) -> tuple[_tap.Object, ...]:
        """The objects of the classes that its attributes lie in. Raises depwatch.Unwatchable."""
        number = _tap.version_of(cls)  # no two states of classes have the same
        known = self._chains.get(id(cls))
        if known is not None and number and known[0] == number:
            return known[1]
        chain = tuple([self.object(base) for base in mro_of(cls) if may_change(base)])
        if number:
            self._chains[id(cls)] = _tap.hide((number, chain))
        return chain

    def facet(self, kind: str, owner: _tap.Object, name: str) -> _tap.Facet:
        key = (owner.number, kind, name)
        known = self._named.get(key)
        if known is None:
            known = self._named[key] = _tap.Facet(kind, owner, sys.intern(name))
            known.lies_in(owner)
            if owner.number not in self._of:
                self._of[owner.number] = _tap.hide([])
            self._of[owner.number].append(_tap.hide(key))
        return known

    def forget(self) -> None:
        """All of them, dead or alive."""
        _tap.bury(list(self._at.values()))
        for known in (self._at, self._named, self._of, self._chains):
            known.clear()

    def _bury(self) -> None:
        """Forget the objects that have died, with their facets."""
        if not _tap.any_dead():
            return
        dead = [(address, each) for address, each in list(self._at.items()) if each.dead]
        for address, each in dead:
            del self._at[address]
            self._chains.pop(address, None)
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


def attribute(cls: type, name: str) -> object:
    """What the first class along the MRO that has name has, raw; or MISSING."""
    for base in mro_of(cls):
        value = dict_of_class(base).get(name, MISSING)
        if value is not MISSING:
            return value
    return MISSING


def may_change(cls: type) -> bool:
    return flags_of(cls) & (_HEAP_TYPE | _IMMUTABLE_TYPE) == _HEAP_TYPE


def module_of(namespace: dict[str, Any]) -> ModuleType | None:
    """The module whose dict this is."""
    name = dict.get(namespace, "__name__")
    module = sys.modules.get(name) if type(name) is str else None
    if module is not None and is_a(module, ModuleType) and dict_of_module(module) is namespace:
        return module
    return None
