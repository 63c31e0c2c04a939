"""A global that changes: plain numba's answer next to the right one. Needs numba (pip install depwatch[numba])."""

import numba

from depwatch.integrations.numba import njit, stats

RATE = 1.25
UNIT = "kg"


def price(x: float) -> float:
    return x * RATE + len(UNIT)


plain = numba.njit(price)
live = njit(price)


def show(what: str) -> None:
    print(f"{what:24} plain numba {plain(10.0):6}   depwatch {live(10.0):6}   Python {price(10.0):6}")


show("at first")
RATE = 1.5  # a float: the code loads it, nothing is compiled again
show("after RATE = 1.5")
UNIT = "pound"  # a str is built in: compiled again, when it is called
show('after UNIT = "pound"')
UNIT = "kg"  # as it was: the first code is put back
show('after UNIT = "kg"')
print(stats(live))
