"""What each facet did to which functions: whose code it dropped, and what of that was compiled again."""

from collections import defaultdict
from functools import cached_property
from typing import Final

import numpy as np

from ._engine import Step
from .events import Events, Numbers


class Harm:
    """steps: of an engine that drops by facet (Engine.steps)."""

    def __init__(self, events: Events, steps: Numbers) -> None:
        self._events: Final = events
        self.dropped: Final[dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(int))  # facet: function: times
        self.recompiled: Final[dict[int, int]] = defaultdict(int)
        steps = steps[np.argsort(steps[:, 2], kind="stable")]  # function by function
        function, step, times = steps[:, 2], steps[:, 3], steps[:, 4]
        is_dropped = np.flatnonzero(step == Step.DROPPED)
        after = np.minimum(is_dropped + 1, len(steps) - 1)
        again = (after > is_dropped) & (function[after] == function[is_dropped]) & (step[after] == Step.COMPILED)
        for event, who, many, is_made in zip(
            *(each[is_dropped].tolist() for each in (steps[:, 1], function, times)), again.tolist(), strict=True
        ):
            facet = self._facet(event, who)
            if facet is not None:
                self.dropped[facet][who] += many
                self.recompiled[facet] += many * is_made

    @cached_property
    def _depends(self) -> set[tuple[int, int]]:
        """(facet, function) of each dependency."""
        functions = np.repeat(self._events.set_function, np.diff(self._events.set_start.astype(np.int64)))
        return set(zip(self._events.dependency_facet.tolist(), functions.tolist(), strict=True))

    def _facet(self, event: int, function: int) -> int | None:
        """Which of those that changed at that event dropped the function: the first that it depends on."""
        events = self._events
        change = int(events.what[event])
        end = events.window_end[change]
        changed = events.value_facet[events.value_start[change] : events.value_start[end]].tolist()
        if len(changed) == 1:
            return int(changed[0])
        return next((facet for facet in changed if (facet, function) in self._depends), None)
