"""From the look-ups in a code object to what they find now."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, TypeGuard

import depwatch
from depwatch.values import dict_of_module, is_a

from . import _tap
from .bytecode import CO_OPTIMIZED, Use
from .objects import MISSING, Kind, Objects, Owner, heap_bases, is_heap, provided
from .sites import Seen


def is_module(value: object) -> TypeGuard[ModuleType]:
    return is_a(value, ModuleType)


def is_function(value: object) -> TypeGuard[FunctionType]:
    return is_a(value, FunctionType)


@dataclass(slots=True)
class Found:
    """One dependency with the objects at hand: for the moment of resolving only, they must not be kept."""

    facet: _tap.Facet
    places: tuple[_tap.Object, ...]  # in which the facet lies
    via: _tap.Facet | None
    owner: Owner | ModuleType
    value: object
    patchable: bool = True  # nothing but the value itself is used

    def read(self, recorder: depwatch.Recorder) -> None:
        """Record it for real."""
        name = self.facet.name
        owner: Any = self.owner
        match self.facet.kind:
            case Kind.FUNCTION:
                recorder.read_function(owner, name)
            case Kind.TYPE:
                recorder.read_type_attr(owner, name, default=MISSING)
            case Kind.MODULE:
                recorder.read_attr(owner, name)
            case _:
                recorder.read_global(owner, name)

    def key(self) -> tuple[object, ...]:
        via = None if self.via is None else self.via.number
        return self.facet.number, tuple(place.number for place in self.places), via, self.patchable


@dataclass(slots=True)
class Resolver:
    """Looks up what code looks up, without running any code of the program."""

    objects: Objects
    frame: FrameType
    first_argument: tuple[object, ...]  # or () if there is none
    missing: int = 0
    unwatchable: int = 0
    found: dict[int, Found] = field(default_factory=dict)

    def resolve(self, uses: tuple[Use, ...], lines: set[int]) -> None:
        """Find the dependencies of the uses whose line has run."""
        for use in uses:
            ran = [line is None or line in lines for line in use.lines]
            names = use.names[: ran.index(False)] if False in ran else use.names
            called = use.called and len(names) == len(use.names)
            if not use.of_first_argument and names:
                self._chain(self._global(names[0]), names[1:], called)
            elif self.first_argument and names:
                value = self.first_argument[0]
                found = self._attribute(value, names[0], None)
                self._chain(found, names[1:], called, ends=not _is_namespace(value))

    def resolve_seen(self, seen: Iterable[Seen]) -> None:
        """Find the dependencies on the classes that CPython has seen."""
        for each in seen:
            found = self._class_attribute(each.cls, each.name, None, absence=not each.of_class)
            if found is not None:
                self._runs(found, each.called)

    def _chain(self, found: Found | None, names: tuple[str, ...], called: bool, ends: bool = False) -> None:
        """Follow names from what was found. ends: it is the class's attribute of an instance, which may hide it."""
        for name in names:
            if found is None or ends:
                break
            ends = not _is_namespace(found.value)
            after = self._attribute(found.value, name, found.facet)
            if after is not None or is_module(found.value):
                self._leads_on(found)
            found, names = after, names[1:]
        if found is not None:
            self._runs(found, called and not names)

    def _leads_on(self, found: Found) -> None:
        found.patchable = False
        found.facet.leads_on()

    def _attribute(self, owner: object, name: str, via: _tap.Facet | None) -> Found | None:
        """What owner.name finds in a module or a class; of another object, what its class has, or that it has none."""
        if is_module(owner):
            return self._module_attribute(owner, name, via)
        if not is_a(owner, type):
            return self._class_attribute(type(owner), name, via, absence=True)
        if type(owner) is type:  # else the metaclass has a say
            return self._class_attribute(owner, name, via)
        return None

    def _runs(self, found: Found, called: bool) -> None:
        """The Python code that runs: of a called function or method, of a property, of a class that is called."""
        value = found.value
        if is_a(value, type):
            if called and type(value) is type and is_heap(value):
                self._leads_on(found)
                for name in ("__new__", "__init__"):
                    if made := self._class_attribute(value, name, found.facet):
                        self._runs(made, True)
            return
        if type(value) is property and found.facet.kind == Kind.TYPE:
            value, called = value.fget, True
        elif type(value) is staticmethod or type(value) is classmethod:
            value = value.__func__
        if called and is_function(value):
            self._leads_on(found)
            self._function(value, found.facet)

    def _global(self, name: str) -> Found | None:
        namespace, builtins = self.frame.f_globals, self.frame.f_builtins
        value = dict.get(namespace, name, MISSING)
        places: tuple[Owner, ...] = (namespace,)
        if value is MISSING:
            value = dict.get(builtins, name, MISSING)
            places = (namespace, builtins)
        return self._add(Kind.GLOBAL, namespace, builtins, name, value, places, None)

    def _module_attribute(self, module: ModuleType, name: str, via: _tap.Facet | None) -> Found | None:
        namespace = dict_of_module(module)
        value = dict.get(namespace, name, MISSING)
        found = self._add(Kind.MODULE, namespace, None, name, value, (namespace,), via)
        if found is not None:
            found.owner = module
        return found

    def _class_attribute(self, cls: type, name: str, via: _tap.Facet | None, absence: bool = False) -> Found | None:
        if not is_heap(cls):
            return None
        value = next((value for _, value in provided(cls, name)), MISSING)
        return self._add(Kind.TYPE, cls, None, name, value, tuple(heap_bases(cls)), via, absence)

    def _function(self, function: FunctionType, via: _tap.Facet) -> None:
        parts = ["code", "defaults"] + (["kwdefaults"] if function.__code__.co_kwonlyargcount else [])
        for part in parts:
            value = getattr(function, f"__{part}__")
            if found := self._add(Kind.FUNCTION, function, None, part, value, (function,), via):
                found.patchable = False

    def _add(
        self,
        kind: Kind,
        owner: Owner,
        fallback: dict[str, Any] | None,
        name: str,
        value: object,
        places: tuple[Owner, ...],
        via: _tap.Facet | None,
        absence: bool = False,
    ) -> Found | None:
        if value is MISSING and not absence:
            self.missing += 1
            return None
        objects = self.objects
        try:
            # The object of every class first: a facet must hear of all of them from its beginning on.
            lying_in = tuple(objects.object(place) for place in places)
            below = None if fallback is None else objects.object(fallback)
            facet = objects.facet(kind, objects.object(owner), below, name)
        except depwatch.Unwatchable:
            self.unwatchable += 1
            return None
        for place in lying_in:
            facet.lies_in(place)
        return self.found.setdefault(facet.number, Found(facet, lying_in, via, owner, value))


def _is_namespace(value: object) -> bool:
    return is_module(value) or is_a(value, type)


def first_argument(code: CodeType, frame: FrameType) -> tuple[object, ...]:
    """(value,) that was passed first, or (); the frame must be at its start."""
    if not code.co_argcount or not code.co_flags & CO_OPTIMIZED:
        return ()
    local: Any = frame.f_locals
    value = local.get(code.co_varnames[0], MISSING)
    if isinstance(local, dict):
        local.clear()  # 3.12: a copy of the local variables, which the frame would keep for as long as it lives
    return () if value is MISSING else (value,)
