"""Watches a running program: counts its calls, has hot functions compiled, and has every policy see the same changes.

It runs inside the program's own calls (sys.monitoring's callbacks) and in depwatch's drain, in whichever thread that
is, and takes no lock: a signal handler or a finalizer of the program could come in between and deadlock. Instead,
every step leaves the state usable: a function is taken off the cold list before its handle can be dropped again, and
monitoring is switched off first and on again if that came to be needed.
"""

import os
import sys
from time import perf_counter
from types import CodeType
from typing import Any, Final

import depwatch

from .clock import Clock
from .compiler import Compiler
from .facets import Facets
from .functions import Function, Functions
from .healing import Healing
from .lineup import ALL, HEALING, UNCAPPED, simulated
from .meter import Meter
from .monitor import DISABLE, Monitor
from .policies import COUNTS, Counts, Drop
from .samples import THRASHING, Samples
from .streams import Streams
from .timeline import Timeline

HOT_AFTER: Final = 50  # calls
TOTALS: Final = ("calls_monitored", "functions", "hot_functions", "handles", "facets", "dependencies", "events")

_CALIBRATION: Final = 100  # calls
_OURS: Final = os.path.dirname(depwatch.__file__) + os.sep

# What Samples counts: a column of a policy, or one of these.
_CALLS: Final = len(ALL) * len(COUNTS)
_EVENTS: Final = _CALLS + 1
_COLUMN: Final = {name: number for number, name in enumerate(COUNTS)}


def _cell(policy: int, column: str) -> int:
    return policy * len(COUNTS) + _COLUMN[column]


_COLD_CALLS: Final = [_cell(policy, "cold_calls") for policy in ALL]


