"""Several replays as one."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

from .replays import Corpus, Replay, Sweep

_SAME: Final = 1e-9  # slopes come from differences of costs: what differs less is rounding


def together(replays: Sequence[tuple[str, Replay]]) -> Replay:
    """Their traces one after the other, with the sweeps added up. Raises ValueError where they do not fit.

    replays: each with the name that an error calls it by.
    """
    if len(replays) == 1:
        return replays[0][1]
    for (name, one), (other_name, other) in combinations(replays, 2):
        for prices in one.prices.keys() & other.prices.keys():
            if one.prices[prices] != other.prices[prices]:
                raise ValueError(
                    f"{name} and {other_name} have different prices under the name {prices!r}: "
                    "replay their traces with the same --prices"
                )
    return Replay(
        depwatch=", ".join(dict.fromkeys(replay.depwatch for _, replay in replays)),
        prices={name: prices for _, replay in replays for name, prices in replay.prices.items()},
        traces=[trace for _, replay in replays for trace in replay.traces],
        sweep=_added([replay.sweep for _, replay in replays]),
        corpus=_both([replay.corpus for _, replay in replays if replay.corpus is not None]),
    )


def _both(corpora: Sequence[Corpus]) -> Corpus | None:
    if not corpora:
        return None
    return Corpus(
        programs=sum(corpus.programs for corpus in corpora),
        missing=[name for corpus in corpora for name in corpus.missing],
    )


class _Line(NamedTuple):
    """A cost as a price varies: costs are linear in each price."""

    at_nothing: float
    slope: float

    def at(self, price: float) -> float:
        return self.at_nothing + self.slope * price


def _added(sweeps: Sequence[Sequence[Sweep]]) -> list[Sweep]:
    """Only what all of them hold: a sum over some of the programs would be taken for one over all."""
    by_key = [
        {(sweep.a, sweep.b, sweep.price, sweep.others): sweep for sweep in sweeps_of_one if len(sweep.curve) > 1}
        for sweeps_of_one in sweeps
    ]
    return [_sum([of_one[key] for of_one in by_key]) for key in by_key[0] if all(key in of_one for of_one in by_key)]


def _sum(parts: list[Sweep]) -> Sweep:
    first = parts[0]
    a, b = (_sum_line([_line(part, column) for part in parts]) for column in (1, 2))
    return Sweep(
        a=first.a,
        b=first.b,
        price=first.price,
        others=first.others,
        break_even=_crossing(a, b),
        curve=[(price, max(0.0, a.at(price)), max(0.0, b.at(price))) for price, _, _ in first.curve],
    )


def _crossing(a: _Line, b: _Line) -> float | None:
    if math.isclose(a.slope, b.slope, rel_tol=_SAME):
        return None
    price = (b.at_nothing - a.at_nothing) / (a.slope - b.slope)
    return price if price > 0 else None


def _line(sweep: Sweep, column: int) -> _Line:
    start, end = sweep.curve[0], sweep.curve[-1]
    slope = (end[column] - start[column]) / (end[0] - start[0]) if end[0] != start[0] else 0.0
    return _Line(start[column] - slope * start[0], slope)


def _sum_line(lines: list[_Line]) -> _Line:
    return _Line(sum(line.at_nothing for line in lines), sum(line.slope for line in lines))
