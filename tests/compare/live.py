"""The recorder's twin: real handles of depwatch, made of what the recorder finds, in the process that is recorded.

They are counted while the program runs. A replay of the trace under the policy `healing` must come to the same counts.
"""

import json
import sys
import weakref
from dataclasses import asdict, dataclass, field
from types import CodeType, ModuleType
from typing import Any, Final

import depwatch
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER
from depwatch.compare.record import _tap
from depwatch.compare.record.function import Function
from depwatch.compare.record.objects import MISSING, Kind
from depwatch.compare.record.places import Places
from depwatch.compare.record.recording import Recording
from depwatch.compare.record.resolve import Found

TOOL: Final = 4  # below the recorder's, so that CPython calls this one after it
CALL: Final = sys.monitoring.events.PY_START


@dataclass
class Counts:
    handles: int = 0  # ever made
    dependencies: int = 0  # of all of these
    dropped: int = 0  # handles invalidated
    resumed: int = 0  # valid again without being compiled anew
    recompiled: int = 0  # compiled anew after they were dropped
    retired: int = 0  # for good, by depwatch
    cold_calls: int = 0  # of functions that were hot before
    refused: dict[str, int] = field(default_factory=dict)  # look-ups that are no dependencies of a handle, by reason


@dataclass(eq=False)
class Dependency:
    """What was found, without what it was found in: that must not be kept alive."""

    number: int  # of the facet
    via: int | None
    kind: str
    name: str
    owner: "weakref.ref[Any] | int"  # of a namespace: its module or, if that is not known, its address
    is_absent: bool

    @classmethod
    def of(cls, found: Found, modules: dict[int, ModuleType]) -> "Dependency":
        owner: Any = found.owner
        if isinstance(owner, dict) and id(owner) not in modules:
            owner = id(owner)
        else:
            owner = weakref.ref(modules.get(id(owner), owner))
        via = None if found.via is None else found.via.number
        facet = found.facet
        return cls(facet.number, via, facet.kind, facet.name, owner, found.value is MISSING)

    def is_dead(self) -> bool:
        return not isinstance(self.owner, int) and self.owner() is None

    def find_owner(self, frame: Any) -> Any:
        if not isinstance(self.owner, int):
            return self.owner()
        spaces = [vars(module) for module in list(sys.modules.values())]
        spaces += [] if frame is None else [frame.f_globals, frame.f_builtins]
        return next((space for space in spaces if id(space) == self.owner), None)


@dataclass(eq=False)
class State:
    """A function of the recorder's."""

    code: "weakref.ref[CodeType]"
    called: object  # what the tap calls it
    name: str
    calls: int
    found: list[Dependency] = field(default_factory=list)
    handle: depwatch.Handle | None = None
    recorded: list[tuple[Dependency, Any]] = field(default_factory=list)  # with the value: weakly
    hot: bool = False
    cold: int = 0  # calls in a row
    dropped: bool = False
    bereft: bool = False


