"""The naive twin of the engine: the same policies over the rows of a trace, one call and one change at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from naive_steps import Change, Value, Window, steps

from depwatch.compare.policies import GIVE_UP_AFTER
from depwatch.compare.replay.lineup import Policy

WARMING, VALID, COLD, GONE = "warming", "valid", "cold", "gone"
DICTS = ("builtins", "module", "dict")
MASK = (1 << 64) - 1


@dataclass
class Dependency:
    facet: int
    objects: list[int]
    via: int | None
    value: object
    patchable: bool


@dataclass(eq=False)
class Handle:
    dependencies: list[Dependency]
    recorded: dict[int, object] = field(default_factory=dict)
    deopted: set[int] = field(default_factory=set)
    loads: set[int] = field(default_factory=set)  # facets that are ordinary loads now
    retired: bool = False

    @property
    def facets(self) -> set[int]:
        return {dependency.facet for dependency in self.dependencies}

    @property
    def objects(self) -> set[int]:
        return {number for dependency in self.dependencies for number in dependency.objects}


@dataclass(eq=False)
class Function:
    number: int
    points: int
    calls: int = 0
    state: str = WARMING
    cold: int = 0
    set: list[Dependency] | None = None
    handle: Handle | None = None
    bereft: bool = False
    marked: bool = False
    told: bool = False
    made_in_window: bool = False
    in_window: bool = False  # it is called in the one that is gone through
    pending: bool = False  # it was dropped, and may be found undone


class Model:
    def __init__(self, policy: Policy, rows: list[dict[str, Any]]) -> None:
        self.policy = policy
        self.counts: Counter[str] = Counter()
        self.functions: dict[int, Function] = {}
        self.types: dict[int, str] = {}
        self.dead: set[int] = set()
        self.current: dict[int, object] = {}
        self.changes: Counter[int] = Counter()
        self.given_up: set[int] = set()
        self.watched: set[int] = set()
        pending: dict[int, list[Dependency]] = {}
        objects = sorted(row["object"] for row in rows if row["kind"] == "object")
        self.place = {number: place for place, number in enumerate(objects)}
        functions = sorted(row["function"] for row in rows if row["kind"] == "function")
        self.function_place = {number: place for place, number in enumerate(functions)}
        for kind, what in steps(rows):
            if kind == "object":
                self.types[what["object"]] = what["type"]
            elif kind == "function":
                self.functions[what["function"]] = Function(what["function"], what["count"])
            elif kind == "dependency":
                pending.setdefault(what["function"], []).append(
                    Dependency(what["facet"], [what["object"]], what["via"], what["value"], what["patchable"])
                )
            elif kind == "resolved":
                self.resolve(self.functions[what["function"]], pending.pop(what["function"], []), what["calls"])
            elif kind == "calls":
                self.advance(self.functions[what["function"]], what["calls"])
            elif kind == "change" and isinstance(what, Change):
                if what.object not in self.dead:
                    self.change(what)
            elif kind == "change":
                self.open_window(what)
            elif kind == "drain":
                self.drain()
            elif kind == "gone" and what["function"] is not None:
                self.function_gone(self.functions[what["function"]])
            elif kind == "gone":
                self.object_gone(what["object"])
            elif kind == "lost":
                self.value_lost(what["facet"], what["value"])
        for function in self.functions.values():
            self.see_undone(function)
        self.drain()

    # -- calls -----------------------------------------------------------------------------------------------------

    def advance(self, function: Function, calls: int) -> None:
        while function.calls < calls:
            self.call(function)

    def call(self, function: Function) -> None:
        self.counts["calls"] += 1
        if function.bereft and function.state in (VALID, COLD) and self.is_whole(function):
            self.make(function)
        if function.state == VALID and function.marked:
            self.revalidate(function)
        function.calls += 1
        if function.state == VALID:
            function.cold = 0
            self.run(function)
        elif function.state == COLD and not function.bereft:
            self.counts["cold_calls"] += 1
            function.cold += 1
            if function.cold == self.policy.hot_after:
                self.make(function)
        elif function.state == WARMING:
            self.counts["cold_calls"] += 1
            if function.calls >= self.policy.hot_after and function.set is not None:
                self.make(function)

    def run(self, function: Function) -> None:
        pass

    def resolve(self, function: Function, found: list[Dependency], calls: int) -> None:
        self.advance(function, calls - 1)
        merged: dict[int, Dependency] = {}
        for dependency in found:
            if dependency.facet in merged:
                merged[dependency.facet].objects += dependency.objects
            else:
                merged[dependency.facet] = dependency
        function.set = list(merged.values())
        for dependency in function.set:
            if dependency.value != -2 or dependency.facet not in self.current:
                self.current[dependency.facet] = object() if dependency.value == -2 else dependency.value

    def is_whole(self, function: Function) -> bool:
        return self.dead.isdisjoint(number for dependency in function.set or () for number in dependency.objects)

    # -- handles ---------------------------------------------------------------------------------------------------

    def reached(self, function: Function) -> tuple[list[Dependency], int]:
        """What a handle would depend on, and how many are left out, as they were given up."""
        missing: set[int] = set()
        kept = []
        for dependency in function.set or ():
            if dependency.via in missing or self.is_refused(dependency):
                missing.add(dependency.facet)
            else:
                kept.append(dependency)
        return kept, len(missing)

    def is_refused(self, dependency: Dependency) -> bool:
        keys = dependency.objects if self.policy.by_object else [dependency.facet]
        return not self.given_up.isdisjoint(keys)

    def limit(self, key: int) -> int | None:
        limit, dicts = self.policy.give_up_after, self.types.get(key) in DICTS
        if limit is None or self.policy.may_give_up == "all":
            return limit
        if not dicts:
            return None
        if self.policy.may_give_up == "cpython" and self.types[key] == "builtins":
            return max(3 * limit // GIVE_UP_AFTER, 1)
        return limit

    def make(self, function: Function) -> None:
        self.see_undone(function)
        self.counts["hot_functions"] += function.state == WARMING
        self.counts["recompiled"] += function.state == COLD
        kept, _ = self.reached(function)
        function.handle = Handle(kept, {d.facet: self.current[d.facet] for d in kept})
        function.state, function.cold, function.marked = VALID, 0, False
        function.bereft = not self.is_whole(function)
        if self.policy.by_object:
            self.watched |= function.handle.objects

    def dependents(self, key: int) -> list[Function]:
        def keys(handle: Handle) -> set[int]:
            return handle.objects if self.policy.by_object else handle.facets - handle.loads

        return [f for f in self.functions.values() if f.state == VALID and f.handle and key in keys(f.handle)]

    def drop(self, function: Function, needlessly: bool, unrelated: bool = False) -> None:
        function.state, function.cold, function.bereft, function.marked = COLD, 0, False, False
        self.counts["dropped"] += 1
        self.counts["needlessly"] += needlessly
        self.counts["undone"] += function.in_window and needlessly
        function.pending = not function.in_window
        self.counts["unrelated_drops"] += unrelated
        self.counts["overwritten"] += function.points

    def see_undone(self, function: Function) -> None:
        if function.pending and function.handle is not None:
            recorded = function.handle.recorded
            self.counts["undone"] += all(self.current[facet] == value for facet, value in recorded.items())
        function.pending = False

    def settle(self, function: Function, window: Window) -> None:
        """A handle that was made in a window, and is valid at its end, has recorded what is there then."""
        if function.made_in_window and function.state == VALID and function.handle is not None:
            for value in window.values:
                if value.facet in function.handle.recorded:
                    function.handle.recorded[value.facet] = value.value

    def revalidate(self, function: Function) -> None:
        raise AssertionError("only one policy marks")

    def function_gone(self, function: Function) -> None:
        self.see_undone(function)
        function.state = GONE

    def object_gone(self, number: int) -> None:
        self.dead.add(number)
        for function in self.functions.values():
            if function.state == VALID and function.handle and number in function.handle.objects:
                function.bereft = True

    def value_lost(self, facet: int, number: int) -> None:
        pass

    def drain(self) -> None:
        pass

    def unguarded(self) -> tuple[int, int]:
        hot = [function for function in self.functions.values() if function.handle is not None]
        left_out = [self.reached(function)[1] for function in hot]
        return sum(left_out), sum(map(bool, left_out))

    # -- changes ---------------------------------------------------------------------------------------------------

    def change(self, change: Change) -> None:
        for value in change.values:
            self.current[value.facet] = value.value
        self.fire(change)

    def fire(self, change: Change) -> None:
        raise NotImplementedError  # each policy says what a change does: there is none that all share

    def count_change(self, key: int, times: int = 1) -> None:
        self.changes[key] += times
        limit = self.limit(key)
        if limit is not None and self.changes[key] >= limit:
            self.given_up.add(key)

    def open_window(self, window: Window) -> None:
        matters = not self.policy.by_object or any(change.moments for change in window.changes)
        if matters and self.dead.isdisjoint(change.object for change in window.changes):
            self.window(window)
            return
        for number, calls in window.spread:
            self.advance(self.functions[number], calls)
        for change in window.changes:
            if change.object not in self.dead:
                self.at_once(change)

    def at_once(self, change: Change) -> None:
        """Of one object, after all calls of a window."""
        if change.moments or not self.policy.by_object:
            self.change(change)
            return
        for value in change.values:
            self.current[value.facet] = value.value

    def window(self, window: Window) -> None:
        raise NotImplementedError  # likewise, of many changes at once

    def begin(self, function: Function, calls: int) -> int:
        more = max(0, calls - function.calls)
        if more and function.bereft and function.state in (VALID, COLD) and self.is_whole(function):
            self.make(function)
        if more and function.state == VALID:
            function.cold = 0
        return more

    def to_go(self, function: Function) -> int | None:
        if function.state == COLD and not function.bereft:
            return self.policy.hot_after - function.cold
        if function.state == WARMING and function.set is not None:
            return max(1, self.policy.hot_after - function.calls)
        return None


class Parts:
    """The functions in a window: each has its calls, spread evenly, and is what it is since a time."""

    def __init__(self, model: Model, window: Window) -> None:
        self.model = model
        self.window = window
        self.calls: dict[Function, int] = {}
        self.since: dict[Function, Fraction] = {}
        for number, calls in window.spread:
            self.add(model.functions[number], calls)

    def add(self, function: Function, calls: int) -> None:
        if function not in self.calls:
            function.in_window = calls > function.calls
            self.calls[function] = self.model.begin(function, calls)
            self.model.counts["calls"] += self.calls[function]
            self.since[function] = Fraction(0)
            function.made_in_window = False

    def make_until(self, time: Fraction) -> None:
        """All handles that are made before a change at this time."""
        while ready := sorted(self.ready(time), key=lambda pair: pair[0]):
            self.since[ready[0][1]] = ready[0][0]
            function = ready[0][1]
            self.model.counts["cold_calls"] += self.model.to_go(function) or 0
            self.model.make(function)
            function.made_in_window = True

    def ready(self, time: Fraction) -> Iterator[tuple[Fraction, Function]]:
        for function, calls in self.calls.items():
            to_go = self.model.to_go(function)
            if to_go is not None and calls and (at := self.since[function] + Fraction(to_go, calls)) <= time:
                yield at, function

    def end(self) -> None:
        self.make_until(Fraction(1))
        for function, calls in self.calls.items():
            if function.state in (COLD, WARMING) and not function.bereft:
                left = floor(calls * (1 - self.since[function]))
                self.model.counts["cold_calls"] += left
                function.cold += left if function.state == COLD else 0
            self.model.settle(function, self.window)
            function.in_window = False
            function.calls += calls


def at_share(i: int, moments: int) -> Fraction:
    """When the i-th of so many moments is, from 0 on: the first begins a window, and the last ends it."""
    return Fraction(i, max(moments - 1, 1))


def times(changes: Sequence[Value | Change]) -> list[tuple[Fraction, int]]:
    """When these values or objects change, first to last; of those at the same time, in their order."""
    return sorted((at_share(i, of.moments), at) for at, of in enumerate(changes) for i in range(of.moments))


class BulkByFacet(Model):
    def fire(self, change: Change) -> None:
        for value in change.values:
            self.fire_facet(value)

    def fire_facet(self, value: Value) -> list[Function]:
        functions = self.dependents(value.facet)
        if functions:
            self.count_change(value.facet)
        for function in functions:
            self.drop(function, value.same)
        return functions

    def window(self, window: Window) -> None:
        parts = Parts(self, window)
        for value in window.values:
            for function in self.dependents(value.facet):
                parts.add(function, 0)
        for time, at in times(window.values):
            parts.make_until(time)
            for function in self.fire_facet(window.values[at]):
                parts.since[function] = time
        parts.end()
        for value in window.values:
            self.current[value.facet] = value.value


class BulkByObject(Model):
    def fire(self, change: Change) -> None:
        self.fire_object(change)

    def fire_object(self, change: Change) -> list[Function]:
        if self.unwatches:
            if change.object not in self.watched:
                return []
            self.watched.discard(change.object)
        functions = self.dependents(change.object)
        if not functions and not self.unwatches:
            return []
        self.count_change(change.object)
        by_mistake = [f for f in self.functions.values() if f not in functions and self.seems_to(f, change.object)]
        for function in functions + by_mistake:
            self.drop(function, not self.hurt(function, change), not change.values)
        self.counts["false_drops"] += len(by_mistake)
        return functions + by_mistake

    @property
    def unwatches(self) -> bool:
        """CPython's rule; where no object of the trace can be given up, it makes no difference."""
        return any(self.limit(number) for number in self.types)

    def hurt(self, function: Function, change: Change) -> bool:
        assert function.handle is not None
        return not function.handle.facets.isdisjoint(value.facet for value in change.values if not value.same)

    def seems_to(self, function: Function, number: int) -> bool:
        if not self.policy.bloom or function.state != VALID or function.handle is None:
            return False
        base = [(1 << 40) + self.function_place[function.number] * 3 + i for i in range(3)]
        numbers = base + [self.place[each] + 1 for each in function.handle.objects]
        filled = {bit for each in numbers for bit in bits(each)}
        return filled.issuperset(bits(self.place[number] + 1))

    def window(self, window: Window) -> None:
        changes = window.changes
        keys = {change.object for change in changes if change.moments} - self.given_up
        capped = any(self.limit(key) is not None for key in keys)
        parts = Parts(self, window)
        if capped:
            for change in changes:
                for function in self.dependents(change.object):
                    parts.add(function, 0)
                if self.unwatches and not self.dependents(change.object) and change.moments:
                    self.fire_object(change)
        drops: dict[Function, list[Change]] = defaultdict(list)  # of handles made in this window
        for time, at in times(changes):
            change = changes[at]
            parts.make_until(time)
            if capped:
                for function in self.fire_object(change) if change.object not in self.given_up else []:
                    if function in parts.since:
                        parts.since[function] = time
                continue
            for function in [f for f in self.dependents(change.object) if parts.calls.get(f)]:
                if function.made_in_window:
                    drops[function].append(change)
                self.drop(function, not self.hurt(function, change), not change.values)
                parts.since[function] = time
        parts.end()
        for function, dropped_by in drops.items():
            if self.are_even(function, changes):
                for change in dropped_by[1:]:
                    assert change is dropped_by[0]
                self.share(dropped_by[0], function, len(dropped_by) - 1)
        for value in window.values:
            self.current[value.facet] = value.value
        if not capped:
            for change in changes:
                self.at_once(change)

    def are_even(self, function: Function, changes: list[Change]) -> bool:
        assert function.handle is not None
        return len({c.moments for c in changes if c.moments and c.object in function.handle.objects}) == 1

    def share(self, change: Change, function: Function, count: int) -> None:
        """Of all drops but one, those that were needless are the share of the changes that were."""
        if not count:
            return
        assert function.handle is not None
        facets = function.handle.facets
        changed = min(change.moments, sum(v.moments for v in change.values if v.facet in facets and not v.same))
        named = min(change.moments, sum(v.moments for v in change.values))
        for name in ("needlessly", "undone"):
            self.counts[name] -= count * (not self.hurt(function, change))
            self.counts[name] += count * (change.moments - changed) // change.moments
        self.counts["unrelated_drops"] -= count * (not change.values)
        self.counts["unrelated_drops"] += count * (change.moments - named) // change.moments


