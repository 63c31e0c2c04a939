"""sys.monitoring, for calls and lines: a tool sees each code object once, one is switched on and off, one counts."""

import sys
from collections.abc import Callable
from time import perf_counter
from types import CodeType
from typing import Any, Final

from .calls import BATCH, WINDOW

_monitoring = sys.monitoring
_CALLS: Final = _monitoring.events.PY_START
_LINES: Final = _monitoring.events.LINE
_CALIBRATION: Final = 200  # calls

DISABLE: Final = _monitoring.DISABLE

type OnCall = Callable[[CodeType, int], Any]
type OnCounted = Callable[[CodeType, int, float], None]


class Monitor:
    """Several tools, because an event that is on everywhere cannot be switched off and on again in one code object."""

    def __init__(self, on_first_call: OnCall, on_call: OnCall, on_line: OnCall, on_counted: OnCounted) -> None:
        """on_first_call and on_line return DISABLE; the call that on_first_call is told of is not told to on_call.

        on_counted(code, calls, seconds) hears of what count() began; the seconds are without what counting costs.
        """
        # 3 and 4 have no usual owner, and 5 (optimizers) hardly one.
        free = [tool for tool in (4, 3, 5, 1, 0, 2) if _monitoring.get_tool(tool) is None]
        if len(free) < 3:
            raise RuntimeError("three of the six tool IDs of sys.monitoring must be free")
        self._first, self._each, self._counter = self._tools = free[:3]
        for tool in self._tools:
            _monitoring.use_tool_id(tool, "depwatch compare")
        _monitoring.register_callback(self._first, _CALLS, on_first_call)
        _monitoring.register_callback(self._each, _CALLS, on_call)
        _monitoring.register_callback(self._each, _LINES, on_line)
        self._on_counted = on_counted
        self._so_far: Callable[[], tuple[int, float]]
        self._counted: CodeType | None = None
        self.seconds_a_call = 0.0  # of a function that does nothing
        self.cost_of_counting = 0.0  # seconds that it adds to a call
        self.cost_of_counting = self._measure()

    def start(self) -> None:
        _monitoring.set_events(self._first, _CALLS)

    def watch_calls(self, code: CodeType) -> None:
        _monitoring.set_local_events(self._each, code, _CALLS)

    def watch_calls_and_lines(self, code: CodeType) -> None:
        """A line is reported once each time that this is called."""
        _monitoring.set_local_events(self._each, code, _CALLS | _LINES)

    def ignore(self, code: CodeType) -> None:
        _monitoring.set_local_events(self._each, code, 0)

    def count(self, code: CodeType) -> None:
        """Count the calls of code, and report every BATCH calls, but not for WINDOW seconds. One code at a time."""
        self.stop_counting()
        batches = 0
        left = BATCH
        start = perf_counter()

        def tick(counted: CodeType, _: int) -> None:
            nonlocal batches, left
            left -= 1
            if left:
                return
            batches += 1
            left = BATCH
            calls, seconds = so_far()
            if seconds >= WINDOW:
                self._on_counted(counted, calls, seconds)

        def so_far() -> tuple[int, float]:
            calls = batches * BATCH + BATCH - left
            return calls, perf_counter() - start - calls * self.cost_of_counting

        self._counted, self._so_far = code, so_far
        _monitoring.register_callback(self._counter, _CALLS, tick)
        _monitoring.set_local_events(self._counter, code, _CALLS)

    def stop_counting(self) -> tuple[int, float]:
        """Return how many calls there were since count(), in how many seconds."""
        code, self._counted = self._counted, None
        if code is None:
            return 0, 0.0
        _monitoring.set_local_events(self._counter, code, 0)
        return self._so_far()

    def stop(self) -> None:
        """Leave sys.monitoring as it was. Code that is still instrumented then calls nobody."""
        self.stop_counting()
        _monitoring.set_events(self._first, 0)
        for tool in self._tools:
            for event in (_CALLS, _LINES):
                _monitoring.register_callback(tool, event, None)
            _monitoring.free_tool_id(tool)

    def _measure(self) -> float:
        """The seconds that counting adds to a call: the difference of two medians."""

        def callee(x: int) -> int:
            return x

        def median() -> float:
            times = []
            for _ in range(25):
                start = perf_counter()
                for number in range(_CALIBRATION):
                    callee(number)
                times.append(perf_counter() - start)
            return sorted(times)[len(times) // 2] / _CALIBRATION

        counter, self._on_counted = self._on_counted, lambda code, calls, seconds: self.count(code)
        self.seconds_a_call = plain = median()
        self.count(callee.__code__)
        counted = median()
        self.stop_counting()
        self._on_counted = counter
        return max(0.0, counted - plain)
