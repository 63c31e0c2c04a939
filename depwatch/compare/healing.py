"""depwatch itself, among the policies: the real handles, and what they report."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

import depwatch

from .facets import Facet, Owner, living_dicts
from .functions import Function
from .policies import GIVE_UP_AFTER, Counts, Edges
from .recorded import Recorded
from .resolve import Found


class Healing:
    """Commits each function to the index, and counts by the handles' own notices.

    Besides, every facet gets a handle of its own: its notices are the facet's breaks and restores.
    """

    def __init__(
        self,
        facets: dict[int, Facet],
        chill: Callable[[Function], None],
        warm: Callable[[Function], None],
        activity: Callable[[float], None],
    ) -> None:
        self.counts = Counts()
        self.handles = 0
        self.dependencies = 0
        self.refused: dict[str, int] = {}
        self._facets = facets
        self._chill = chill  # the function's calls run cold from now on
        self._warm = warm
        self._activity = activity  # called before anything counts
        self._edges = Edges()
        self._functions: dict[int, Function] = {}  # by handle
        self._probes: dict[int, depwatch.Handle] = {}  # by facet
        self._probed: dict[int, Facet] = {}  # by handle
        # One of each for all handles: there are thousands.
        self._on_invalidate, self._on_resume, self._on_retire = self._invalidated, self._resumed, self._retired
        self._on_break, self._on_restore, self._on_probe_gone = self._broke, self._restored, self._probe_gone
        self.facets_recorded: set[int] = set()

    def commit(self, function: Function, found: Iterable[Found]) -> bool:
        """Make function's handle anew; False if something changed meanwhile."""
        recorder = depwatch.Recorder(function.name, GIVE_UP_AFTER)
        refused: set[int | None] = set()
        taken: list[Found] = []
        for dependency in found:
            if dependency.dependency.via in refused or not self._read(recorder, dependency):
                refused.add(dependency.facet.number)
            else:
                taken.append(dependency)
        self.release(function)
        try:
            handle = recorder.commit(
                None,
                on_invalidate=self._on_invalidate,
                on_resume=self._on_resume,
                on_retire=self._on_retire,
            )
        except depwatch.Stale:
            self._refuse("stale")
            return False
        function.handle = handle
        self._functions[handle.id] = function
        function.recorded = {f.facet.number: Recorded(f.value) for f in taken}
        self._edges.put(function.number, function.recorded)
        self.handles += 1
        self.dependencies += len(taken)
        self.counts.recompiled += function.dropped
        function.dropped = function.bereft = False
        for dependency in taken:
            self.facets_recorded.add(dependency.facet.number)
            if dependency.facet.number not in self._probes:
                self._probe(dependency)
        return True

    def release(self, function: Function) -> None:
        handle, function.handle = function.handle, None
        function.recorded = None
        self._edges.remove(function.number)
        if handle is not None:
            self._functions.pop(handle.id, None)
            handle.release()

    def missed(self, functions: Iterable[Function], builtins: dict[str, Any]) -> tuple[int, list[str]]:
        """Read every facet of every valid handle again; return how many were read, and those that changed unnoticed.

        A valid handle says that all of its objects live, so a dict is found by its address.
        """
        depwatch.drain()
        valid = [f for f in functions if f.handle is not None and f.handle.valid]
        numbers = {n for f in valid for n in f.recorded or () if n in self._facets}
        nameless = {self._facets[n].owner.address for n in numbers if self._facets[n].owner.reference is None}
        dicts = living_dicts(nameless) if nameless else {}
        read, wrong = 0, []
        for function in valid:
            for number, recorded in (function.recorded or {}).items():
                facet = self._facets.get(number)
                if facet is None:
                    continue
                owner: Owner | None = facet.owner.get() or dicts.get(facet.owner.address)
                if owner is None:
                    continue
                read += 1
                if not recorded.is_same(facet.read(owner, builtins)):
                    depwatch.drain()  # another thread may have changed it just now
                    if function.handle is not None and function.handle.valid:
                        wrong.append(f"{facet.label} in {function.name}")
        return read, wrong

    def _read(self, recorder: depwatch.Recorder, found: Found) -> bool:
        try:
            found.read(recorder)
        except depwatch.Unstable:
            return self._refuse("unstable")
        except depwatch.Unwatchable:
            return self._refuse("unwatchable")
        except (NameError, AttributeError):
            return self._refuse("missing")
        return True

    def _refuse(self, why: str) -> bool:
        self.refused[why] = self.refused.get(why, 0) + 1
        return False

    def _invalidated(self, handle: depwatch.Handle) -> None:
        self._activity(perf_counter())
        if (function := self._function_of(handle)) is not None:
            self._drop(function)

    def _resumed(self, handle: depwatch.Handle) -> None:
        self._activity(perf_counter())
        function = self._function_of(handle)
        if function is not None and function.dropped:
            function.dropped = False
            self.counts.resumed += 1
            self._warm(function)

    def _retired(self, handle: depwatch.Handle) -> None:
        self._activity(perf_counter())
        function = self._function_of(handle)
        if function is None:
            return
        function.handle = None
        self._functions.pop(handle.id, None)
        if function.dropped:
            return
        if self._has_dead_owner(function):
            function.bereft = True
            self._chill(function)
        else:  # a facet was given up while it held
            self._drop(function)

    def _function_of(self, handle: depwatch.Handle) -> Function | None:
        function = self._functions.get(handle.id)
        return function if function is not None and function.handle is handle else None

    def _drop(self, function: Function) -> None:
        if function.dropped:
            return
        function.dropped = True
        self.counts.dropped += 1
        self.counts.needlessly += not self._any_changed(function)
        self._chill(function)

    def _any_changed(self, function: Function) -> bool:
        for number, recorded in (function.recorded or {}).items():
            facet = self._facets.get(number)
            owner: Owner | None = facet.owner.get() if facet is not None else None
            if facet is None or owner is None:  # nothing says that it has not
                return True
            if not recorded.is_same(facet.read(owner, {})):
                return True
        return False

    def _has_dead_owner(self, function: Function) -> bool:
        for number in function.recorded or ():
            facet = self._facets.get(number)
            if facet is None or facet.owner.is_dead():
                return True
        return False

    def _probe(self, found: Found) -> None:
        facet = found.facet
        recorder = depwatch.Recorder(facet.label, GIVE_UP_AFTER)
        if not self._read(recorder, found):
            return

        try:
            handle = recorder.commit(
                None, on_invalidate=self._on_break, on_resume=self._on_restore, on_retire=self._on_probe_gone
            )
        except depwatch.Stale:
            return
        facet.broken = False
        self._probes[facet.number] = handle
        self._probed[handle.id] = facet

    def _broke(self, probe: depwatch.Handle) -> None:
        if facet := self._probed.get(probe.id):
            facet.broken = True
            facet.breaks += 1
            facet.handles_hit += self._edges.count(facet.number)

    def _restored(self, probe: depwatch.Handle) -> None:
        if facet := self._probed.get(probe.id):
            facet.broken = False
            facet.restores += 1

    def _probe_gone(self, probe: depwatch.Handle) -> None:
        facet = self._probed.get(probe.id)
        if facet is None or self._probes.get(facet.number) is not probe:
            return
        if not facet.broken and not facet.owner.is_dead():  # given up: the last break is told as the end
            self._broke(probe)
        del self._probes[facet.number], self._probed[probe.id]