class Twin(Recording):
    def __init__(self, directory: str, places: Places, hot_after: int = HOT_AFTER, *others: Any) -> None:
        super().__init__(directory, places, hot_after, *others)
        self.counts = Counts()
        self._limit = hot_after
        self._states: dict[tuple[int, int], State] = {}  # by code and namespace
        self._of: dict[int, State] = {}  # by handle
        self._calls = 0  # at the call that the recorder looks at
        self._warm_calls = 0  # of functions that had been hot before
        sys.monitoring.use_tool_id(TOOL, "twin")
        sys.monitoring.register_callback(TOOL, CALL, self._on_call)

    def start(self, described: dict[str, Any] | None = None) -> None:
        super().start(described)
        sys.monitoring.set_events(TOOL, CALL)

    def _leave_monitoring(self) -> None:
        """The program has ended, unless nothing is recorded any more."""
        super()._leave_monitoring()
        if sys.monitoring.get_tool(TOOL) is None:
            return
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)
        if not _tap.is_on():
            return
        depwatch.drain()
        _tap.drain()
        missed = self._missed()
        calls, _ = _tap.calls()
        self.counts.cold_calls += calls - self._warm_calls
        _tap.json(json.dumps({"live": asdict(self.counts) | {"missed": missed}}))

    # -- what the recorder does ----------------------------------------------------------------------------------------

    def _on_threshold(self, code: CodeType, called: object, function: Function | None, calls: int) -> None:
        self._calls = calls
        super()._on_threshold(code, called, function, calls)

    def _resolve(self, code: CodeType, function: Function) -> list[Found]:
        found = super()._resolve(code, function)
        frame = sys._getframe(1)
        while frame.f_code is not code:
            frame = frame.f_back  # type: ignore[assignment]  # the code runs
        key = (id(code), id(frame.f_globals))
        state = self._states.get(key)
        if state is None or state.code() is not code:
            if state is not None:
                self._release(state)
            state = self._states[key] = State(weakref.ref(code), function.called, function.name, self._calls - 1)
        modules = {id(vars(each.value)): each.value for each in found if isinstance(each.value, ModuleType)}
        state.found = [Dependency.of(each, modules) for each in found]
        return found

    # -- the program's calls -------------------------------------------------------------------------------------------

    def _on_call(self, code: CodeType, _: int) -> None:
        frame = sys._getframe(1)
        state = self._states.get((id(code), id(frame.f_globals)))
        if state is None or state.code() is not code or not _tap.is_on():
            return
        state.calls += 1
        self._warm_calls += state.calls > self._limit
        if state.bereft or (not state.hot and state.calls >= self._limit):
            state.hot = True
            self._commit(state, frame)
        if not state.hot:
            return
        if state.handle is not None and state.handle.valid:
            state.cold = 0
            return
        if state.calls > self._limit:
            self.counts.cold_calls += 1
        state.cold += 1
        if state.cold >= self._limit:
            state.cold = 0
            self._commit(state, frame)

    # -- handles -------------------------------------------------------------------------------------------------------

    def _commit(self, state: State, frame: Any) -> None:
        recorder = depwatch.Recorder(state.name, GIVE_UP_AFTER)
        refused: set[int] = set()
        taken: list[tuple[Dependency, Any]] = []
        for each in state.found:
            owner = each.find_owner(frame)
            if each.via in refused or owner is None:
                refused.add(each.number)
            elif (read := self._read(recorder, each, owner)) is None:
                refused.add(each.number)
            else:
                taken.append((each, read))
        _tap.compiles(state.called)
        self._release(state)
        try:
            handle = recorder.commit(
                None, on_invalidate=self._invalidated, on_resume=self._resumed, on_retire=self._retired
            )
        except depwatch.Stale:
            self._refuse("stale")
            state.cold = self._limit - 1  # at the next call again
            return
        state.handle, state.recorded = handle, taken
        self._of[handle.id] = state
        self.counts.handles += 1
        self.counts.dependencies += len(taken)
        self.counts.recompiled += state.dropped
        state.dropped = state.bereft = False
        depwatch.drain()  # those that waited for other values go now, and not at some later moment

    def _read(self, recorder: depwatch.Recorder, found: Dependency, owner: Any) -> Any:
        """The value, weakly; None: it was refused."""
        try:
            match found.kind:
                case Kind.FUNCTION:
                    (value,) = recorder.read_function(owner, found.name)
                case Kind.TYPE:
                    value = recorder.read_type_attr(owner, found.name, default=MISSING)
                case _:
                    value = recorder.read_global(owner, found.name)
        except depwatch.Unstable:
            return self._refuse("unstable")
        except depwatch.Unwatchable:
            return self._refuse("unwatchable")
        except NameError:
            return self._refuse("missing")
        return _weak(value)

    def _refuse(self, why: str) -> None:
        self.counts.refused[why] = self.counts.refused.get(why, 0) + 1

    def _release(self, state: State) -> None:
        handle, state.handle, state.recorded = state.handle, None, []
        if handle is not None:
            self._of.pop(handle.id, None)
            handle.release()

    def _missed(self) -> list[str]:
        """What the valid handles rely on and has changed unnoticed, by reading all of it again."""
        wrong = []
        for state in self._states.values():
            for found, recorded in state.recorded:
                owner = found.find_owner(None)
                if state.handle is None or not state.handle.valid or owner is None:
                    continue
                now = self._read(depwatch.Recorder("again", None), found, owner)
                if now is None or now() != recorded():
                    wrong.append(f"{found.kind} {found.name} in {state.name}")
        return wrong

    # -- notices -------------------------------------------------------------------------------------------------------

    def _invalidated(self, handle: depwatch.Handle) -> None:
        state = self._of.get(handle.id)
        if state is not None and state.handle is handle:
            self._drop(state)

    def _resumed(self, handle: depwatch.Handle) -> None:
        state = self._of.get(handle.id)
        if state is not None and state.handle is handle and state.dropped:
            state.dropped = False
            self.counts.resumed += 1

    def _retired(self, handle: depwatch.Handle) -> None:
        state = self._of.get(handle.id)
        if state is None or state.handle is not handle:
            return
        self.counts.retired += 1
        has_died = any(found.is_dead() for found, _ in state.recorded) and " died" in (handle.reason or "")
        self._release(state)
        if state.dropped:
            return
        if has_died:
            state.bereft = True
        else:  # a facet was given up while it held
            self._drop(state)

    def _drop(self, state: State) -> None:
        if not state.dropped and _tap.is_on():
            state.dropped, state.cold = True, 0
            self.counts.dropped += 1


def _weak(value: Any) -> Any:
    """Called, it says what the value is: what tells it from others, while it lives."""
    if type(value) in (int, float, str):
        return lambda: (type(value), repr(value))
    number = id(value)
    try:
        reference = weakref.ref(value)
    except TypeError:
        return lambda: number
    return lambda: number if reference() is not None else None
