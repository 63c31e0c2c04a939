"""The objects and facets that a program's hot code depends on, named by numbers and held weakly."""

import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import FunctionType, ModuleType
from typing import Any

import depwatch

from .policies import Dependency

type Owner = FunctionType | ModuleType | dict[str, Any] | type

# Past __getattribute__ and metaclasses of the program: no code of its own may run because it is observed.
_module_dict: Callable[[ModuleType], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__
_type_dict: Callable[[type], Any] = vars(type)["__dict__"].__get__
_type_mro: Callable[[type], tuple[type, ...]] = vars(type)["__mro__"].__get__
_type_name: Callable[[type], str] = vars(type)["__qualname__"].__get__
_type_flags: Callable[[type], int] = vars(type)["__flags__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE

MISSING = object()


class Kind(StrEnum):
    GLOBAL = "global"  # [globals, builtins], as code looks a name up
    MODULE = "module attribute"
    TYPE = "type attribute"
    FUNCTION = "function"


@dataclass(slots=True, eq=False)
class WatchedObject:
    """A dict, class or function, as a number; the object itself is not kept alive."""

    number: int
    address: int
    is_dict: bool
    label: str
    reference: weakref.ref[Any] | None  # of a module's dict: to the module; None: a dict of no module
    core_id: int | None = None  # tells one dict from another that has its address later

    def is_dead(self) -> bool:
        """True if it is known to be: of a dict that is no module's, nothing is known."""
        return self.reference is not None and self.reference() is None

    def get(self) -> Any:
        """Return the object if it lives and can be had without keeping it: not a dict that is no module's."""
        if self.reference is None:
            return None
        target = self.reference()
        return _module_dict(target) if isinstance(target, ModuleType) and self.is_dict else target


@dataclass(slots=True, eq=False)
class Facet:
    """What one assumption is about, and how often it changed."""

    number: int
    kind: Kind
    owner: WatchedObject
    name: str
    leads_on: bool = False  # its value is a module or a called function: what was found behind it depends on it
    changes: int = 0
    is_sampled: bool = False  # there were more changes than were counted
    broken: bool = False
    breaks: int = 0
    restores: int = 0
    handles_hit: int = 0
    places: Counter[tuple[str | None, int | None]] | None = None

    @property
    def label(self) -> str:
        joint = ".__" if self.kind is Kind.FUNCTION else "."
        return f"{self.owner.label}{joint}{self.name}{'__' if self.kind is Kind.FUNCTION else ''}"

    def read(self, owner: Owner, builtins: dict[str, Any]) -> object:
        """Read the value with plain Python; MISSING if there is none."""
        if isinstance(owner, FunctionType):
            return getattr(owner, f"__{self.name}__")
        if isinstance(owner, type):
            return next((found for _, found in provided(owner, self.name)), MISSING)
        namespace = _module_dict(owner) if isinstance(owner, ModuleType) else owner
        value = dict.get(namespace, self.name, MISSING)
        if value is MISSING and self.kind is Kind.GLOBAL:
            return dict.get(builtins, self.name, MISSING)
        return value

    def is_shadowed_at(self, changed: WatchedObject | None) -> bool:
        """True if an object that is asked before `changed` provides the value: a change of that one does not matter."""
        owner = self.owner.get()
        if changed is None or changed is self.owner or owner is None:
            return False
        if self.kind is Kind.GLOBAL:
            return dict.__contains__(owner, self.name)
        cls, mro = changed.get(), _type_mro(owner)
        provider = next((base for base, _ in provided(owner, self.name)), None)
        return provider in mro and cls in mro and mro.index(provider) < mro.index(cls)


class Facets:
    """Gives objects and facets their numbers."""

    def __init__(self) -> None:
        self.objects: dict[int, WatchedObject] = {}
        self.facets: dict[int, Facet] = {}
        self._at: dict[int, WatchedObject] = {}
        self._named: dict[tuple[int, Kind, str], Facet] = {}
        self._of: dict[int, list[Facet]] = {}
        self._dependencies: dict[tuple[int, tuple[int, ...], int | None], Dependency] = {}
        self._next = 0
        self.died: list[WatchedObject] = []  # filled by weak references, whenever; see take_dead()

    def object(self, owner: Owner) -> WatchedObject:
        """Return the number of owner; a module is its dict. Raises depwatch.Unwatchable."""
        known = self._at.get(id(_module_dict(owner) if isinstance(owner, ModuleType) else owner))
        if known is not None and self._is_still(known, owner):
            return known
        if known is not None:
            self.died.append(known)
        return self._new_object(owner)

    def facet(self, kind: Kind, owner: WatchedObject, name: str) -> Facet:
        key = (owner.number, kind, name)
        known = self._named.get(key)
        if known is None:
            self._next += 1
            known = self._named[key] = self.facets[self._next] = Facet(self._next, kind, owner, name)
            self._of.setdefault(owner.number, []).append(known)
        return known

    def dependency(self, facet: int, objects: tuple[int, ...], via: int | None) -> Dependency:
        """The same one for all functions."""
        return self._dependencies.setdefault((facet, objects, via), Dependency(facet, objects, via))

    def is_dict(self, number: int) -> bool:
        thing = self.objects.get(number)
        return thing is not None and thing.is_dict

    def take_dead(self) -> Iterator[tuple[WatchedObject, list[Facet]]]:
        """Forget the objects that have died since, and return each with its facets."""
        while self.died:
            dead = self.died.pop()
            self.objects.pop(dead.number, None)
            if self._at.get(dead.address) is dead:
                del self._at[dead.address]
            gone = self._of.pop(dead.number, [])
            for facet in gone:
                self._named.pop((dead.number, facet.kind, facet.name), None)
            yield dead, gone

    def _is_still(self, known: WatchedObject, owner: Owner) -> bool:
        if known.reference is None:
            return known.core_id == depwatch.id_of(owner)
        living = known.get()
        return living is (_module_dict(owner) if isinstance(owner, ModuleType) else owner)

    def _new_object(self, owner: Owner) -> WatchedObject:
        thing: object = owner
        target: object = owner
        core_id = None
        if isinstance(owner, ModuleType):
            thing = _module_dict(owner)
        elif isinstance(owner, dict):
            target = module_of(owner)
            if target is None:
                core_id = depwatch.id_of(owner)
        self._next += 1
        new = WatchedObject(self._next, id(thing), isinstance(thing, dict), _label(owner), None, core_id)
        if target is not None:
            new.reference = weakref.ref(target, lambda _, died=self.died, new=new: died.append(new))  # type: ignore[misc]
        self._at[new.address] = self.objects[new.number] = new
        return new


def provided(cls: type, name: str) -> Iterator[tuple[type, object]]:
    """The classes along the MRO that have name, each with the raw value; the first one counts."""
    for base in _type_mro(cls):
        value = _type_dict(base).get(name, MISSING)
        if value is not MISSING:
            yield base, value


def heap_bases(cls: type) -> list[type]:
    """The classes whose change is a change of cls; static types cannot change."""
    return [base for base in _type_mro(cls) if is_heap(base)]


def is_heap(cls: type) -> bool:
    return bool(_type_flags(cls) & _HEAP_TYPE)


def module_of(namespace: dict[str, Any]) -> ModuleType | None:
    """The module whose dict this is."""
    name = dict.get(namespace, "__name__")
    module = sys.modules.get(name) if type(name) is str else None
    if isinstance(module, ModuleType) and _module_dict(module) is namespace:
        return module
    return None


def module_namespace(module: ModuleType) -> dict[str, Any]:
    return _module_dict(module)


def living_dicts(addresses: set[int]) -> dict[int, dict[str, Any]]:
    """Find the dicts at these addresses, which the caller knows to be alive."""
    return {id(thing): thing for thing in gc.get_objects() if type(thing) is dict and id(thing) in addresses}


def _label(owner: Owner) -> str:
    if isinstance(owner, dict):
        return str(dict.get(owner, "__name__", "<dict>"))
    if isinstance(owner, ModuleType):
        return str(_module_dict(owner).get("__name__", "<module>"))
    if isinstance(owner, type):
        return f"{_type_dict(owner).get('__module__', '?')}.{_type_name(owner)}"
    return f"{owner.__module__}.{owner.__qualname__}"
