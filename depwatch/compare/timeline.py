"""What had been counted at which time: afterwards the first fifth of the run can be told from the rest."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

_MOST: Final = 512  # entries; when there are more, every other one is dropped and the interval doubles


class Timeline:
    """Keeps `counters()` as it was after the last activity of each interval; the interval is below 1/256 of the run."""

    def __init__(self, now: float, counters: Callable[[float], tuple[float, ...]]) -> None:
        self._counters = counters
        self._start = self._last = now
        self._interval = 200e-6
        self.due = now + self._interval
        self._times = [0.0]
        self._entries = [counters(now)]

    def activity(self, now: float) -> None:
        """Call it before something is counted at `now`."""
        if self._last >= self.due:
            self._add(self._last)
        self._last = now

    def end(self, now: float) -> None:
        self._add(self._last)
        self._add(now)

    def at(self, seconds: float) -> tuple[float, ...]:
        """The counters `seconds` after the start: ints as they were then, floats (estimates) interpolated."""
        after = min(bisect_right(self._times, seconds), len(self._times) - 1)
        t1, t2 = self._times[after - 1], self._times[after]
        share = (seconds - t1) / (t2 - t1) if t2 > t1 else 1.0
        pairs = zip(self._entries[after - 1], self._entries[after], strict=True)
        return tuple(a + (b - a) * share if isinstance(a, float) else a for a, b in pairs)

    def _add(self, now: float) -> None:
        entry = self._counters(now)
        self._times.append(now - self._start)
        self._entries.append(entry)
        if len(self._times) > _MOST:
            del self._times[1::2], self._entries[1::2]
            self._interval *= 2
        self.due = now + self._interval
