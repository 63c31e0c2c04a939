"""Bounds the cost of what never comes to rest.

Under the policies without a cap, a handle that depends on a counter is dropped and compiled for as long as the program
runs, and each step of the counter is a patch. Counting all of that would slow such a program down several times. So a
function that has been dropped THRASHING times and a facet that has changed BUSY times are observed in windows,
and what was counted of them in a window goes on at the same rate until the next one. Both shares are kept apart.
"""

from collections import Counter
from typing import Final

THRASHING: Final = 12  # drops of a function, twice as many as the policies with a cap see of one facet
BUSY: Final = 200  # changes of a facet
WINDOW: Final = 0.005  # seconds of the program's own time
OVERHEAD: Final = 0.35  # of the program's own time


class Samples:
    """Which time is observed, and the estimates for the rest. A counter is named by a number."""

    def __init__(self, now: float) -> None:
        self.counted: Counter[int] = Counter()  # in this window, of thrashing functions and busy facets
        self.paused = False
        self.cost = 0.0  # seconds spent on thrashing functions, so far
        self.due = now + WINDOW  # when should_turn() is to be asked
        self._estimated: dict[int, float] = {}
        self._rates: dict[int, float] = {}
        self._since = now
        self._spent = 0.0

    def should_turn(self, now: float, spent: float) -> bool:
        """Ask when due, with the seconds spent on what is sampled: True if pause() or resume() is to be called."""
        if self.paused:
            return True
        cost = spent - self._spent
        if self.counted and cost > (now - self._since) * OVERHEAD:
            return True
        self._begin(now, spent)
        return False

    def pause(self, now: float, spent: float) -> None:
        length = max(now - self._since, 1e-6)
        self._rates = {what: number / length for what, number in self.counted.items()}
        self.paused = True
        self._since = now
        self.due = now + (spent - self._spent) / OVERHEAD

    def resume(self, now: float, spent: float) -> None:
        for what in self._rates:
            self._estimated[what] = self.estimate(what, now)
        self._rates = {}
        self.paused = False
        self._begin(now, spent)

    def estimate(self, what: int, now: float) -> float:
        """How much of `what` was not observed up to now."""
        return self._estimated.get(what, 0.0) + self._rates.get(what, 0.0) * max(0.0, now - self._since)

    def _begin(self, now: float, spent: float) -> None:
        self.counted.clear()
        self._since = now
        self._spent = spent
        self.due = now + WINDOW
