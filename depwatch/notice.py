"""Subscriptions, the events that their listeners get, and explain(), which says why a handle is not valid."""

import enum
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from depwatch import _core
from depwatch._core import Handle, Handles, HandlesListener, Subscription
from depwatch.naming import check_name, created_facet, subscribed_facets
from depwatch.values import brief


class Change(enum.IntEnum):
    """The kind of change that an event reports. The numbers are those of depwatch_change in depwatch.h."""

    ADDED = _core.CHANGES["ADDED"]
    MODIFIED = _core.CHANGES["MODIFIED"]
    DELETED = _core.CHANGES["DELETED"]
    CLONED = _core.CHANGES["CLONED"]  # an empty dict was filled from another one; the event has no key
    CLEARED = _core.CHANGES["CLEARED"]  # a dict was cleared; the event has no key
    DESTROYED = _core.CHANGES["DESTROYED"]  # the object died
    CREATED = _core.CHANGES["CREATED"]  # a function was made from the code object
    MRO = _core.CHANGES["MRO"]  # the type got another method resolution order
    CLASS = _core.CHANGES["CLASS"]  # the module got another class


def _short(row: Any) -> str:
    """The repr of a NamedTuple, with its owner in short words: a namespace would fill the screen."""
    fields = row._asdict().items()
    words = (f"{name}={brief(value) if name == 'owner' else repr(value)}" for name, value in fields)
    return f"{type(row).__name__}({', '.join(words)})"


class _EventFields(NamedTuple):
    change: Change
    object_id: int
    facet: str | None  # the key, the attribute or the part of the function; None: the event names none
    old: Any  # the old value; UNKNOWN if CPython does not report it, or if the program dropped it before the drain
    new: Any  # the new value; UNKNOWN likewise
    filename: str | None  # of the Python frame that made the change; None: no Python code made it
    lineno: int | None
    thread: int = 0  # that made the change, as threading.get_ident() gave it there; 0: not told


class Event(_EventFields):
    """One change of a facet that has a subscription."""

    notes: _core.FacetNotes | None = None  # of the facet; an event that a program makes has none

    @property
    def owner(self) -> Any:
        """What was subscribed to: a dict (of a module: its dict), type, function or code object.

        None once it is dead, or nothing relies on that part of it any more: an event keeps nothing alive but values.
        """
        return None if self.notes is None else self.notes.owner

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Event, tuple(self)


class Assumption(NamedTuple):
    """One thing that a handle relies on, as Handle.assumptions lists it."""

    text: str  # "global 'RATE' of module shop"
    owner: Any  # the dict, type, function or code object; None once it is dead
    name: str | None  # the key, the attribute or the part of the function; None: the whole object
    value: str | None  # the value that is assumed, in short words; None: it has none (whole objects), or it is gone
    holds: bool
    breaks: int  # how often it has broken since depwatch watches it; after 2**32 times it begins anew

    def __repr__(self) -> str:
        return _short(self)


class Break(NamedTuple):
    """An assumption that does not hold, and the last change of it, as Handle.broken_facets() lists it."""

    text: str  # as of Assumption, like the next two
    owner: Any
    name: str | None
    change: Change | None  # None, and all below: the details were dropped, because the queue was full
    old: str | None  # the old value in short words; None: CPython did not report it
    new: str | None
    filename: str | None
    lineno: int | None

    def __repr__(self) -> str:
        return _short(self)


class HandleEvent(NamedTuple):
    """What happened to a handle, as the listeners of on_any() get it."""

    handle: Handle | None  # None: a handle of C code
    what: Literal["invalidated", "resumed", "retired"]
    text: str | None  # which assumption broke or holds again; of a retired handle: the reason
    change: Change | None  # as of Break, like all below: known of an invalidated handle
    old: str | None
    new: str | None
    filename: str | None
    lineno: int | None


type _Assumed = tuple[str, str | None, bool, str | None]  # facet, value, whether it is broken, what broke it
type Listener = Callable[[Event], object]
type HandleListener = Callable[[HandleEvent], object]


def subscribe(listener: Listener, obj: object, *facets: str) -> Subscription:
    """Let the drain call listener(event) after every change of these facets of obj; without facets, after every change.

    Facets are keys of a dict or of a module's dict, attributes of a type (found along its MRO), globals of a function,
    its parts ("__code__", "__defaults__", "__kwdefaults__", "existence"); a Fact has none. A listener's exceptions go
    to sys.unraisablehook (the first one, and again the first after a call that did not raise), and other listeners are
    still called. Raises Unwatchable; TypeError and ValueError for names that obj cannot have as facets.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    for name in facets:
        check_name(name)
    return _core.subscribe_to(listener, subscribed_facets(obj, facets))


def subscribe_created(listener: Listener, code: object) -> Subscription:
    """Let the drain call listener(event) for every new function of this code object. event.new is the function, or
    UNKNOWN if it died before the drain: depwatch does not keep it alive.

    Cost: a test for each function that the process creates. Raises TypeError, Unwatchable.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    return _core.subscribe_to(listener, [created_facet(code)])


def on_any(listener: HandleListener) -> HandlesListener:
    """Let drains call listener(event) whenever a handle of the process is invalidated, resumed or retired.

    Until cancel() of the result. For logs and counters of a whole process. A handle that breaks and holds again between
    two drains tells nothing. An exception goes to sys.unraisablehook, the first one of several in a row. Cost: a
    microsecond for each such handle.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    return _core.listen_to_handles(listener)


def explain(handle: Handle | Handles) -> str:
    """Whether the code may run, and why not: all assumptions, and of the broken ones what changed in which line.

    Raises TypeError, Released.
    """
    if type(handle) is not Handle and type(handle) is not Handles:
        raise TypeError(
            "the handle must be a Handle or Handles, which Recorder.commit() and commit_many() make, "
            f"not {brief(handle)}"
        )
    _core.drain()
    byte, reason, assumptions = _core.explanation(handle)
    if type(handle) is Handle:
        return explained(f"handle {handle.id} ({handle.name!r}) is", byte, reason, assumptions)
    return explained(f"{len(handle)} handles ({handle.name!r}) are", byte, reason, assumptions)


def explained(subject: str, byte: int, reason: str | None, assumptions: list[_Assumed]) -> str:
    """The text of explain()."""
    if byte == _core.RETIRED:
        return f"{subject} retired" + ("" if reason is None else f": {reason}")
    n, broken = len(assumptions), sum(each[2] for each in assumptions)
    state = (
        f"invalid, {broken} broken:"
        if byte
        else "valid: 1 assumption holds"
        if n == 1
        else f"valid: {n} assumptions hold"
    )
    in_order = sorted(assumptions, key=lambda each: (not each[2], each[0]))  # the broken ones first
    return "\n".join([f"{subject} {state}", *map(_line, in_order)])


def _line(assumption: _Assumed) -> str:
    text, value, broken, change = assumption
    if broken:
        return f"  {text}: {change or 'its details were dropped (the queue was full)'}"
    return f"  {text} holds" if value is None else f"  {text} is {value}"
