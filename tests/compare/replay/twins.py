"""The naive twins of the two policies under which a handle can be valid again, and which twin a policy has."""

from collections import Counter
from fractions import Fraction
from math import floor
from typing import Any

from naive import (
    COLD,
    VALID,
    WARMING,
    BulkByFacet,
    BulkByObject,
    Dependency,
    Function,
    Granular,
    Handle,
    Model,
    Parts,
    times,
)
from naive_steps import Change, Value, Window

from depwatch.compare.replay.lineup import Policy


class Revalidation(BulkByObject):
    def fire(self, change: Change) -> None:
        functions = self.dependents(change.object)
        if functions:
            self.count_change(change.object)
        for function in functions:
            function.marked = True
            if change.object in self.given_up:
                self.drop(function, not self.hurt(function, change), not change.values)

    def revalidate(self, function: Function) -> None:
        assert function.handle is not None
        function.marked = False
        self.counts["revalidations"] += len(function.handle.dependencies)
        if any(self.current[facet] != value for facet, value in function.handle.recorded.items()):
            self.drop(function, False)

    def window(self, window: Window) -> None:
        parts = Parts(self, window)
        looked = set()
        for function, calls in parts.calls.items():
            if calls and function.state == VALID and function.marked:
                self.revalidate(function)
                looked.add(function)
        for function in parts.calls:
            self.spread(parts, window, function, function in looked)
        parts.end()
        for change in window.changes:
            self.at_once(change)

    def at_once(self, change: Change) -> None:
        if change.moments and self.dependents(change.object) and self.limit(change.object) is not None:
            self.count_change(change.object, change.moments - 1)
        super().at_once(change)

    def spread(self, parts: Parts, window: Window, function: Function, has_looked: bool) -> None:
        calls, alone = parts.calls[function], Parts(self, Window([], []))
        if not calls:
            return
        alone.calls, alone.since = {function: calls}, parts.since
        alone.make_until(Fraction(0))
        while True:
            if function.state != VALID:
                alone.make_until(Fraction(1))
                has_looked = False
            if function.state != VALID:
                return
            assert function.handle is not None
            known = window.moments.get(function.number)
            looks = min(
                sum(change.moments for change in window.changes if change.object in function.handle.objects),
                calls if known is None else min(calls, known),
            )
            others = min(sum(self.hits(function, change) for change in window.changes), looks)
            since = parts.since[function]
            middles = (Fraction(2 * i + 1, 2 * others) for i in range(others))
            at = next((middle for middle in middles if middle >= since), None)
            again = floor(looks * (Fraction(1) if at is None else at)) - floor(looks * since)
            self.counts["revalidations"] += (again - (has_looked and again > 0)) * len(function.handle.dependencies)
            if at is None:
                return
            self.counts["revalidations"] += len(function.handle.dependencies)
            self.drop(function, False)
            parts.since[function] = at

    def hits(self, function: Function, change: Change) -> int:
        assert function.handle is not None or function.state != VALID
        facets = function.handle.facets if function.handle else set()
        return min(change.moments, sum(v.moments for v in change.values if v.facet in facets and not v.same))


