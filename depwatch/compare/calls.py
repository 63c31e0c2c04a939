"""How many calls the program made, although most of its hot functions are not monitored.

A function that is called at least FAST times a second is switched off, and its calls are estimated from its rate; a
slower one stays monitored and is counted exactly. The rate is measured anew in windows of about WINDOW seconds, for one
function at a time, by a callback that does next to nothing, and counts for the time since the function was switched
off: a rate measured in a window that opens anywhere in time is not biased, but one measured when the function was seen
to be fast is, for it may have been in a burst; it only serves until the first window. The function that the largest
part of the estimate rests on is next.

There is no clock of our own in the observed program (no thread, no signal): a window opens when something that is still
monitored happens, and as long as the windows have cost less than OVERHEAD of the time. In between, a function that is
not too fast is counted, so that something happens. A program that runs nothing but very fast functions for long is
extrapolated from their last rates. Of the share of calls that ran cold, all of this concerns only the denominator.
"""

import weakref
from dataclasses import dataclass
from types import CodeType
from typing import Final

FAST: Final = 1000.0  # calls a second
BATCH: Final = 64  # calls between two looks at the clock
AT_FIRST: Final = 500  # hot calls that are counted exactly in any case
WINDOW: Final = 0.001  # seconds
WINDOW_COST: Final = 50e-6  # seconds, besides the calls in it
OVERHEAD: Final = 0.03
CLOCK: Final = 1e5  # calls a second, of a function that may be counted until the next window


@dataclass(slots=True, eq=False)
class Rate:
    """The calls of one hot function: monitored, in the window, or switched off."""

    code: weakref.ref[CodeType]
    per_second: float = 0.0
    since: float = 0.0  # it is monitored, or switched off
    calls: int = 0  # monitored since

    def estimate(self, now: float) -> float:
        return self.per_second * (now - self.since)


class CallCount:
    """All times are the program's own: they do not contain what observing costs."""

    def __init__(self, now: float) -> None:
        self.exact = 0
        self.window: Rate | None = None  # the function that is being measured
        self._off: set[Rate] = set()
        self._start = now
        self._opened = now
        self._last = (0, 0.0)  # calls and seconds in the window, at the last look
        self._spent = 0.0
        self._estimated = 0.0

    def estimated(self, now: float) -> float:
        """The calls up to now that were not monitored."""
        before = self.window.estimate(self._opened) if self.window is not None else 0.0
        return self._estimated + before + sum(rate.estimate(now) for rate in list(self._off))

    def monitor(self, rate: Rate, now: float) -> bool:
        """The function is hot from now on. Return True if it can be left switched off: it is known to be fast."""
        self.leave(rate, now)
        rate.since, rate.calls = now, 0
        if rate.per_second >= FAST:
            self._off.add(rate)
            return True
        return False

    def is_fast(self, rate: Rate, now: float) -> bool:
        """Count a monitored call of a hot function. Return True if it is to be switched off."""
        rate.calls += 1
        if rate.calls < BATCH or (rate.calls < AT_FIRST and not rate.per_second):
            return False
        per_second = rate.calls / max(now - rate.since, 1e-6)
        rate.since, rate.calls = now, 0
        if per_second < FAST:
            return False
        rate.per_second = per_second
        self._off.add(rate)
        return True

    def next_window(self, now: float) -> Rate | None:
        """Open the next window, if it is time; the caller then reports the calls in it with close()."""
        if self.window is not None or not self._off or self._spent > (now - self._start) * OVERHEAD:
            return None
        return self._open(max(list(self._off), key=lambda rate: rate.estimate(now)), now)

    def clock(self, now: float) -> Rate | None:
        """Open a window for the slowest of the functions that are off, to have something that happens."""
        slow = [rate for rate in list(self._off) if rate.per_second < CLOCK]
        if self.window is not None or not slow:
            return None
        return self._open(min(slow, key=lambda rate: rate.per_second), now)

    def is_over(self, now: float) -> bool:
        """True if the window has been open long enough, seen from elsewhere."""
        return self.window is not None and now - self._opened >= WINDOW

    def may_go_on(self, calls: int, seconds: float, now: float) -> bool:
        """True if the window may stay open: the function is slow enough, and it is not yet time for the next one."""
        calls_before, seconds_before = self._last
        self._last = calls, seconds
        is_slow = calls - calls_before < (seconds - seconds_before) * CLOCK
        return is_slow and self._spent > (now - self._start) * OVERHEAD

    def close(self, calls: int, seconds: float, cost: float, now: float) -> bool:
        """The window had so many calls in these seconds. Return True if the function is left switched off."""
        rate, self.window = self.window, None
        self.exact += calls
        if rate is None:  # another thread has closed it
            return True
        self._spent += cost + WINDOW_COST
        rate.per_second = calls / max(seconds, 1e-9)
        self._estimated += rate.per_second * (self._opened - rate.since)
        rate.since, rate.calls = now, 0
        if rate.per_second < FAST:
            return False
        self._off.add(rate)
        return True

    def leave(self, rate: Rate, now: float) -> None:
        """The function is monitored for another reason from now on, or died."""
        if rate in self._off:
            self._off.discard(rate)
            self._estimated += rate.estimate(now)
        if self.window is rate:
            self.window = None
            self._estimated += rate.estimate(self._opened)

    def _open(self, rate: Rate, now: float) -> Rate:
        self._off.discard(rate)
        self.window = rate
        self._opened = now
        self._last = (0, 0.0)
        return rate
