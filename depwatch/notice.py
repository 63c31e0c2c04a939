"""Notice: what happened, told to Python at a safe point. drain() settles the core, then calls listeners and on_*."""

import enum
from array import array
from collections.abc import Callable
from typing import Any, NamedTuple, final

from depwatch import _core, lifecycle
from depwatch._core import FacetReference
from depwatch.handle import Handle
from depwatch.handles import Handles
from depwatch.naming import check_name, created_facet, describe, named_facets
from depwatch.values import UNKNOWN, brief


class Change(enum.IntEnum):
    """What kind of change an event reports. The numbers are those of service.h."""

    ADDED = _core.CHANGES["ADDED"]
    MODIFIED = _core.CHANGES["MODIFIED"]
    DELETED = _core.CHANGES["DELETED"]
    CLONED = _core.CHANGES["CLONED"]  # an empty dict was filled from another: names no key
    CLEARED = _core.CHANGES["CLEARED"]  # names no key
    DESTROYED = _core.CHANGES["DESTROYED"]  # the object died
    CREATED = _core.CHANGES["CREATED"]  # a function was made from the code object
    MRO = _core.CHANGES["MRO"]  # the method resolution order of the type
    CLASS = _core.CHANGES["CLASS"]  # the module gets another class


class Event(NamedTuple):
    """One change of something that somebody subscribed to."""

    change: Change
    object_id: int
    facet: str | None  # the key or attribute, or the part of the function; None: it names none
    old: Any  # UNKNOWN where CPython does not tell
    new: Any
    filename: str | None  # of the Python frame that made the change
    lineno: int | None


type Listener = Callable[[Event], object]


class Break(NamedTuple):
    """The event that broke a facet, in words: no value is kept alive for it."""

    change: Change
    old: str
    new: str
    filename: str | None
    lineno: int | None

    def __str__(self) -> str:
        place = "outside Python code" if self.filename is None else f"{self.filename}:{self.lineno}"
        if self.change == Change.DESTROYED:
            return f"died at {place}"
        if self.change == Change.MODIFIED:
            return f"{self.old} -> {self.new}, changed at {place}"
        told = f"{self.change.name.lower()} at {place}"
        return told if self.old == brief(UNKNOWN) else f"{self.old}, {told}"


# By ID, all that are neither retired nor released, for dropping a Handle must not unwatch; None: there is no such.
kept: list[Handle | Handles | None] = []
_listeners: dict[int, list["Subscription"]] = {}  # by facet; empty lists too, until the facet is gone
_breaks: dict[int, Break] = {}  # by facet: what broke it last

_CHANGES = {change.value: change for change in Change}  # calling the enum is Python code of its own
_STATES = {state: name for name, state in _core.STATES.items()}
_CAUSES = {cause: name for name, cause in _core.CAUSES.items()}
_REASONS = {
    "changed": "changed",
    "died": "died",
    "superseded": "was recorded with another value",
    "unstable": "broke too often to build on",
    "lost": "can never hold again: nobody has the old value any more",
    "unwatchable": "can no longer be watched",
    "ambiguous": "is in a dict that was changed by a key which may equal any name",
    "class": "is an attribute of a module that gets another class",
    "bases": "is looked up along bases that were assigned, in the middle of which a metaclass's mro() may change them",
    "none": f"was the last of {_core.RETIRED} broken assumptions",
}
type _Delivery = tuple[Callable[..., object], tuple[Any, ...]]


@final
class Subscription:
    """One listener's interest in some facets. Lasts until cancel() or until their objects die."""

    __slots__ = ("_facets", "listener")

    def __init__(self, listener: Listener, facets: list[FacetReference]) -> None:
        self.listener = listener
        self._facets = facets
        for facet in facets:
            _listeners.setdefault(facet.id, []).append(self)
            facet.listen()

    def cancel(self) -> None:
        """Stop listening; what is not yet delivered is not delivered any more. Idempotent."""
        for facet in self._facets:
            if self in (others := _listeners.get(facet.id, [])):
                others.remove(self)
            facet.stop_listening()
        self._facets = []

    def _object_died(self, facet: int) -> None:
        for reference in self._facets:
            if reference.id == facet:
                reference.stop_listening()
        self._facets = [reference for reference in self._facets if reference.id != facet]


def subscribe(listener: Listener, obj: object, *facets: str) -> Subscription:
    """Call listener(event) in the drain after every change of these facets of obj; without any, of every change.

    Facets are keys of a dict or module, attributes of a type (found along its MRO), or "code", "defaults",
    "kwdefaults", "existence" of a function. What a listener raises goes to sys.unraisablehook; the others still run.
    Raises Unwatchable; TypeError and ValueError for names that cannot be meant.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    for name in facets:
        check_name(name)
    return Subscription(listener, named_facets(obj, facets))


def subscribe_created(listener: Listener, code: object) -> Subscription:
    """Call listener(event) in the drain for every new function of this code object; event.new is the function.

    Cost: a test for each function that the process creates. Raises TypeError, Unwatchable.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    return Subscription(listener, [created_facet(code)])


