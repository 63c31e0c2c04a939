"""The life of every function of the process: created, modified, destroyed. What gh-91053 proposed, for Python."""

import enum
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from depwatch import _core
from depwatch.values import brief


class FunctionEvent(enum.IntEnum):
    """What happened to a function. The numbers are those of depwatch_change in depwatch.h."""

    CREATED = _core.CHANGES["CREATED"]
    MODIFIED = _core.CHANGES["MODIFIED"]
    DESTROYED = _core.CHANGES["DESTROYED"]


class FunctionAttribute(enum.IntEnum):
    """Which attribute of a function was modified. The numbers are those of depwatch_part in depwatch.h.

    GLOBALS and CLOSURE are here because the proposal lists them. No event ever has them: these attributes are
    read-only on CPython 3.12+.
    """

    CODE = _core.PARTS["CODE"]
    GLOBALS = -1
    DEFAULTS = _core.PARTS["DEFAULTS"]
    KWDEFAULTS = _core.PARTS["KWDEFAULTS"]
    CLOSURE = -2
    NOT_APPLICABLE = _core.PARTS["NOT_APPLICABLE"]  # of CREATED and DESTROYED


class DestroyedFunction(NamedTuple):
    """What is left of a function that died."""

    id: int  # what id(function) was; another object may have it by now
    qualname: str  # at its death; "" if the collector had cleared it before: then code.co_qualname names the function
    code: types.CodeType  # at its death; UNKNOWN if the queue was full when the function died


type LifecycleCallback = Callable[[FunctionEvent, Any, FunctionAttribute, Any], object]


def set_lifecycle_callback(callback: LifecycleCallback | None) -> None:
    """From now on call callback(event, function, attribute, new_value) for every function of the process; None: stop.

    event          attribute                   function              new_value
    CREATED        NOT_APPLICABLE              the function          None
    MODIFIED       CODE, DEFAULTS, KWDEFAULTS  the function          as assigned; None where it was deleted
    DESTROYED      NOT_APPLICABLE              a DestroyedFunction   None

    The drain calls it, in the order of the events. Its exceptions go to sys.unraisablehook (the first one, and again
    the first after a call that did not raise).
    The queue does not keep functions alive: if a function dies before the drain, CREATED and MODIFIED get a
    DestroyedFunction in its place, and UNKNOWN in the place of an assigned value that is gone. Only the code object of
    a dead function is kept until the drain. (A listener in C is called at once, with the function itself.) To recognise
    a function, remember its id() at CREATED: an id() is reused only after the DESTROYED of the function that had it.
    DESTROYED also comes for functions that were made before the callback was set.

    An assignment of the same object is an event, too. `f.__kwdefaults__["x"] = 1` is none, because it changes a dict in
    place: use a Recorder or subscribe() on "kwdefaults". An assignment of `__qualname__` is none, although CPython 3.15
    reports it.

    "Every function" includes those of depwatch and of the callback, and those that CPython makes for generator
    expressions, class bodies and exec(). Events that the callback causes are delivered by the next drain, so a callback
    that creates functions at each call never comes to an end: test first whether the function is one of yours. When
    8192 events wait, further ones are dropped; stats() counts them ("details_dropped").

    There is one callback at a time. Events that wait for a former callback are still delivered to it; but None drops
    all that wait. Cost: two events in the queue and two calls for each function that is made and dies. The first call
    of this function takes a watcher slot for functions. Raises TypeError, Unwatchable.
    Source: gh-91053, PyFunction_SetLifecycleCallback.
    """
    if callback is not None and not callable(callback):
        raise TypeError(f"the callback must be callable or None, not {brief(callback)}")
    _core.set_lifecycle_callback(callback)


def get_lifecycle_callback() -> LifecycleCallback | None:
    """The callback that is set now, or None."""
    return _core.get_lifecycle_callback()
