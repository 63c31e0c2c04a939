"""From the live event stream to the simulated policies: a change is heard of while somebody depends on its place."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Final

import depwatch

from .clock import Clock
from .facets import Facet, Facets, Kind, Owner
from .policies import Bulk, Dependency, Drop, Edges, Granular
from .recorded import is_same
from .resolve import Found
from .samples import BUSY

type OnDrop = Callable[[int, Drop], None]  # policy, drop
type OnBusy = Callable[[int, int], None]  # policy, patches of a facet that changes all the time


class Streams:
    """Subscribes to facets, and to whole objects while a policy by object has a valid handle on them."""

    def __init__(
        self,
        clock: Clock,
        event_cost: float,
        facets: Facets,
        policies: dict[int, Bulk | Granular],
        on_drop: OnDrop,
        on_busy: OnBusy,
        activity: Callable[[float], None],
    ) -> None:
        """event_cost: seconds from a change to a listener and back. activity(now) is called before anything counts."""
        self.events = 0
        self.spent_on_busy = 0.0  # seconds
        self.closed = False
        self.structural: set[int] = set()  # functions whose dependencies have to be looked up again
        self._clock: Final = clock
        self._event_cost: Final = event_cost
        self._facets: Final = facets
        self._on_drop: Final = on_drop
        self._on_busy: Final = on_busy
        self._activity: Final = activity
        self._by_object: Final = [(i, p) for i, p in policies.items() if isinstance(p, Bulk) and p.by_object]
        self._by_facet: Final = [(i, p) for i, p in policies.items() if isinstance(p, Bulk) and not p.by_object]
        self._granular: Final = [(i, p) for i, p in policies.items() if isinstance(p, Granular)]
        self._objects: dict[int, depwatch.Subscription] = {}
        self._places: dict[tuple[int, int], depwatch.Subscription] = {}  # (facet, object)
        self._lying_in: dict[tuple[int, str], set[int]] = {}  # (object, name) -> facets
        self._dependents = Edges()
        self._busy: set[tuple[int, int]] = set()
        self._paused = False

    def follow(self, function: int, found: Iterable[Found]) -> None:
        """Hear of every facet found; function depends on them."""
        found = list(found)
        self._dependents.put(function, (each.facet.number for each in found))
        for each in found:
            facet = each.facet
            for number in each.dependency.objects:
                self._lying_in.setdefault((number, facet.name), set()).add(facet.number)
            self._follow_facet(facet, facet.owner.number, each.owner)
            if facet.kind is Kind.GLOBAL and len(each.dependency.objects) > 1:  # a builtin provides it
                builtins = each.dependency.objects[1]
                if owner := self._facets.objects[builtins].get():
                    self._follow_facet(facet, builtins, owner)

    def follow_objects(self, dependencies: Iterable[Dependency], owners: dict[int, Owner]) -> bool:
        """Hear of every change of the objects that a policy now depends on; False if one cannot be had any more."""
        complete = True
        for number in {number for dependency in dependencies for number in dependency.objects}:
            if number not in self._objects and self._is_needed(number):
                owner = owners.get(number) or self._living(number)
                if owner is None:
                    complete = False
                else:
                    listener = partial(self._object_changed, number)
                    self._objects[number] = depwatch.subscribe(listener, owner)
        return complete

    def pause(self, is_sampled: Callable[[int], bool]) -> None:
        """Stop hearing of what changes all the time, and of objects on which only these functions depend."""
        self._paused = True
        for place in self._busy:
            if subscription := self._places.pop(place, None):
                subscription.cancel()
                if (facet := self._facets.facets.get(place[0])) is not None:
                    facet.is_sampled = True
        for number in list(self._objects):
            functions = [f for _, policy in self._by_object for f in policy.functions(number)]
            if functions and all(map(is_sampled, functions)):
                self._objects.pop(number).cancel()

    def resume(self) -> None:
        self._paused = False
        for facet, number in self._busy:
            owner = self._living(number)
            if owner is not None and facet in self._facets.facets:
                self._follow_facet(self._facets.facets[facet], number, owner)

    def forget_function(self, function: int) -> None:
        self._dependents.remove(function)
        self.structural.discard(function)

    def forget_object(self, number: int, facets: Iterable[Facet]) -> None:
        if subscription := self._objects.pop(number, None):
            subscription.cancel()
        for facet in facets:
            self._lying_in.pop((number, facet.name), None)
            self._busy.discard((facet.number, number))
            if subscription := self._places.pop((facet.number, number), None):
                subscription.cancel()
            self._dependents.remove_key(facet.number)

    def _follow_facet(self, facet: Facet, number: int, owner: Owner) -> None:
        place = facet.number, number
        if place not in self._places and not (self._paused and place in self._busy):
            listener = partial(self._facet_changed, facet, number)
            self._places[place] = depwatch.subscribe(listener, owner, facet.name)

    def _living(self, number: int) -> Owner | None:
        thing = self._facets.objects.get(number)
        owner: Owner | None = thing.get() if thing is not None else None
        return owner

    def _is_needed(self, number: int) -> bool:
        return any(policy.depends_on(number) for _, policy in self._by_object)

    def _object_changed(self, number: int, event: depwatch.Event) -> None:
        if self.closed or event.change is depwatch.Change.DESTROYED:
            return
        entered = perf_counter()
        self._activity(entered)
        if (number, event.facet) not in self._lying_in:  # else the facet's listener counts it
            self.events += 1
        changed = self._changed_in(number, event)
        for index, policy in self._by_object:
            for drop in policy.change(number, changed):
                self._on_drop(index, drop)
        if not self._is_needed(number) and (subscription := self._objects.pop(number, None)):
            subscription.cancel()
        self._clock.spent += perf_counter() + self._event_cost - entered

    def _facet_changed(self, facet: Facet, at: int, event: depwatch.Event) -> None:
        if self.closed or event.change is depwatch.Change.DESTROYED:
            return
        if at != facet.owner.number and facet.is_shadowed_at(self._facets.objects.get(at)):
            return
        entered = perf_counter()
        self._activity(entered)
        number = facet.number
        self.events += 1
        facet.changes += 1
        if facet.places is None:
            facet.places = Counter()
        facet.places[event.filename, event.lineno] += 1
        if event.change is not depwatch.Change.MODIFIED or facet.leads_on or callable(event.new):
            self.structural.update(self._dependents.functions(number))
        for index, bulk in self._by_facet:
            if bulk.depends_on(number):
                for drop in bulk.change(number, () if is_same(event.old, event.new) else (number,)):
                    self._on_drop(index, drop)
        for index, granular in self._granular:
            if (patches := granular.change(number)) and facet.changes > BUSY:
                self._busy.add((number, at))
                self._on_busy(index, patches)
        took = perf_counter() + self._event_cost - entered
        self._clock.spent += took
        if facet.changes > BUSY:
            self.spent_on_busy += took

    def _changed_in(self, number: int, event: depwatch.Event) -> set[int]:
        """The facets lying in the object whose value the event changed."""
        if event.facet is None:
            names = [name for at, name in list(self._lying_in) if at == number]
        elif is_same(event.old, event.new):
            return set()
        else:
            names = [event.facet]
        lying = {facet for name in names for facet in self._lying_in.get((number, name), ())}
        at, facets = self._facets.objects.get(number), self._facets.facets
        return {f for f in lying if f in facets and not facets[f].is_shadowed_at(at)}
