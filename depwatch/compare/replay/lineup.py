"""The policies that are compared, in the order of the table."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES

from ._engine import Engine, Mechanism
from .events import Events, Numbers

FIRST_KNOWN: Final = 10  # calls: from then on a trace knows what a function would depend on


@dataclass(frozen=True, slots=True)
class Policy:
    name: str  # in POLICIES
    mechanism: Mechanism
    by_object: bool = False  # what handles depend on: whole objects, or their facets
    give_up_after: int | None = None  # changes of it; None: never
    may_give_up: str = "all"  # or "dicts"; or "cpython": dicts, and builtins sooner
    jettison: bool = False  # what is overwritten with each drop counts as patches; all else is as without
    bloom: bool = False
    hot_after: int = HOT_AFTER

    @property
    def title(self) -> str:
        """Of its row in a table of replays."""
        return POLICIES[self.name].title_after(self.give_up_after)

    def engine(self, events: Events) -> Engine:
        return Engine(events, self.mechanism, self.by_object, self.hot_after, self._limits(events), self.bloom)

    def variant(self, hot_after: int, give_up_after: int | None) -> "Policy":
        """The same with other numbers; give_up_after only concerns a policy that gives up."""
        limit = give_up_after if self.give_up_after is not None else None
        return replace(self, hot_after=hot_after, give_up_after=limit)

    def _limits(self, events: Events) -> Numbers:
        """The change that gives up each key; 0: none does."""
        count = len(events.objects if self.by_object else events.facets)
        if self.give_up_after is None:
            return np.zeros(count, np.uint32)
        if self.may_give_up == "all":
            return np.full(count, self.give_up_after, np.uint32)
        limits = np.where(events.limit > 0, self.give_up_after, 0)
        if self.may_give_up == "cpython":
            limits = np.where(events.limit > 0, np.maximum(events.limit * self.give_up_after // GIVE_UP_AFTER, 1), 0)
        return limits.astype(np.uint32)


LINEUP: Final = (
    Policy("bulk_by_object", Mechanism.BULK, True),
    Policy("bulk_by_object_capped", Mechanism.BULK, True, GIVE_UP_AFTER, "dicts"),
    Policy("cpython", Mechanism.BULK, True, GIVE_UP_AFTER, "cpython", bloom=True),
    Policy("revalidation", Mechanism.REVALIDATION, True),
    Policy("bulk_by_facet", Mechanism.BULK),
    Policy("jettison", Mechanism.BULK, jettison=True),
    Policy("bulk_by_facet_capped", Mechanism.BULK, False, GIVE_UP_AFTER),
    Policy("healing", Mechanism.HEALING, False, GIVE_UP_AFTER),
    Policy("granular", Mechanism.GRANULAR),
    Policy("granular_capped", Mechanism.GRANULAR, False, GIVE_UP_AFTER),
)
assert [policy.name for policy in LINEUP] == list(POLICIES)
NAMED: Final = {policy.name: policy for policy in LINEUP}


def lineup(names: Iterable[str], hot_after: Iterable[int], give_up_after: Iterable[int]) -> list[Policy]:
    """These policies, once for each threshold, and those that give up once for each limit."""
    limits = tuple(give_up_after)
    return [
        NAMED[name].variant(hot, limit)
        for name in names
        for hot in hot_after
        for limit in (limits if NAMED[name].give_up_after is not None else (None,))
    ]
