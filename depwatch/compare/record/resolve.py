"""From the look-ups in a code object to what they find now."""

from collections.abc import Iterable
from enum import Enum
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, Literal, TypeGuard, cast

import depwatch
from depwatch.values import dict_of_module, is_a, mro_of

from . import _tap
from .bytecode import CO_OPTIMIZED, Uses
from .objects import MISSING, Kind, Objects, Owner, attribute, may_change, provided
from .sites import Seen


def is_module(value: object) -> TypeGuard[ModuleType]:
    return is_a(value, ModuleType)


def is_function(value: object) -> TypeGuard[FunctionType]:
    return is_a(value, FunctionType)


class Found:
    """One dependency with the objects at hand: for the moment of resolving only, they must not be kept."""

    __slots__ = ("ends", "facet", "owner", "patchable", "places", "value", "via")

    def __init__(
        self, facet: _tap.Facet, places: tuple[_tap.Object, ...], via: _tap.Facet | None, owner: Owner, value: object
    ) -> None:
        self.facet = facet
        self.places = places  # in which the facet lies
        self.via = via
        self.owner = owner
        self.value = value
        self.patchable = True  # nothing but the value itself is used
        self.ends = False  # it is the class's attribute of an instance, which may hide it: its value leads no further

    def key(self) -> tuple[object, ...]:
        via = None if self.via is None else self.via.number
        return self.facet.number, tuple(place.number for place in self.places), via, self.patchable


class _Constant(Enum):
    """A step that depends on nothing, as what it finds cannot change."""

    CONSTANT = 0


CONSTANT: Final = _Constant.CONSTANT
type _Step = Found | Literal[_Constant.CONSTANT] | None  # None: it is not followed