class Observer:
    def __init__(self, hot_after: int = HOT_AFTER) -> None:
        self.hot_after: Final = hot_after
        self.failure: Exception | None = None  # of ours: it ended the observation
        self._clock: Final = Clock()
        self.facets: Final = Facets()
        self.functions: Final = Functions(hot_after)
        self.hot = 0  # functions that have become hot
        policies = simulated(self.facets.is_dict)
        self.healing: Final = Healing(self.facets.facets, self._heal_drop, self._heal_resume, self._activity)
        event_cost = _measure_event()
        self.streams: Final = Streams(
            self._clock, event_cost, self.facets, policies, self._drop, self._patch_busy, self._activity
        )
        self.compiler: Final = Compiler(self.facets, self.functions, policies, self.healing, self.streams)
        self._counts: Final[list[Counts]] = [self.healing.counts if i == HEALING else policies[i].counts for i in ALL]
        self._thrashing: Final[set[Function]] = set()
        self._monitor: Final = Monitor(self._on_first_call, self._on_call, self._on_line, self._on_counted)
        self._over = False
        self._entry_cost: Final = 2 * self._monitor.cost_of_counting  # seconds from the program into _on_call and back
        self._warmup_calls = 0  # of functions that had not been hot yet: cold under every policy
        self._start: Final = perf_counter()
        self.meter: Final = Meter(self._clock, self._monitor, self.functions, self._watch)
        self._samples: Final = Samples(self._start)
        self.timeline: Final = Timeline(self._start, self._counters)

    def start(self) -> None:
        self._monitor.start()

    def stop(self) -> float:
        """Stop observing; return how many seconds it was."""
        if self.failure is None:
            self._monitor.stop()
        depwatch.drain()
        self.streams.closed = self._over = True
        now = perf_counter()
        self.timeline.end(now)
        return now - self._start

    def abandon(self) -> None:
        """This is a forked child, or there is no program: what still runs is not observed."""
        self._over = self.streams.closed = True
        self._monitor.stop()

    def missed(self) -> tuple[int, list[str]]:
        """Read the facets of all valid handles again: how many, and which ones have changed unnoticed."""
        return self.healing.missed(list(self.functions.numbered.values()), vars(sys.modules["builtins"]))

    # -- the program's calls and lines ---------------------------------------------------------------------------------

    def _on_first_call(self, code: CodeType, offset: int) -> Any:
        if not self._over and not code.co_filename.startswith(_OURS) and id(code) not in self.functions.at:
            self._watch(self.functions.add(code), code)
            self._on_call(code, offset)
        return DISABLE

    def _on_call(self, code: CodeType, _: int) -> Any:
        function = self.functions.at.get(id(code))
        if function is None or self._over:
            return
        try:
            self._count(function, code)
        except RecursionError:  # the program is about to get one, too; this call is not counted
            return
        except Exception as error:
            self._fail(error)

    def _count(self, function: Function, code: CodeType) -> None:
        depwatch.drain()  # a change counts before this call does
        entered = perf_counter()
        self.timeline.activity(entered)
        now = entered - self._clock.spent
        self.meter.calls.exact += 1
        if function.calls_to_go:
            self._count_warmup(function, code)
        elif function.cold:
            self._count_cold(function, code)
        else:
            self.meter.count(function, code, now)
        self.meter.turn(now)
        if now > self._samples.due:
            self._sample(now)
        took = perf_counter() + self._entry_cost - entered
        self._clock.spent += took
        if function.drops > THRASHING:
            self._samples.cost += took

    def _on_line(self, code: CodeType, line: int) -> Any:
        function = self.functions.at.get(id(code))
        if function is not None:
            function.lines.add(line)
        self._clock.spent += 2 * self._entry_cost
        return DISABLE

    def _on_counted(self, code: CodeType, calls: int, seconds: float) -> None:
        if self._over:
            return
        try:
            self.meter.on_counted(code, calls, seconds)
            now = self._clock.now()
            if now > self._samples.due:
                self._sample(now)
        except RecursionError:
            return
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """A callback may not raise: it would be the program that raises."""
        self.failure = error
        self.abandon()

    def _count_warmup(self, function: Function, code: CodeType) -> None:
        if function.calls_to_go == 1:
            _need_room()
        function.calls_to_go -= 1
        self._warmup_calls += 1
        if not function.calls_to_go:
            self.hot += 1
            self.compiler.compile(function, _frame_of(code), ALL)
            if not function.cold:
                self.meter.hot(function, code)

    def _count_cold(self, function: Function, code: CodeType) -> None:
        if function.bereft:
            self.compiler.renew(function, _frame_of(code))
        thrashes = function.drops > THRASHING
        counted = self._samples.counted
        ready = []
        for policy, calls in list(function.cold.items()):
            self._counts[policy].cold_calls += 1
            if thrashes and policy in UNCAPPED:
                counted[_COLD_CALLS[policy]] += 1
            function.cold[policy] = calls + 1
            if calls + 1 >= self.hot_after:
                ready.append(policy)
        if thrashes:
            counted[_CALLS] += 1
        if ready:
            _need_room()
            for policy in self.compiler.compile(function, _frame_of(code), ready):
                if thrashes and policy in UNCAPPED:
                    counted[_cell(policy, "recompiled")] += 1
        if not function.cold:
            self.meter.hot(function, code)

    def _activity(self, now: float) -> None:
        """Before anything is counted at now: what was counted earlier belongs to an earlier time."""
        self.timeline.activity(now)

    # -- what the policies say -----------------------------------------------------------------------------------------

    def _drop(self, policy: int, drop: Drop) -> None:
        function = self.functions.numbered.get(drop.function)
        if function is None:
            return
        if policy in UNCAPPED:
            function.drops += 1
            if function.drops > THRASHING:
                self._thrashing.add(function)
                self._samples.counted[_cell(policy, "dropped")] += 1
                self._samples.counted[_cell(policy, "needlessly")] += drop.needlessly
        self._chill(function, policy)

    def _heal_drop(self, function: Function) -> None:
        self._chill(function, HEALING)

    def _heal_resume(self, function: Function) -> None:
        function.cold.pop(HEALING, None)
        code = function.code()
        if code is not None and not function.cold and not self._over:
            self.meter.hot(function, code)

    def _patch_busy(self, policy: int, patches: int) -> None:
        self._samples.counted[_cell(policy, "patches")] += patches
        self._samples.counted[_EVENTS] += 1

    def _chill(self, function: Function, policy: int) -> None:
        """The function's calls run cold under policy from now on."""
        if self._over:
            return
        was_hot = not function.cold
        function.cold[policy] = 0
        code = function.code()
        if code is not None and (was_hot or policy not in UNCAPPED):
            self.meter.cold(function)
            self._watch(function, code)

    # -- what is monitored ---------------------------------------------------------------------------------------------

    def _watch(self, function: Function, code: CodeType) -> None:
        """Monitor what the state of function asks for: a cold one's calls and lines, a hot one's calls."""
        if function.cold and function.drops > THRASHING and function.cold.keys() <= UNCAPPED:
            if self._samples.paused:
                self._monitor.ignore(code)
            else:
                self._monitor.watch_calls(code)
        elif function.cold or function.calls_to_go:
            self._monitor.watch_calls_and_lines(code)
        else:
            self._monitor.watch_calls(code)

    def _sample(self, now: float) -> None:
        """Observe what thrashes, or do not, for a while."""
        spent = self._samples.cost + self.streams.spent_on_busy
        if not self._samples.should_turn(now, spent):
            return
        if self._samples.paused:
            self.streams.resume()
            self._samples.resume(now, spent)
        else:
            self._samples.pause(now, spent)
            numbers = {function.number for function in self._thrashing}
            self.streams.pause(numbers.__contains__)
        for function in list(self._thrashing):
            code = function.code()
            if code is None:
                self._thrashing.discard(function)
            elif function.cold:
                self._watch(function, code)

    # -- numbers -------------------------------------------------------------------------------------------------------

    def _counters(self, when: float) -> tuple[float, ...]:
        """What has been counted: TOTALS and the policies' counts, as ints; then estimates of the same, as floats."""
        now = when - self._clock.spent
        totals = (
            self.meter.calls.exact,
            len(self.functions.numbered),
            self.hot,
            self.healing.handles,
            len(self.healing.facets_recorded),
            self.healing.dependencies,
            self.streams.events,
        )
        exact = list(totals)
        estimate = self._samples.estimate
        estimates = [0.0] * len(totals)
        estimates[0] = self.meter.calls.estimated(now) + estimate(_CALLS, now)
        estimates[-1] = estimate(_EVENTS, now)
        for policy in ALL:
            counts = self._counts[policy]
            for column, name in enumerate(COUNTS):
                exact.append(getattr(counts, name) + (self._warmup_calls if name == "cold_calls" else 0))
                estimates.append(estimate(policy * len(COUNTS) + column, now))
        return (*exact, *estimates)


def _measure_event() -> float:
    """Seconds from a change to a listener and back."""
    namespace = {"x": 0}
    subscription = depwatch.subscribe(lambda event: None, namespace, "x")
    times = []
    for value in range(_CALIBRATION):
        start = perf_counter()
        namespace["x"] = value + 1
        depwatch.drain()
        times.append(perf_counter() - start)
    subscription.cancel()
    return sorted(times)[len(times) // 2]


def _need_room(depth: int = 50) -> None:
    """Raise RecursionError now if the program has recursed so deep that compiling would raise it halfway."""
    if depth:
        _need_room(depth - 1)


def _frame_of(code: CodeType) -> Any:
    """The frame that is about to run code, in this thread."""
    frame: Any = sys._getframe(1)
    while frame.f_code is not code:
        frame = frame.f_back
    return frame
