"""The table of routes: each changes the world in one way, given three numbers below 256."""

from collections.abc import Callable
from typing import Any, NamedTuple

type Change = Callable[[Any, int, int, int], object]  # (machine, x, y, z)


class Route(NamedTuple):
    name: str
    change: Change
    weight: int
    transient: bool  # changes something and changes it again within the step: a handle may rightly have fired


ROUTES: list[Route] = []


def route(weight: int = 2, transient: bool = False) -> Callable[[Change], Change]:
    def add(change: Change) -> Change:
        ROUTES.append(Route(change.__name__.replace("_", " "), change, weight, transient))
        return change

    return add
