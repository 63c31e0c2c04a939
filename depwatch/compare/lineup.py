"""The policies that are compared, in the order of the table. A policy is known by its place in it."""

from collections.abc import Callable
from typing import Final

from .policies import GIVE_UP_AFTER, Bulk, Granular

BY_OBJECT: Final = 0
BY_FACET: Final = 2
HEALING: Final = 4  # depwatch: real handles, see healing.py; the others are simulated
GRANULAR: Final = 5
UNCAPPED: Final = frozenset({BY_OBJECT, BY_FACET})  # bulk policies that never give up on what changes all the time

NAMES: Final = (
    "bulk_by_object",
    "bulk_by_object_capped",
    "bulk_by_facet",
    "bulk_by_facet_capped",
    "healing",
    "granular",
    "granular_capped",
)
TITLES: Final = (
    "bulk by object",
    f"  a dict given up after {GIVE_UP_AFTER} changes, as CPython",
    "bulk by facet",
    f"  unstable facets given up ({GIVE_UP_AFTER})",
    "  that, with healing: depwatch",
    "granular",
    f"  capped at {GIVE_UP_AFTER}",
)
ALL: Final = tuple(range(len(NAMES)))


def simulated(is_dict: Callable[[int], bool]) -> dict[int, Bulk | Granular]:
    """The six that are simulated; is_dict tells which objects are dicts, by number."""
    return {
        BY_OBJECT: Bulk(by_object=True),
        1: Bulk(by_object=True, give_up_after=GIVE_UP_AFTER, may_give_up=is_dict),
        BY_FACET: Bulk(by_object=False),
        3: Bulk(by_object=False, give_up_after=GIVE_UP_AFTER),
        GRANULAR: Granular(),
        6: Granular(give_up_after=GIVE_UP_AFTER),
    }
