"""Where policies change places as a price varies: of all programs together, from what the page shows."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from depwatch.compare.replay.prices import Prices
from depwatch.compare.replay.sweep import sweep

from .lineup import Lane

# At their best, and as first proposed.
DISPUTE: Final = ({"healing", "granular"}, {"bulk_by_object", "granular"})
# Which policies come first besides.
_ORDER: Final = ("granular", "bulk_by_object", "healing", "bulk_by_facet_capped", "cpython")


class Sweep(NamedTuple):
    """What two policies cost while one price is varied."""

    a: str
    b: str
    price: str  # the one that is varied
    others: str  # the price list that gives the others
    break_even: float | None
    curve: Sequence[tuple[float, float, float]]  # (price, cost of a, cost of b) in ns

    @property
    def is_dispute(self) -> bool:
        """Whether it is about one of the two proposals against the other, by the price that they differ in."""
        return self.price == "recompile" and {self.a, self.b} in DISPUTE

    @property
    def cheaper_at_first(self) -> str | None:
        """Which policy costs less below the break-even: costs are linear, so their difference changes its sign there.

        None: the curve does not tell.
        """
        price, a, b = max(self.curve, key=lambda point: abs(point[1] - point[2]), default=(0.0, 0.0, 0.0))
        if a == b or self.break_even is None:
            return None
        return self.a if (a < b) == (price < self.break_even) else self.b


def sweeps(lanes: Sequence[Lane], lists: Mapping[str, Prices]) -> list[Sweep]:
    """Of policies that all programs have; what is most interesting comes first."""
    found = [Sweep(**each) for each in sweep({lane.policy: lane.whole for lane in lanes}, lists)]
    return sorted(found, key=_interest)


def _interest(of: Sweep) -> tuple[bool, int, bool, bool, int]:
    if of.is_dispute:
        return False, DISPUTE.index({of.a, of.b}), False, False, 0
    return True, 0, of.break_even is None, of.price != "recompile", _rank(of.a) + _rank(of.b)


def _rank(policy: str) -> int:
    return _ORDER.index(policy) if policy in _ORDER else len(_ORDER)
