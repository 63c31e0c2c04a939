"""Subscriptions, the events that their listeners get, and explain(), which says why a handle is not valid."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from depwatch import _core
from depwatch._core import Handle, Subscription
from depwatch.naming import check_name, created_facet, named_facets
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


class Event(NamedTuple):
    """One change of a facet that has a subscription."""

    change: Change
    object_id: int
    facet: str | None  # the key, the attribute or the part of the function; None: the event names none
    old: Any  # the old value; UNKNOWN if CPython does not report it, or if the program dropped it before the drain
    new: Any  # the new value; UNKNOWN likewise
    filename: str | None  # of the Python frame that made the change; None: no Python code made it
    lineno: int | None


type Listener = Callable[[Event], object]


def subscribe(listener: Listener, obj: object, *facets: str) -> Subscription:
    """Let the drain call listener(event) after every change of these facets of obj; without facets, after every change.

    Facets are keys of a dict or of a module's dict, attributes of a type (found along its MRO), or "code",
    "defaults", "kwdefaults", "existence" of a function. A listener's exceptions go to sys.unraisablehook (the first
    one, and again the first after a call that did not raise), and other listeners are still called. Raises Unwatchable;
    TypeError and ValueError for names that obj cannot have as facets.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    for name in facets:
        check_name(name)
    return _core.subscribe_to(listener, named_facets(obj, facets))


def subscribe_created(listener: Listener, code: object) -> Subscription:
    """Let the drain call listener(event) for every new function of this code object. event.new is the function, or
    UNKNOWN if it died before the drain: depwatch does not keep it alive.

    Cost: a test for each function that the process creates. Raises TypeError, Unwatchable.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    return _core.subscribe_to(listener, [created_facet(code)])


def explain(handle: Handle) -> str:
    """Why the handle is not valid: the broken facets, their old and new values, and the file and line of each change.

    Raises TypeError, Released.
    """
    if type(handle) is not Handle:
        raise TypeError(f"the handle must be a Handle, which Recorder.commit() makes, not {brief(handle)}")
    _core.drain()
    byte, reason, assumptions, broken = _core.explanation(handle)
    name = f"handle {handle.id} ({handle.name!r})"
    if byte == _core.RETIRED:
        return f"{name} is retired: {reason}"
    if not byte:
        return f"{name} is valid: {assumptions} assumption{'' if assumptions == 1 else 's'} hold"
    lines = [f"  {facet}: {change or 'its details were dropped (the queue was full)'}" for facet, change in broken]
    return "\n".join([f"{name} is invalid, {byte} broken:", *lines])
