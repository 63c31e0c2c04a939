"""Plots as numbers for SVG: the template draws them, so that they take the page's colours and width."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from .figures import on_axis
from .sweeps import Sweep

HEIGHT: Final = 100  # of a strip's drawing, in its own units: it is stretched to the width that there is
EXTENT: Final = 1000  # of a chart's drawing, both ways
_LEAST: Final = 4  # of HEIGHT: what is not nothing can be seen
_MARGIN: Final = 0.04  # of an axis, at both ends
_APART: Final = 23  # percent of an axis: what lies between two ticks at least


@dataclass(frozen=True)
class Strip:
    """One row of bars over time."""

    label: str
    total: int
    peak: int  # what the highest bar stands for
    bins: int
    path: str


def strip(label: str, bins: Sequence[int], peak: int | None = None) -> Strip:
    """peak: the value of the full height, where several strips share it."""
    full = max(bins, default=0) if peak is None else peak
    return Strip(label, sum(bins), max(bins, default=0), len(bins), _bars(bins, full))


def _bars(bins: Sequence[int], full: int) -> str:
    heights = [max(_LEAST, round(HEIGHT * count / full)) if count else 0 for count in bins]
    path = []
    at = 0
    for height, same in groupby(heights):
        width = len(list(same))
        if height:
            path.append(f"M{at} {HEIGHT}v{-height}h{width}v{height}z")
        at += width
    return "".join(path)


@dataclass(frozen=True)
class Tick:
    at: float  # percent of the axis
    text: str


@dataclass(frozen=True)
class Chart:
    """Two costs as one price varies, both axes logarithmic."""

    sweep: Sweep
    a: str  # points of the line
    b: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    break_even: float | None  # percent of the x axis; None: outside
    listed: float | None  # where the price list's own price is


def chart(sweep: Sweep, listed: float | None) -> Chart | None:
    """None: there is nothing to draw on logarithmic axes."""
    curve = [point for point in sweep.curve if point[0] > 0]
    costs = [cost for _, a, b in curve for cost in (a, b) if cost > 0]
    if len(curve) < 2 or not costs:
        return None
    x = _Axis(min(price for price, _, _ in curve), max(price for price, _, _ in curve))
    y = _Axis(min(costs), max(costs))
    a, b = (
        " ".join(f"{_whole(x.at(point[0]))},{EXTENT - _whole(y.at(point[column]))}" for point in curve)
        for column in (1, 2)
    )
    return Chart(sweep, a, b, x.ticks(on_axis), y.ticks(on_axis), x.inside(sweep.break_even), x.inside(listed))


class _Axis:
    """Logarithmic, from a little below the least to a little above the greatest."""

    def __init__(self, least: float, greatest: float) -> None:
        start, end = math.log10(least), math.log10(greatest)
        margin = _MARGIN * (end - start or 1)
        self.start = start - margin
        self.end = end + margin

    def at(self, value: float) -> float:
        """Percent; what has no logarithm lies at the start."""
        if value <= 0:
            return 0.0
        return min(100.0, max(0.0, 100 * (math.log10(value) - self.start) / (self.end - self.start)))

    def inside(self, value: float | None) -> float | None:
        if value is None or value <= 0 or not self.start <= math.log10(value) <= self.end:
            return None
        return round(self.at(value), 2)

    def ticks(self, text: Callable[[float], str]) -> list[Tick]:
        """At powers of ten, as far apart as their texts need; where there are none, at both ends."""
        powers = range(math.ceil(self.start), math.floor(self.end) + 1)
        step = max(1, math.ceil(_APART * (self.end - self.start) / 100))
        values = [10.0**power for power in powers[::step]]
        if len(values) < 2:
            margin = (self.end - self.start) / 10
            values = [10 ** (self.start + margin), 10 ** (self.end - margin)]
        return [Tick(round(self.at(value), 2), text(value)) for value in values]


def _whole(percent: float) -> int:
    return round(percent * EXTENT / 100)
