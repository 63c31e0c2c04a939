"""Entries: optimized code that runs wherever a function is called, as long as what it assumes holds."""

import sys
import types
from collections.abc import Callable
from typing import Any, Final

from depwatch import _core, naming
from depwatch._core import Entry, Handle
from depwatch.errors import Released, Stale, Unwatchable
from depwatch.recorder import Recorder
from depwatch.values import brief, is_a

_CPYTHON: Final = f"CPython {sys.version_info[0]}.{sys.version_info[1]}"

_core.learn_entry(lambda: None)


def install(function: types.FunctionType, optimized: Callable[..., Any], handle: Handle) -> Entry:
    """Let every call of function run optimized, with the same arguments, as long as handle is valid.

    It looks at the handle's byte at each call, and at one more that is 0 while `__code__`, `__defaults__`,
    `__kwdefaults__` and the dict of the latter are as they are now: at any other time the interpreter runs the
    function's own code, and when all is undone, optimized runs again. Nothing is compared that optimized was made from:
    read the function's parts with the Recorder of the handle, before compiling. install reads them too, so handles that
    wait for another code or other defaults of the function are retired.

    The entry is removed by Entry.remove(), by handle.release(), when the function dies, and at the drain after the
    handle has been retired or the dict of keyword defaults has changed in place. Until then optimized and the handle
    are kept; and so is the function, if optimized refers to it.

    Cost: a look-up and two loads a call, and on CPython 3.13+, for good, what specialised calls of the function saved:
    docs/install.md has the numbers. There is one entry for each function: ValueError if another one is installed whose
    handle is not retired. Raises Unwatchable where CPython would pass the entry by, on 3.13+ after a look at each
    class of the process; Stale if the handle is retired, or is by that; Released; TypeError. With DEPWATCH=0 the
    function is left as it is.
    """
    if not is_a(function, types.FunctionType):
        raise naming.refused(
            function, "Python function (of a method, pass method.__func__; of a class, a function in it)"
        )
    if not callable(optimized):
        raise TypeError(f"optimized must be callable, not {brief(optimized)}")
    if optimized is function:
        raise ValueError(f"optimized is {brief(function)} itself: every call would call itself again; pass other code")
    if type(handle) is not Handle:
        raise TypeError(f"{brief(handle)} is no Handle; Recorder.commit() makes one")
    if _core.is_switched_off():
        return _core.entry_not_installed(function, handle, _core.facet("existence", function))
    if handle.retired:
        raise _refusal("retired", function, handle)
    _core.remove_retired_entry(function)
    if (state := _core.entry_state(function)) != "free":
        raise _refusal(state, function, handle)
    _check_reached(function)
    recorder = Recorder(f"entry of {str.__str__(function.__qualname__)}", unstable_after=None)
    recorder.read_function(function, "code", "defaults", "kwdefaults")
    guard = recorder.commit()
    installed = _core.install_entry(function, optimized, handle, guard, _core.facet("existence", function))
    if isinstance(installed, Entry):
        return installed
    guard.release()
    raise _refusal(installed, function, handle)  # meanwhile: reading drains, which can run anything


def _refusal(state: str, function: types.FunctionType, handle: Handle) -> Exception:
    """Why install_entry() did nothing."""
    match state:
        case "ours":
            return ValueError(
                f"an entry is installed for {brief(function)}; remove() that one, or retire its handle, first"
            )
        case "other's":
            return Unwatchable(
                f"another extension has installed an entry (vectorcall) for {brief(function)}: ours would take its "
                "place and break what it does; remove the other one first"
            )
        case "released":
            return Released(f"handle {handle.id} ({handle.name!r}) was released; its byte may serve another handle")
        case "ending":
            return RuntimeError("the interpreter is shutting down: nothing is installed any more")
    if handle.retired:
        return Stale(f"handle {handle.id} ({handle.name!r}) is retired: {handle.reason}; compile again")
    return Stale(f"{brief(function)} changed while its entry was installed; compile again")


def _check_reached(function: types.FunctionType) -> None:
    """Raises Unwatchable if some class reaches the function in a way that passes entries by."""
    match _core.entry_bypass(function):
        case "init":
            raise _passed_by(function, "an __init__", "C(...)", "the metaclass's __call__ or C.__new__")
        case "getter":
            raise _passed_by(function, "the getter of a property", "obj.name", "a function that the getter calls")


def _passed_by(function: types.FunctionType, what: str, call: str, instead: str) -> Unwatchable:
    return Unwatchable(
        f"{brief(function)} is {what}: {_CPYTHON} runs its own code at a hot {call} whatever entry it has; install for "
        f"{instead}, or replace it in its class"
    )
