"""What each facet did to which functions: whose code it dropped, and what of that was compiled again."""

from collections import defaultdict
from typing import Final

import numpy as np

from ._engine import Step
from .events import Numbers


class Harm:
    """steps: of an engine that drops by facet (Engine.steps)."""

    def __init__(self, steps: Numbers) -> None:
        self.dropped: Final[dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(int))  # facet: function: times
        self.recompiled: Final[dict[int, int]] = defaultdict(int)
        steps = steps[np.argsort(steps[:, 2], kind="stable")]  # function by function
        function, step, times = steps[:, 2], steps[:, 3], steps[:, 4]
        is_dropped = np.flatnonzero(step == Step.DROPPED)
        after = np.minimum(is_dropped + 1, len(steps) - 1)
        again = (after > is_dropped) & (function[after] == function[is_dropped]) & (step[after] == Step.COMPILED)
        columns = (steps[is_dropped, 5], function[is_dropped], times[is_dropped], again)
        for facet, who, many, is_made in zip(*(each.tolist() for each in columns), strict=True):
            self.dropped[facet][who] += many
            self.recompiled[facet] += many * is_made
