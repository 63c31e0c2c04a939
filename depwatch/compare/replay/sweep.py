"""Where one policy becomes cheaper than another, as one price varies and the others stay as a list has them.

Costs are sums of counts times prices, so each curve is a straight line.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from .prices import BOUGHT, PRICES, Counts, Prices, bought

_POINTS: Final = 9
_RANGE: Final = 1000.0  # from the list's price divided by that to the price times that
_AT_NOTHING: Final = 1.0  # ns, the middle if the list's price is 0


def sweep(policies: Mapping[str, Counts], lists: Mapping[str, Prices]) -> list[dict[str, Any]]:
    """For each pair of policies, each price that they buy unequally often, and each list.

    policies: what each counted, over all traces.
    """
    return [
        {
            "a": a,
            "b": b,
            "price": price,
            "others": name,
            "break_even": _rounded(even) if (even := break_even(policies[a], policies[b], price, prices)) else None,
            "curve": _curve(policies[a], policies[b], price, prices, even),
        }
        for a, b in combinations(policies, 2)
        for price in PRICES
        if bought(policies[a], price) != bought(policies[b], price)
        for name, prices in lists.items()
    ]


def break_even(a: Counts, b: Counts, price: str, prices: Prices) -> float | None:
    """The price at which both cost the same; None if there is none above 0."""
    others = prices.but(price, 0.0)
    difference = bought(b, price) - bought(a, price)
    if not difference:
        return None
    even = (others.cost(a) - others.cost(b)) / difference
    return even if even > 0 and math.isfinite(even) else None


def added(traces: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """What each policy counted over all traces, of what has a price; with the first threshold and limit of each."""
    total: dict[str, Counter[str]] = {}
    names = [name for bought_as in BOUGHT.values() for name in bought_as]
    for trace in traces:
        first = {entry["policy"]: entry for entry in reversed(trace["policies"])}
        for policy, entry in first.items():
            total.setdefault(policy, Counter()).update({name: entry["whole"][name] for name in names})
    return total


def _curve(a: Counts, b: Counts, price: str, prices: Prices, even: float | None) -> list[Sequence[float]]:
    middle = getattr(prices, price) or _AT_NOTHING
    steps = [middle * _RANGE ** (2 * i / (_POINTS - 1) - 1) for i in range(_POINTS)]
    if even is not None:
        steps = sorted({*steps, even})
    at = [(step, prices.but(price, step)) for step in steps]
    return [[_rounded(step), round(each.cost(a)), round(each.cost(b))] for step, each in at]


def _rounded(number: float) -> float:
    """To six digits: the same text everywhere."""
    return float(f"{number:.6g}")