class Healing(Model):
    """A facet is held or broken, with the value that its handles recorded."""

    def __init__(self, policy: Policy, rows: list[dict[str, Any]]) -> None:
        self.recorded: dict[int, object] = {}
        self.broken: set[int] = set()
        self.counted: set[int] = set()
        self.mends: set[int] = set()
        self.breaks: Counter[int] = Counter()
        self.restores: Counter[int] = Counter()
        self.told_facets: set[int] = set()
        self.inside: set[int] = set()
        self.moment = 0  # counts changes and deaths
        self.broke_at: dict[int, int] = {}  # a facet
        self.bereft_at: dict[int, int] = {}  # a function, by its id()
        self.dead_facets: set[int] = set()
        super().__init__(policy, rows)

    def is_refused(self, dependency: Dependency) -> bool:
        limit = self.policy.give_up_after
        return limit is not None and self.breaks[dependency.facet] >= limit

    def waiting(self, facet: int) -> list[Function]:
        """Those whose handle has this facet and is not purged."""
        return [
            f
            for f in self.functions.values()
            if f.handle and f.state in (VALID, COLD) and facet in f.handle.facets - f.handle.loads
        ]

    def update(self, function: Function) -> None:
        """Is the handle valid?"""
        assert function.handle is not None
        valid = not function.handle.retired and function.handle.facets.isdisjoint(self.broken - function.handle.loads)
        if function.state in (VALID, COLD) and (function.state == VALID) != valid:
            function.state = VALID if valid else COLD

    def change(self, change: Change) -> None:
        for value in change.values:
            if not value.inside:  # else it is the same dict
                self.current[value.facet] = value.value
        self.fire(change)

    def fire(self, change: Change) -> None:
        self.moment += 1
        for value in change.values:
            self.becomes(value, change.in_place)

    def becomes(self, value: Value, in_place: bool) -> None:
        facet = value.facet
        if facet not in self.recorded or facet in self.dead_facets:
            return
        if value.inside:
            self.changes_inside(value)
        elif self.recorded[facet] != value.value:
            self.mends.discard(facet)
            if facet not in self.broken:
                self.break_facet(facet)
        elif facet in self.broken and in_place:
            self.mend(facet)
        elif facet in self.broken:
            self.mends.add(facet)

    def changes_inside(self, value: Value) -> None:
        if self.waiting(value.facet):
            self.inside.add(value.facet)
            self.broke_at[value.facet] = self.moment
        for function in self.waiting(value.facet):
            self.retire(function)
        if value.facet not in self.broken:
            self.recorded[value.facet] = self.current[value.facet]

    def break_facet(self, facet: int) -> None:
        functions = self.waiting(facet)
        if not functions:
            del self.recorded[facet]
            return
        self.broken.add(facet)
        self.broke_at[facet] = self.moment
        for function in functions:
            self.update(function)

    def mend(self, facet: int) -> None:
        self.mends.discard(facet)
        self.broken.discard(facet)
        if not self.waiting(facet):
            del self.recorded[facet]
            return
        self.counted.discard(facet)
        for function in self.waiting(facet):
            self.update(function)

    def retire(self, function: Function) -> None:
        assert function.handle is not None
        function.handle.retired = True
        self.update(function)

    def drain(self) -> None:
        for facet in list(self.mends):
            self.mend(facet)
        for facet in self.recorded:
            broke = facet in self.broken or facet in self.inside
            if broke and facet not in self.counted and facet not in self.dead_facets:
                self.counted.add(facet)
                self.breaks[facet] += 1
                if facet in self.broken:
                    self.told_facets.add(facet)
            elif facet not in self.broken and facet in self.told_facets:
                self.told_facets.discard(facet)
                self.restores[facet] += 1
            if facet in self.inside and facet not in self.broken:
                self.counted.discard(facet)  # in place: it counts anew the next time
            self.inside.discard(facet)
            if self.policy.give_up_after is not None and self.breaks[facet] >= self.policy.give_up_after:
                for function in self.waiting(facet):
                    first = self.broke_at.get(facet, -1) < self.bereft_at.get(id(function), -1)
                    if function.bereft and not function.told and facet in self.broken and first:
                        function.bereft = False  # dropped by this; an object of its died later
                    self.retire(function)
        for function in self.functions.values():
            if function.state == VALID and function.told:
                function.told = False
                self.counts["resumed"] += 1
                self.counts["undone"] += 1
            elif function.state == COLD and not function.told and not function.bereft:
                function.told, function.cold = True, 0
                self.counts["dropped"] += 1
            if function.state == COLD and function.handle and function.handle.retired:
                function.handle.loads |= function.handle.facets  # purged

    def make(self, function: Function) -> None:
        self.drain()
        self.counts["hot_functions"] += function.state == WARMING
        self.counts["recompiled"] += function.told
        function.told, function.bereft = False, not self.is_whole(function)
        self.bereft_at[id(function)] = -1
        function.handle = None
        missing: set[int] = set()
        kept = []
        for dependency in function.set or ():
            facet = dependency.facet
            lost = (self.current[facet] == -1 != dependency.value) or facet in self.dead_facets
            if dependency.via in missing or self.is_refused(dependency) or lost:
                missing.add(facet)
                continue
            kept.append(dependency)
            if facet not in self.recorded or facet in self.broken or not self.waiting(facet):
                for other in self.waiting(facet):
                    self.retire(other)
                    assert other.handle is not None
                    other.handle.loads.add(facet)
                    other.handle.retired = True
                self.recorded[facet] = self.current[facet]
                for state in (self.broken, self.counted, self.mends, self.told_facets):
                    state.discard(facet)
        function.handle = Handle(kept)
        function.state, function.cold = VALID, 0
        self.drain()

    def see_undone(self, function: Function) -> None:
        pass  # a handle that is undone resumes

    def value_lost(self, facet: int, number: int) -> None:
        if facet in self.broken and self.recorded.get(facet) == number:
            for function in self.waiting(facet):
                self.wait_no_more(function)

    def wait_no_more(self, function: Function) -> None:
        if function.state != COLD or not function.handle:
            return
        if not function.handle.retired:
            function.handle.retired = True
        elif function.bereft and not function.told:
            function.bereft, function.told, function.cold = False, True, 0  # first its value was replaced
            self.counts["dropped"] += 1

    def object_gone(self, number: int) -> None:
        self.moment += 1
        self.dead.add(number)
        for function in self.functions.values():
            if function.state not in (VALID, COLD) or function.handle is None:
                continue
            dead = {d.facet for d in function.handle.dependencies if number in d.objects}
            self.dead_facets |= dead
            if dead:
                function.bereft = not function.told
                self.bereft_at[id(function)] = self.moment
                self.retire(function)

    def window(self, window: Window) -> None:
        parts = Parts.__new__(Parts)
        for value in window.values:
            if not value.same and self.current.get(value.facet) != value.value:
                self.current[value.facet] = object()
        Parts.__init__(parts, self, window)
        for value in window.values:
            for function in self.waiting(value.facet):
                parts.add(function, 0)
        for time, at in times(window.values):
            parts.make_until(time)
            value = window.values[at]
            held = value.facet in self.recorded and value.facet not in self.broken
            undone = held and self.recorded[value.facet] == value.value
            if value.same or undone or not [f for f in self.waiting(value.facet) if f.state == VALID]:
                continue
            states = {function: function.state for function in parts.calls}
            if value.inside:
                self.changes_inside(value)
            else:
                self.break_facet(value.facet)
            self.drain()
            for function, state in states.items():
                if state == VALID and function.state != VALID:
                    parts.since[function] = time
        parts.end()
        for change in window.changes:
            for value in change.values:
                self.current[value.facet] = value.value
                held = value.facet not in self.broken
                if value.facet in self.recorded and (not held or self.recorded[value.facet] == value.value):
                    self.becomes(value, change.in_place)


def twin(policy: Policy, rows: list[dict[str, Any]]) -> Model:
    if policy.name.startswith("granular"):
        return Granular(policy, rows)
    if policy.name == "revalidation":
        return Revalidation(policy, rows)
    if policy.name == "healing":
        return Healing(policy, rows)
    return BulkByObject(policy, rows) if policy.by_object else BulkByFacet(policy, rows)
