"""The naive Python twin of the index: facets -> recorded value, handles and guards. It looks everything up, each time.

A facet is (owner, name): owner is the key of a namespace (int) or the name of a class (str); name None is the whole
namespace. A place is where a look-up passes: the key of a namespace, "builtins", or the name of a class.
"""

import dataclasses
from typing import Any

from support import same

MISSING = object()


@dataclasses.dataclass(eq=False)
class Handle:
    """What the twin knows of one handle. wants: facet -> value read."""

    real: Any
    wants: dict
    unstable_after: int
    gone: str | None = None  # why it must be retired: what handle.reason says


@dataclasses.dataclass(eq=False)
class Guard:
    real: Any
    facet: tuple
    value: Any
    superseded: bool = False  # another value was recorded: it stays down for good


@dataclasses.dataclass(eq=False)
class Facet:
    recorded: Any = MISSING
    held: bool = True  # as of the last change
    breaks_at_most: int = 0  # a drain may have come too late to see one
    readers: int = 0  # recorders that are not committed yet
    generation: int = 0  # of recordings
    handles: list = dataclasses.field(default_factory=list)
    guards: list = dataclasses.field(default_factory=list)


class Model:
    def __init__(self, builtins, classes):
        self.namespaces = {}  # key -> dict
        self.versions = {}  # key -> number of its changes
        self.builtins = builtins
        self.classes = {cls.__name__: cls for cls in classes}
        self.facets = {}
        self.handles = []  # those that are not purged

    # --- what plain Python finds

    def places(self, owner):
        if isinstance(owner, int):
            return [owner, "builtins"]
        return [cls.__name__ for cls in self.classes[owner].__mro__[:-1]]

    def mapping(self, place):
        if place == "builtins":
            return self.builtins
        return self.namespaces.get(place, {}) if isinstance(place, int) else vars(self.classes[place])

    def now(self, facet):
        owner, name = facet
        if owner not in self.namespaces and owner not in self.classes:
            return MISSING  # it died
        if name is None:
            return self.versions[owner]
        found = (self.mapping(place) for place in self.places(owner))
        return next((mapping[name] for mapping in found if name in mapping), MISSING)

    def concerned(self, facet, place):
        """Whether a change of the facet's name at that place concerns it: nothing before provides the name."""
        owner, name = facet
        if name is None:
            return owner == place
        for each in self.places(owner):
            if each == place:
                return True
            if name in self.mapping(each):
                return False
        return False

    def dependents(self, place, name):
        return {
            handle.real.id
            for handle in self.handles
            for facet in handle.wants
            if facet[1] in (name, None) and self.concerned(facet, place)
        }

    def broken(self, handle):
        return sum(not same(value, self.now(facet)) for facet, value in handle.wants.items())

    def holds(self, facet):
        return same(self.facets[facet].recorded, self.now(facet))

    # --- what happens

    def changed(self, key=None):
        """After every change, of a namespace where key is given."""
        if key is not None:
            self.versions[key] += 1
            for handle in self.facets.get((key, None), Facet()).handles:
                handle.gone = handle.gone or "changed"
        for facet, state in self.facets.items():
            held = state.recorded is MISSING or self.holds(facet)
            state.breaks_at_most += state.held and not held
            state.held = held

    def died(self, key):
        del self.namespaces[key]
        for handle in self.handles:
            if any(facet[0] == key for facet in handle.wants):
                handle.gone = handle.gone or "died"

    def settled(self):
        """After a drain: what nobody needs is forgotten."""
        for handle in [handle for handle in self.handles if handle.gone]:
            self.purge(handle)
        for state in self.facets.values():
            if not (state.handles or state.readers or state.guards):
                state.recorded, state.held = MISSING, True

    def record(self, facet):
        """Somebody reads the facet, in a settled state: another value than the recorded one ends those who wait."""
        state = self.facets.setdefault(facet, Facet())
        if state.recorded is MISSING or not self.holds(facet):
            for handle in state.handles:
                handle.gone = handle.gone or "another value"
            for guard in state.guards:
                guard.superseded = True
            state.guards = []
            state.generation += 1
            state.recorded, state.held = self.now(facet), True

    def read(self, facet):
        self.record(facet)
        state = self.facets[facet]
        state.readers += 1
        return facet, state.generation

    def guard(self, real, facet):
        self.record(facet)
        state = self.facets[facet]
        guard = Guard(real, facet, state.recorded)
        state.guards.append(guard)
        return guard

    def is_fresh(self, reads):
        """Whether a recorder with these reads can be committed."""
        return all(self.facets[facet].generation == generation and self.holds(facet) for facet, generation in reads)

    def finished(self, reads):
        for facet, _ in reads:
            self.facets[facet].readers -= 1

    def commit(self, real, reads, unstable_after):
        handle = Handle(real, {facet: self.facets[facet].recorded for facet, _ in reads}, unstable_after)
        for facet in handle.wants:
            self.facets[facet].handles.append(handle)
        self.handles.append(handle)
        return handle

    def purge(self, handle):
        self.handles.remove(handle)
        for facet in handle.wants:
            self.facets[facet].handles.remove(handle)

    def drop_guard(self, guard):
        if not guard.superseded:
            self.facets[guard.facet].guards.remove(guard)


class GraphModel:
    """Which handle depends on which facets, the naive way: the twin of depwatch.Graph."""

    def __init__(self):
        self.facets = {}  # by handle: a set of facets
        self.broken = {}  # by handle: how many of its assumptions are broken

    def add(self, handle, facets):
        self.facets[handle] = set(facets)
        self.broken[handle] = 0

    def remove(self, handle):
        self.facets.pop(handle, None)
        self.broken.pop(handle, None)

    def dependents(self, facets):
        return {handle for handle, own in self.facets.items() if own & set(facets)}

    def breaks(self, facet):
        for handle in self.dependents([facet]):
            self.broken[handle] = min(255, self.broken[handle] + 1)

    def mends(self, facet):
        for handle in self.dependents([facet]):
            self.broken[handle] -= self.broken[handle] != 255
