"""What listeners are told, and why handles are not valid: words for what the core's drain delivers."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from depwatch import _core
from depwatch._core import Handle, Subscription
from depwatch.naming import check_name, created_facet, named_facets
from depwatch.values import brief


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
    old: Any  # UNKNOWN where CPython does not tell, and where the program dropped it before the drain
    new: Any  # likewise
    filename: str | None  # of the Python frame that made the change
    lineno: int | None


type Listener = Callable[[Event], object]


def subscribe(listener: Listener, obj: object, *facets: str) -> Subscription:
    """Call listener(event) in the drain after every change of these facets of obj; without any, of every change.

    Facets are keys of a dict or module, attributes of a type (found along its MRO), or "code", "defaults",
    "kwdefaults", "existence" of a function. What a listener raises goes to sys.unraisablehook (the first time, and
    again after a call of it that raised nothing); the others still run. Raises Unwatchable; TypeError and ValueError
    for names that cannot be meant.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    for name in facets:
        check_name(name)
    return _core.subscribe_to(listener, named_facets(obj, facets))


def subscribe_created(listener: Listener, code: object) -> Subscription:
    """Call listener(event) in the drain for every new function of this code object; event.new is the function, or
    UNKNOWN if it has died since: nothing keeps it alive.

    Cost: a test for each function that the process creates. Raises TypeError, Unwatchable.
    """
    if not callable(listener):
        raise TypeError(f"the listener must be callable, not {brief(listener)}")
    return _core.subscribe_to(listener, [created_facet(code)])


def explain(handle: Handle) -> str:
    """Why the handle is not valid: which facets, their old and new values, and file:line of the change.

    Raises TypeError, Released.
    """
    if type(handle) is not Handle:
        raise TypeError(f"{brief(handle)} is no Handle; Recorder.commit() makes one")
    _core.drain()
    byte, reason, assumptions, broken = _core.explanation(handle)
    name = f"handle {handle.id} ({handle.name!r})"
    if byte == _core.RETIRED:
        return f"{name} is retired: {reason}"
    if not byte:
        return f"{name} is valid: {assumptions} assumption{'' if assumptions == 1 else 's'} hold"
    lines = [f"  {facet}: {change or 'its details were dropped (the queue was full)'}" for facet, change in broken]
    return "\n".join([f"{name} is invalid, {byte} broken:", *lines])