class Granular(Model):
    def fire(self, change: Change) -> None:
        for value in change.values:
            self.patch(value)

    def patch(self, value: Value) -> None:
        functions = self.dependents(value.facet)
        if not functions:
            return
        limit = self.limit(value.facet)
        count = value.count if limit is None else min(value.count, limit - self.changes[value.facet])
        self.count_change(value.facet, count)
        for handle in (f.handle for f in functions if f.handle):
            (dependency,) = (d for d in handle.dependencies if d.facet == value.facet)
            if dependency.patchable:
                self.counts["patches"] += count
            elif handle.recorded[value.facet] == value.value:
                handle.deopted.discard(value.facet)
            elif value.facet not in handle.deopted:
                handle.deopted.add(value.facet)
                self.counts["deopts"] += 1
            if value.facet in self.given_up:
                handle.loads.add(value.facet)

    def run(self, function: Function) -> None:
        assert function.handle is not None
        loads = function.handle.loads
        self.counts["guards"] += sum(d.patchable and d.facet not in loads for d in function.handle.dependencies)
        self.counts["deopt_calls"] += bool(function.handle.deopted)

    def window(self, window: Window) -> None:
        for number, calls in window.spread:
            self.advance(self.functions[number], calls)
        for change in window.changes:
            self.change(change)


def bits(number: int) -> set[int]:
    """The six bits of a filter that a number sets; which ones does not matter, if they are as good as random."""
    x = number * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    x ^= x >> 31
    return {x >> 8 * i & 255 for i in range(6)}
