"""From the look-ups in a code object to what they find now."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import depwatch

from .bytecode import Use
from .facets import (
    MISSING,
    Facet,
    Facets,
    Kind,
    Owner,
    heap_bases,
    is_heap,
    module_namespace,
    provided,
)
from .policies import Dependency
from .recorded import Recorded


@dataclass(slots=True)
class Found:
    """One dependency with the objects at hand: for the moment of compiling only, they must not be kept."""

    dependency: Dependency
    facet: Facet
    owner: Owner
    value: object

    def read(self, recorder: depwatch.Recorder) -> None:
        """Record it for real."""
        name = self.facet.name
        if isinstance(self.owner, FunctionType):
            recorder.read_function(self.owner, name)
        elif isinstance(self.owner, type):
            recorder.read_type_attr(self.owner, name)
        elif isinstance(self.owner, ModuleType):
            recorder.read_attr(self.owner, name)
        else:
            recorder.read_global(self.owner, name)


@dataclass(slots=True)
class Resolver:
    """Looks up what code looks up, without running any code of the program."""

    facets: Facets
    frame: FrameType
    first_argument: type | None
    missing: int = 0
    unwatchable: int = 0
    found: dict[int, Found] = field(default_factory=dict)

    def resolve(self, uses: tuple[Use, ...], lines: set[int]) -> None:
        """Find the dependencies of the uses whose line has run."""
        for use in uses:
            ran = [line is None or line in lines for line in use.lines]
            names = use.names[: ran.index(False)] if False in ran else use.names
            if names and use.of_first_argument:
                self._type_attribute(names[0])
            elif names:
                self._chain(names, called=use.called and len(names) == len(use.names))

    def _chain(self, names: tuple[str, ...], called: bool) -> None:
        found = self._global(names[0])
        for name in names[1:]:
            if found is None or not isinstance(found.value, ModuleType):
                return
            found.facet.leads_on = True
            found = self._module_attribute(found.value, name, found.facet)
        if found is not None and called and isinstance(found.value, FunctionType):
            found.facet.leads_on = True
            self._function(found.value, found.facet)

    def _global(self, name: str) -> Found | None:
        namespace, builtins = self.frame.f_globals, self.frame.f_builtins
        value = dict.get(namespace, name, MISSING)
        places: tuple[Owner, ...] = (namespace,)
        if value is MISSING:
            value = dict.get(builtins, name, MISSING)
            places = (namespace, builtins)
        return self._add(Kind.GLOBAL, namespace, name, value, places, None)

    def _module_attribute(self, module: ModuleType, name: str, via: Facet) -> Found | None:
        value = dict.get(module_namespace(module), name, MISSING)
        return self._add(Kind.MODULE, module, name, value, (module,), via)

    def _type_attribute(self, name: str) -> None:
        cls = self.first_argument
        if cls is not None and is_heap(cls):
            for _, value in provided(cls, name):
                self._add(Kind.TYPE, cls, name, value, tuple(heap_bases(cls)), None)
                break

    def _function(self, function: FunctionType, via: Facet) -> None:
        parts = ["code", "defaults"] + (["kwdefaults"] if function.__code__.co_kwonlyargcount else [])
        for part in parts:
            self._add(Kind.FUNCTION, function, part, getattr(function, f"__{part}__"), (function,), via)

    def _add(
        self, kind: Kind, owner: Owner, name: str, value: object, places: tuple[Owner, ...], via: Facet | None
    ) -> Found | None:
        if value is MISSING:
            self.missing += 1
            return None
        try:
            facet = self.facets.facet(kind, self.facets.object(owner), name)
            objects = tuple(self.facets.object(place).number for place in places)
        except depwatch.Unwatchable:
            self.unwatchable += 1
            return None
        dependency = self.facets.dependency(facet.number, objects, via.number if via else None)
        return self.found.setdefault(facet.number, Found(dependency, facet, owner, value))


def type_of_first_argument(code: CodeType, frame: FrameType) -> type | None:
    """The type of the value that was passed first; the frame must be at its start."""
    if not code.co_argcount or not code.co_flags & CO_OPTIMIZED:
        return None
    local: Any = frame.f_locals
    value = local.get(code.co_varnames[0], MISSING)
    kind = None if value is MISSING else type(value)
    if isinstance(
        local, dict
    ):  # 3.12: a copy of the local variables, which the frame would keep for as long as it lives
        local.clear()
    return kind


def recorded(found: Iterator[Found]) -> dict[int, Recorded]:
    return {f.facet.number: Recorded(f.value) for f in found}