# --- the drain --------------------------------------------------------------------------------------------------------
# What becomes deliveries may be interrupted, and is then done again: see drain.pxi. So effects come last, or twice.


def _part(facet: int, key: object) -> str | None:
    _, _, kind, name = _core.owner_of(facet)
    if kind == "any":
        return key if type(key) is str else None
    return name if name is not None else kind


def _detail(notice: tuple[Any, ...]) -> list[_Delivery]:
    _, facet, object_id, number, broke, key, old, new, filename, line = notice
    change = _CHANGES[number]
    lineno = line if line > 0 else None
    if broke:
        _breaks[facet] = Break(change, brief(old), brief(new), filename, lineno)
    subscriptions = list(_listeners.get(facet, ()))  # a copy: other threads subscribe and cancel
    if not subscriptions:
        return []
    event = Event(change, object_id, _part(facet, key), old, new, filename, lineno)
    if change == Change.DESTROYED:
        for subscription in subscriptions:
            subscription._object_died(facet)
    return [(_core.tell, (subscription, event)) for subscription in subscriptions]


def _state(notice: tuple[Any, ...]) -> list[_Delivery]:
    _, holder, number, state, facet, cause = notice
    if holder._is_released(number):
        return []
    if _STATES[state] == "retired":
        reason = f"{describe(facet)} {_REASONS[_CAUSES[cause]]}"
        holder._retired(number, f"{reason}: {_breaks[facet]}" if facet in _breaks else reason)
        return []  # told when it is purged, like one that was retired by hand
    callback = holder.callbacks.get(_STATES[state])
    return [] if callback is None else [(callback, (holder._of(number),))]


def _retired(notice: tuple[Any, ...]) -> list[_Delivery]:
    _, holder, number = notice
    callback = holder.callbacks.get("retired")
    removal: list[_Delivery] = []
    if holder._has_entries(number):
        removal.append((_core.Insisted(holder._of(number)._remove_entries), ()))
    return removal if callback is None else [*removal, (callback, (holder._of(number),))]


def _released(notice: tuple[Any, ...]) -> list[_Delivery]:
    _, holder = notice
    holder._purged()
    return []


# What to call, with what, by kind of notice. Asked of all before any is called: IDs may mean something else afterwards.
_DIGESTS: dict[int, Callable[[tuple[Any, ...]], list[_Delivery]]] = {
    _core.NOTICES["detail"]: _detail,
    _core.NOTICES["handle"]: _state,
    _core.NOTICES["retired"]: _retired,
    _core.NOTICES["released"]: _released,
    _core.NOTICES["life"]: lifecycle.deliveries,
}


def drain() -> int:
    """Settle and deliver all that has happened; return the number of listeners and callbacks called (and of retired
    handles whose entries were removed).

    Runs by itself soon after an event, in the main thread when that is in no drain; call it to have everything
    delivered now, in any thread, also from a listener. Events that listeners cause are delivered by the next drain;
    after 8 that each caused the next, that waits for another event. Cost: about 100 ns if nothing happened.

    What a signal handler raises inside a listener is the listener's, like anything that it raises. Elsewhere in a drain
    the handler interrupts nothing: all is delivered, and then what it raised is raised here; or in the main thread
    where it is, if the drain ran by itself. Listeners can call 100 deep, however near the recursion limit the program is.
    """
    if not _core.unsettled():
        return 0
    return _core.drain(_DIGESTS, (_listeners, _breaks), kept)


def shut_down() -> None:
    """The interpreter ends: deliver what happened and then nothing more; keep nothing from being finalized."""
    drain()
    lifecycle.shut_down()
    _core.shut_down()
    kept[:] = [None] * len(kept)
    _listeners.clear()
    _breaks.clear()


def explain(handle: Handle) -> str:
    """Why the handle is not valid: which facets, their old and new values, and file:line of the change.

    Raises TypeError, Released.
    """
    if type(handle) is not Handle:
        raise TypeError(f"{brief(handle)} is no Handle; Recorder.commit() makes one")
    drain()
    name = f"handle {handle.id} ({handle.name!r})"
    if handle.retired:
        return f"{name} is retired: {handle.reason}"
    _, facets = _core.facets_of_handles(array("I", [handle.id]))
    if handle.valid:
        return f"{name} is valid: {len(facets)} assumption{'' if len(facets) == 1 else 's'} hold"
    lines = [
        f"  {describe(facet)}: {_breaks.get(facet, 'its details were dropped (the queue was full)')}"
        for facet in facets
        if _core.waits(facet)
    ]
    return "\n".join([f"{name} is invalid, {handle.broken} broken:", *lines])
