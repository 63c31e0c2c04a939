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
    """What of a function was modified. The numbers are those of depwatch_part in depwatch.h.

    GLOBALS and CLOSURE are here because the proposal lists them: they are read-only on CPython 3.12+, and no event ever
    carries them.
    """

    CODE = _core.PARTS["CODE"]
    GLOBALS = -1
    DEFAULTS = _core.PARTS["DEFAULTS"]
    KWDEFAULTS = _core.PARTS["KWDEFAULTS"]
    CLOSURE = -2
    NOT_APPLICABLE = _core.PARTS["NOT_APPLICABLE"]  # of CREATED and DESTROYED


class DestroyedFunction(NamedTuple):
    """What is left of a function that died, as of the moment of its death."""

    id: int  # what id(function) was; another object may have it by now
    qualname: str  # "" if it was gone first: from garbage in a cycle CPython may take it before the function dies
    code: types.CodeType  # still told then: code.co_qualname. UNKNOWN if the queue had no room for its DESTROYED


type LifecycleCallback = Callable[[FunctionEvent, Any, FunctionAttribute, Any], object]


def set_lifecycle_callback(callback: LifecycleCallback | None) -> None:
    """Call callback(event, function, attribute, new_value) for every function of the process from now on; None: nobody.

    event          attribute                   function              new_value
    CREATED        NOT_APPLICABLE              the function          None
    MODIFIED       CODE, DEFAULTS, KWDEFAULTS  the function          as assigned; None where it was deleted
    DESTROYED      NOT_APPLICABLE              a DestroyedFunction   None

    It is called in the drain, in the order of the events, like listeners; what it raises goes to
    sys.unraisablehook (the first time, and again after a call that raised nothing).
    Functions live as long as they would without it: one that has died by then is told as a DestroyedFunction in CREATED
    and MODIFIED too, and what was assigned to it as UNKNOWN if that is gone. Only the code object of one that died
    waits for the drain. (A listener in C hears at once, of the function itself.) To correlate, take id(function), or
    the id of a DestroyedFunction, at CREATED: an id() may be reused, but only after the DESTROYED of who had it.
    DESTROYED also comes for functions that were there before the callback.

    Assignments of the same object are events too. `f.__kwdefaults__["x"] = 1` changes a dict in place and is none: a
    Recorder or subscribe() on "kwdefaults" sees it. Nor is `__qualname__`, which CPython 3.15 reports.

    Every function means also those of depwatch, of the callback and of genexprs, class bodies and exec(). What the
    callback causes is delivered by the next drain, so one that creates functions for each event never hears the last
    of them: look first whether it is about a function of yours. When 8192 events wait, more are dropped; stats() counts
    them ("details_dropped").

    There is one callback. What waits for the one before is still delivered to it; after None nothing is, not even what
    waits. Cost: two queue entries for each function that comes and goes, and a call each. A function watcher slot is
    taken at the first call. Raises TypeError, Unwatchable. Source: gh-91053, PyFunction_SetLifecycleCallback.
    """
    if callback is not None and not callable(callback):
        raise TypeError(f"the callback must be callable or None, not {brief(callback)}")
    _core.set_lifecycle_callback(callback)


def get_lifecycle_callback() -> LifecycleCallback | None:
    """The callback that is set, or None."""
    return _core.get_lifecycle_callback()
