"""The ways of invalidating that are compared, as pure logic: told of compilations and changes, they count.

A function is a number, and so is a facet (the part of an object that can change) and an object. Nothing here
knows about watchers, threads or time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Final

GIVE_UP_AFTER = 6


@dataclass(frozen=True, slots=True)
class Dependency:
    facet: int
    objects: tuple[int, ...]  # the whole objects in which the facet lies: a global that a builtin provides lies in two
    via: int | None = None  # the facet it was reached through: without that one it is not reached


@dataclass(frozen=True, slots=True)
class Drop:
    """A handle that a change invalidates."""

    function: int
    needlessly: bool  # no value that it recorded had changed


@dataclass(slots=True)
class Counts:
    """What a policy did, in numbers; the columns of the table."""

    dropped: int = 0  # handles invalidated
    needlessly: int = 0  # of these, no recorded value had changed
    resumed: int = 0  # handles valid again without being compiled anew
    recompiled: int = 0  # handles compiled anew after they were dropped
    patches: int = 0
    cold_calls: int = 0


COUNTS: Final = tuple(field.name for field in fields(Counts))


class Edges:
    """Which functions depend on which keys, both ways."""

    def __init__(self) -> None:
        self._functions: dict[int, set[int]] = {}
        self._keys: dict[int, frozenset[int]] = {}

    def put(self, function: int, keys: Iterable[int]) -> None:
        self.remove(function)
        self._keys[function] = frozenset(keys)
        for key in self._keys[function]:
            self._functions.setdefault(key, set()).add(function)

    def remove(self, function: int) -> None:
        for key in self._keys.pop(function, ()):
            if functions := self._functions.get(key):
                functions.discard(function)
                if not functions:
                    self._functions.pop(key, None)

    def remove_key(self, key: int) -> None:
        for function in self._functions.pop(key, ()):
            self._keys[function] -= {key}

    def functions(self, key: int) -> list[int]:
        return list(self._functions.get(key, ()))

    def count(self, key: int) -> int:
        return len(self._functions.get(key, ()))

    def __contains__(self, function: int) -> bool:
        return function in self._keys

    def has(self, key: int) -> bool:
        return key in self._functions


class Bulk:
    """Any change of a key invalidates every handle that depends on it; `by_object` says what a key is.

    With give_up_after, a key that dependents saw change that often is not depended on any more, if may_give_up(key).
    """

    def __init__(
        self,
        by_object: bool,
        give_up_after: int | None = None,
        may_give_up: Callable[[int], bool] = lambda key: True,
    ) -> None:
        self.by_object = by_object
        self.counts = Counts()
        self._give_up_after = give_up_after
        self._may_give_up = may_give_up
        self._changes: dict[int, int] = {}
        self._given_up: set[int] = set()
        self._valid = Edges()
        self._facets: dict[int, frozenset[int]] = {}  # of the valid handle of each function
        self._dropped: set[int] = set()

    def compile(self, function: int, dependencies: Iterable[Dependency]) -> bool:
        """Make function's handle, which replaces the one that it may have; True if that one had been dropped."""
        kept = list(_reached(dependencies, self._is_given_up))
        again = function in self._dropped
        self._dropped.discard(function)
        self.counts.recompiled += again
        self._facets[function] = frozenset(d.facet for d in kept)
        self._valid.put(function, _keys(kept, self.by_object))
        return again

    def change(self, key: int, changed: Collection[int]) -> list[Drop]:
        """Count a change of key, in which the values of the facets in `changed` differ; return what it drops."""
        functions = self._valid.functions(key)
        if not functions:
            return []
        if self._give_up_after is not None and self._may_give_up(key):
            self._changes[key] = self._changes.get(key, 0) + 1
            if self._changes[key] >= self._give_up_after:
                self._given_up.add(key)
        drops = []
        for function in functions:
            needlessly = self._facets[function].isdisjoint(changed)
            self.counts.dropped += 1
            self.counts.needlessly += needlessly
            self._valid.remove(function)
            self._dropped.add(function)
            drops.append(Drop(function, needlessly))
        return drops

    def is_valid(self, function: int) -> bool:
        return function in self._valid

    def depends_on(self, key: int) -> bool:
        """True if a valid handle depends on key: otherwise its changes need not be reported."""
        return self._valid.has(key)

    def functions(self, key: int) -> list[int]:
        """Those with a valid handle that depends on key."""
        return self._valid.functions(key)

    def forget_function(self, function: int) -> None:
        self._valid.remove(function)
        self._facets.pop(function, None)
        self._dropped.discard(function)

    def forget_key(self, key: int) -> None:
        """The object died: that is no change of it."""
        self._valid.remove_key(key)
        self._changes.pop(key, None)
        self._given_up.discard(key)

    def _is_given_up(self, dependency: Dependency) -> bool:
        if self.by_object:
            return not self._given_up.isdisjoint(dependency.objects)
        return dependency.facet in self._given_up


class Granular:
    """Each change of a facet rewrites the one place in every handle that relied on it; no handle is ever invalid.

    With give_up_after, the last of so many patches puts an ordinary load there, which needs no more patches.
    """

    by_object = False

    def __init__(self, give_up_after: int | None = None) -> None:
        self.counts = Counts()
        self._give_up_after = give_up_after
        self._changes: dict[int, int] = {}
        self._valid = Edges()

    def compile(self, function: int, dependencies: Iterable[Dependency]) -> bool:
        """Make function's handle. It is never one that had been dropped: False."""
        self._valid.put(function, {d.facet for d in _reached(dependencies, self._is_given_up)})
        return False

    def change(self, key: int) -> int:
        """Count a change of facet key; return how many places it patches."""
        places = self._valid.count(key)
        if places and self._give_up_after is not None:
            self._changes[key] = self._changes.get(key, 0) + 1
            if self._changes[key] >= self._give_up_after:
                self._valid.remove_key(key)
        self.counts.patches += places
        return places

    def is_valid(self, function: int) -> bool:
        return function in self._valid

    def depends_on(self, key: int) -> bool:
        return self._valid.has(key)

    def forget_function(self, function: int) -> None:
        self._valid.remove(function)

    def forget_key(self, key: int) -> None:
        self._valid.remove_key(key)
        self._changes.pop(key, None)

    def _is_given_up(self, dependency: Dependency) -> bool:
        return self._give_up_after is not None and self._changes.get(dependency.facet, 0) >= self._give_up_after


def _reached(dependencies: Iterable[Dependency], refused: Callable[[Dependency], bool]) -> Iterator[Dependency]:
    """Leave out what is refused, and what was reached through it: its value is not known while compiling."""
    missing: set[int] = set()
    for dependency in dependencies:
        if dependency.via in missing or refused(dependency):
            missing.add(dependency.facet)
        else:
            yield dependency


def _keys(dependencies: Iterable[Dependency], by_object: bool) -> Iterator[int]:
    for dependency in dependencies:
        if by_object:
            yield from dependency.objects
        else:
            yield dependency.facet
