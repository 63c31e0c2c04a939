"""Measures how often hot functions are called: drives CallCount with the monitor's windows."""

from collections.abc import Callable
from types import CodeType
from typing import Final

from .calls import CallCount, Rate
from .clock import Clock
from .functions import Function, Functions
from .monitor import Monitor


class Meter:
    def __init__(
        self, clock: Clock, monitor: Monitor, functions: Functions, watch: Callable[[Function, CodeType], None]
    ) -> None:
        """watch(function, code) has function monitored as its state asks for."""
        self.calls = CallCount(clock.now())
        self._clock: Final = clock
        self._monitor: Final = monitor
        self._functions: Final = functions
        self._watch: Final = watch
        self._spent_before = 0.0  # the window

    def hot(self, function: Function, code: CodeType) -> None:
        """The function is hot from now on: count its calls for as long as that costs little."""
        function.rate = function.rate or Rate(function.code)
        if self.calls.monitor(function.rate, self._clock.now()):
            self._switch_off(function, code)
        else:
            self._watch(function, code)

    def cold(self, function: Function) -> None:
        """The function is monitored in any case from now on."""
        if function.rate is not None:
            if self.calls.window is function.rate:
                self.calls.exact += self._monitor.stop_counting()[0]
            self.calls.leave(function.rate, self._clock.now())

    def count(self, function: Function, code: CodeType, now: float) -> None:
        """Count a monitored call of a hot function."""
        if function.rate is not None and self.calls.is_fast(function.rate, now):
            self._switch_off(function, code)

    def turn(self, now: float) -> None:
        """Go on to the next function, if it is time."""
        if self.calls.is_over(now) and (rate := self.calls.window) is not None:
            self._close(rate.code(), *self._monitor.stop_counting())
        if (rate := self.calls.next_window(now)) is not None:
            self._open(rate, now)

    def on_counted(self, code: CodeType, calls: int, seconds: float) -> None:
        """A window has lasted long enough, but may go on."""
        now = self._clock.now()
        if self.calls.may_go_on(calls, seconds, now):
            return
        self._monitor.stop_counting()
        self._close(code, calls, seconds)
        if (rate := self.calls.next_window(now) or self.calls.clock(now)) is not None:
            self._open(rate, now)

    def _open(self, rate: Rate, now: float) -> None:
        code = rate.code()
        if code is None:
            self.calls.leave(rate, now)
            return
        self._spent_before = self._clock.spent
        self._monitor.ignore(code)
        self._monitor.count(code)

    def _close(self, code: CodeType | None, calls: int, seconds: float) -> None:
        seconds -= self._clock.spent - self._spent_before  # on other functions
        seconds = max(seconds, calls * self._monitor.seconds_a_call)
        cost = calls * self._monitor.cost_of_counting
        self._clock.spent += cost
        is_off = self.calls.close(calls, seconds, cost, self._clock.now())
        if not is_off and code is not None and (function := self._functions.at.get(id(code))) is not None:
            self._watch(function, code)

    def _switch_off(self, function: Function, code: CodeType) -> None:
        self._monitor.ignore(code)
        if function.cold:  # dropped just now
            self._watch(function, code)