class Resolver:
    """Looks up what code looks up, without running any code of the program."""

    def __init__(self, objects: Objects, frame: FrameType, first_argument: tuple[object, ...]) -> None:
        """first_argument: or () if there is none."""
        self.objects: Final = objects
        self.frame: Final = frame
        self.first_argument: Final = first_argument
        self.missing = 0
        self.unwatchable = 0
        self.found: Final[dict[int, Found]] = {}
        self.followed: Final[set[int]] = set()  # offsets of what finds a dependency, or what cannot change
        self.loaded: Final[dict[int, Found]] = {}  # what is found at an offset

    def resolve(self, uses: Uses, lines: set[int]) -> None:
        """Find the dependencies of the uses whose line has run."""
        for use, places in uses.items():
            ran = [line is None or line in lines for line in use.lines]
            names = use.names[: ran.index(False)] if False in ran else use.names
            called = use.called and len(names) == len(use.names)
            n, last = 0, None
            if not use.of_first_argument and names:
                n, last = self._chain(self._global(names[0]), names[1:], called)
            elif self.first_argument and names and use.of_super:
                n, last = self._chain(self._super(self.first_argument[0], names[0]), (), called)
            elif self.first_argument and names:
                n, last = self._chain(self._attribute(self.first_argument[0], names[0], None), names[1:], called)
            for offsets in places:
                self.followed.update(offsets[:n])
                if last is not None:
                    self.loaded[offsets[n - 1]] = last

    def resolve_seen(self, seen: Iterable[Seen]) -> None:
        """Find the dependencies on the classes and functions that CPython has seen."""
        for each in seen:
            found: _Step = None
            loaded = None if each.callee is None else self.loaded.get(each.callee)
            if loaded is not None and self._is_callee(loaded):
                found = loaded  # whose code is known, and not what a cache has that has not seen it yet
            elif each.function is not None:
                found = self._function(each.function, None)
            elif each.cls is not None and each.name is None:
                found = self._constructor(each.cls, None)
            elif each.cls is not None and each.name is not None:
                found = self._attribute_seen(each.cls, each.name, each.of_class)
                if isinstance(found, Found):
                    self._runs(found, each.called)
                    self.loaded[each.offset] = found
            if found is not None:
                self.followed.add(each.offset)

    def _is_callee(self, found: Found) -> bool:
        """What is called is the value that was found, and no attribute of an instance or what a property returns."""
        value = found.value
        if found.facet.kind == Kind.TYPE:
            return is_function(value) or is_a(value, type) or type(value) in (staticmethod, classmethod)
        return True

    def _attribute_seen(self, cls: type, name: str, of_class: bool) -> "_Step":
        return self._attribute(cls, name, None) if of_class else self._class_attribute(cls, name, None, absence=True)

    def _super(self, owner: object, name: str) -> "_Step":
        """What super().name finds in a method: along the MRO past the class that the method is of."""
        after = local(self.frame, "__class__")
        cls: Any = owner if is_a(owner, type) else type(owner)
        mro = mro_of(cls)
        at = next((at for at, base in enumerate(mro, 1) if (base,) == after), 0)
        if not at or at == mro.__len__() or mro_of(mro[at]) != mro[at:]:
            return None  # no class has this part of an MRO as its own: there is no facet for it
        return self._class_attribute(mro[at], name, None)

    def _chain(self, found: "_Step", names: tuple[str, ...], called: bool) -> tuple[int, Found | None]:
        """Follow names from what was found first; how many of all names were found, and what the last of these is."""
        n = int(found is not None)
        for name in names:
            if not isinstance(found, Found) or found.ends:
                break
            after = self._attribute(found.value, name, found.facet)
            if isinstance(after, Found) or is_module(found.value):
                self._leads_on(found)
            if after is None:
                return n, None
            found, names, n = after, names[1:], n + 1
        if isinstance(found, Found):
            self._runs(found, called and not names)
            return n, found
        return n, None

    def _leads_on(self, found: Found) -> None:
        found.patchable = False
        found.facet.leads_on()

    def _attribute(self, owner: object, name: str, via: _tap.Facet | None) -> "_Step":
        """What owner.name finds in a module or a class; of another object, what its class has, or that it has none."""
        if is_module(owner):
            return self._key(dict_of_module(owner), name, via)
        if not is_a(owner, type):
            found = self._class_attribute(type(owner), name, via, absence=True)
            if isinstance(found, Found):
                found.ends = True
            return found
        cls: Any = owner
        meta = type(cls)
        if meta is not type:
            # The metaclass has a say: only if it has no such name, and looks up as usual, is it the class's.
            looks_up, _ = next(provided(meta, "__getattribute__"))
            if looks_up is not type or next(provided(meta, name), None) is not None:
                return None
            if self._class_attribute(meta, name, via, absence=True) is None:
                return None
        return self._class_attribute(cls, name, via)

    def _runs(self, found: Found, called: bool) -> None:
        """The Python code that runs: of a called function or method, of a property, of a class that is called."""
        value = found.value
        if is_a(value, type):
            if called and type(value) is type and may_change(value):
                self._leads_on(found)
                self._constructor(value, found.facet)
            return
        if type(value) is property and found.facet.kind == Kind.TYPE:
            value, called = value.fget, True
        elif type(value) is staticmethod or type(value) is classmethod:
            value = value.__func__
        if called and is_function(value):
            self._leads_on(found)
            self._function(value, found.facet)

    def _constructor(self, cls: type, via: _tap.Facet | None) -> "_Step":
        """The code that runs where the class is called."""
        step: _Step = None
        for name in ("__new__", "__init__"):
            step = self._class_attribute(cls, name, via)
            if isinstance(step, Found):
                self._runs(step, True)
        return step

    def _global(self, name: str) -> Found | None:
        namespace, builtins = self.frame.f_globals, self.frame.f_builtins
        if dict.__contains__(namespace, name) or not dict.__contains__(builtins, name):
            return self._key(namespace, name, None)
        hidden = self._key(namespace, name, None, absence=True)
        return None if hidden is None else self._key(builtins, name, hidden.facet)

    def _key(self, namespace: dict[str, Any], name: str, via: _tap.Facet | None, absence: bool = False) -> Found | None:
        value = dict.get(namespace, name, MISSING)
        return self._add(Kind.GLOBAL, namespace, name, value, via, absence)

    def _class_attribute(self, cls: type, name: str, via: _tap.Facet | None, absence: bool = False) -> "_Step":
        if not may_change(cls):
            return CONSTANT
        return self._add(Kind.TYPE, cls, name, attribute(cls, name), via, absence)

    def _function(self, function: FunctionType, via: _tap.Facet | None) -> Found | None:
        parts = ["code", "defaults"] + (["kwdefaults"] if function.__code__.co_kwonlyargcount else [])
        found = None
        for part in parts:
            value = getattr(function, f"__{part}__")
            if found := self._add(Kind.FUNCTION, function, part, value, via):
                found.patchable = False
        return found

    def _add(
        self,
        kind: str,
        owner: Owner,
        name: str,
        value: object,
        via: _tap.Facet | None,
        absence: bool = False,
    ) -> Found | None:
        if value is MISSING and not absence:
            self.missing += 1
            return None
        objects = self.objects
        try:
            # The object of every class first: a facet must hear of all of them from its beginning on.
            known = objects.object(owner)
            chain = objects.chain(cast(type, owner)) if kind == Kind.TYPE else (known,)
            facet = objects.facet(kind, known, name)
        except depwatch.Unwatchable:
            self.unwatchable += 1
            return None
        facet.lies_along(chain)
        return self.found.setdefault(facet.number, Found(facet, chain, via, owner, value))


def first_argument(code: CodeType, frame: FrameType) -> tuple[object, ...]:
    """(value,) that was passed first, or (); the frame must be at its start."""
    if not code.co_argcount or not code.co_flags & CO_OPTIMIZED:
        return ()
    return local(frame, code.co_varnames[0])


def local(frame: FrameType, name: str) -> tuple[object, ...]:
    """(value,) of a local variable, or ()."""
    variables: Any = frame.f_locals
    value = variables.get(name, MISSING)
    if isinstance(variables, dict):
        variables.clear()  # 3.12: a copy of the local variables, which the frame would keep for as long as it lives
    return () if value is MISSING else (value,)
