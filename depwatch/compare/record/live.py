"""depwatch itself, live: the real handles of hot functions, and what their notices say."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import depwatch
from depwatch.compare.policies import GIVE_UP_AFTER

from . import _tap
from .function import Function
from .objects import MISSING
from .recorded import Recorded
from .resolve import Found

_LOST: Final = " can never hold again"  # in the reason of a handle: its value died


@dataclass(slots=True)
class Counts:
    handles: int = 0  # ever made
    dependencies: int = 0  # of all of these
    dropped: int = 0  # handles invalidated
    resumed: int = 0  # valid again without being compiled anew
    recompiled: int = 0  # compiled anew after they were dropped
    retired: int = 0  # for good, by depwatch
    refused: dict[str, int] = field(default_factory=dict)  # look-ups that are no dependencies of a handle, by reason


class Live:
    """Commits each hot function to depwatch's index."""

    def __init__(self) -> None:
        self.counts: Final = Counts()
        self._functions: Final[dict[int, Function]] = {}  # by handle
        # How many rely on each facet. No Counter: that is Python, and would count as calls.
        self._handles: Final[dict[int, int]] = {}
        # One of each for all handles: there are thousands. What a signal handler raises meanwhile goes to the program.
        self._on_invalidate, self._on_resume, self._on_retire = map(
            _tap.Insisted, (self._invalidated, self._resumed, self._retired)
        )

    def commit(self, function: Function, found: Iterable[Found]) -> bool:
        """Make function's handle anew; False if something changed meanwhile."""
        recorder = depwatch.Recorder(function.name, GIVE_UP_AFTER)
        refused: set[int] = set()
        taken: list[Found] = []
        for each in found:
            if (each.via is not None and each.via.number in refused) or not self._read(recorder, each):
                refused.add(each.facet.number)
            else:
                taken.append(each)
        self.release(function)
        try:
            handle = recorder.commit(
                None, on_invalidate=self._on_invalidate, on_resume=self._on_resume, on_retire=self._on_retire
            )
        except depwatch.Stale:
            self._refuse("stale")
            return False
        function.handle = handle
        self._functions[handle.id] = function
        function.recorded = [(each.facet, Recorded(each.value)) for each in taken]
        for each in taken:
            each.facet.rely()
            self._handles[each.facet.number] = self._handles.get(each.facet.number, 0) + 1
        self.counts.handles += 1
        self.counts.dependencies += len(taken)
        self.counts.recompiled += function.dropped
        function.dropped = function.bereft = False
        depwatch.drain()  # those that waited for other values go now, and not at some later moment
        return True

    def release(self, function: Function) -> None:
        handle, function.handle = function.handle, None
        recorded, function.recorded = function.recorded or (), None
        for facet, _ in recorded:
            self._handles[facet.number] -= 1
            if not self._handles[facet.number]:
                del self._handles[facet.number]
        if handle is not None:
            _tap.hold(function.called, 0)
            self._functions.pop(handle.id, None)
            handle.release()

    def report(self, read: int, missed: list[str]) -> dict[str, Any]:
        """All counts, for the metadata of the trace."""
        calls, cold, mixed = _tap.calls()
        more = {
            "calls": calls,
            "cold_calls": cold,
            "calls_in_other_namespaces": mixed,
            "read_again": read,
            "missed": len(missed),
            "missed_first": missed[:10],
        }
        return asdict(self.counts) | more

    def missed(self) -> tuple[int, list[str]]:
        """Read every facet of every valid handle again: how many, and those that have changed unnoticed."""
        depwatch.drain()
        read, wrong = 0, []
        for function in list(self._functions.values()):
            for facet, recorded in list(function.recorded or ()):
                if function.handle is None or not function.handle.valid or facet.owner.dead:
                    continue
                read += 1
                now = facet.read()
                if recorded.is_same(now[0] if now else MISSING):
                    continue
                depwatch.drain()  # another thread may have changed it just now
                if function.handle is not None and function.handle.valid:
                    wrong.append(f"{facet.kind} {facet.name} in {function.name}")
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
        self.counts.refused[why] = self.counts.refused.get(why, 0) + 1
        return False

    def _invalidated(self, handle: depwatch.Handle) -> None:
        _tap.drained()
        if (function := self._function_of(handle)) is not None:
            self._drop(function)

    def _resumed(self, handle: depwatch.Handle) -> None:
        _tap.drained()
        function = self._function_of(handle)
        if function is not None and function.dropped:
            function.dropped = False
            self.counts.resumed += 1

    def _retired(self, handle: depwatch.Handle) -> None:
        _tap.drained()
        function = self._function_of(handle)
        if function is None:
            return
        self.counts.retired += 1
        recorded, reason = function.recorded or [], handle.reason or ""
        if _LOST in reason:
            _tap.lost(function.called)  # how many references a value had is in no other row
        self.release(function)
        for facet, _ in recorded:
            if facet.number not in self._handles:
                facet.distrust()
        if function.dropped:
            return
        if any(facet.owner.dead for facet, _ in recorded) and " died" in reason:
            function.bereft = True
            _tap.look(function.called)
        else:  # a facet was given up while it held
            self._drop(function)

    def _function_of(self, handle: depwatch.Handle) -> Function | None:
        function = self._functions.get(handle.id)
        return function if function is not None and function.handle is handle else None

    def _drop(self, function: Function) -> None:
        if function.dropped or not _tap.is_on():
            return
        _tap.set_cold(function.called, 0)
        function.dropped = True  # last: it may be interrupted, and is then done again
        self.counts.dropped += 1
