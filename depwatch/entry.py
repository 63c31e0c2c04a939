"""Entries: optimized code that runs in the place of a function's own code while its handle is valid."""

import sys
import types
from collections.abc import Callable
from typing import Any, Final, TypeGuard

from depwatch import _core, naming
from depwatch._core import Entry, Handle
from depwatch.errors import Released, Stale, Unwatchable
from depwatch.recorder import Recorder
from depwatch.values import brief, is_a

_CPYTHON: Final = f"CPython {sys.version_info[0]}.{sys.version_info[1]}"

_core.learn_entry(lambda: None)


def install(function: Callable[..., Any], optimized: Callable[..., Any], handle: Handle) -> Entry:
    """Let every call of function run optimized, with the same arguments, while handle is valid.

    Each call tests two bytes: that of handle, and a second one, which is 0 while the function's `__code__`,
    `__defaults__`, `__kwdefaults__` and the dict of keyword defaults are as they are now. While one of them is not 0,
    the interpreter runs the function's own code; when the changes are undone, optimized runs again. install cannot
    know what optimized was made from: read the function's parts with the Recorder of the handle, before compiling.
    install reads these parts too, so it retires handles that recorded other code or other defaults of the function.

    The entry is removed by Entry.remove(), by handle.release(), when the function dies, and at the drain after the
    handle was retired or the dict of keyword defaults changed in place. Until then the entry keeps optimized and the
    handle alive, and so the function, if optimized refers to it.

    Cost: a look-up and two loads for each call. On CPython 3.13+ calls of the function also lose, for good, what
    CPython's specialised calls save; docs/install.md has the numbers. A function has one entry: raises ValueError if
    it has one whose handle is not retired. Raises Unwatchable where CPython would bypass the entry (on 3.13+ this
    takes a look at each class of the process); Stale if the handle is retired, also if install retired it; Released;
    TypeError. With DEPWATCH=0 the function is left as it is.
    """
    if not _is_function(function):
        raise naming.refused(
            function, "Python function (of a method, pass method.__func__; of a class, a function in it)"
        )
    if not callable(optimized):
        raise TypeError(f"optimized must be callable, not {brief(optimized)}")
    if optimized is function:
        raise ValueError(f"optimized is {brief(function)} itself: every call would call itself again; pass other code")
    if type(handle) is not Handle:
        raise TypeError(f"the handle must be a Handle, which Recorder.commit() makes, not {brief(handle)}")
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
    raise _refusal(installed, function, handle)  # something changed meanwhile: reading drains, which runs callbacks


def _is_function(given: object) -> TypeGuard[types.FunctionType]:
    return is_a(given, types.FunctionType)


def _refusal(state: str, function: types.FunctionType, handle: Handle) -> Exception:
    """The exception for what install_entry() returned in place of an Entry."""
    match state:
        case "ours":
            return ValueError(
                f"{brief(function)} has an entry already; remove() that entry, or retire its handle, first"
            )
        case "other's":
            return Unwatchable(
                f"another extension has replaced the vectorcall of {brief(function)}: an entry would take its place "
                "and break what it does; remove the other extension's first"
            )
        case "released":
            return Released(
                f"handle {handle.id} ({handle.name!r}) was released, so its byte may belong to another handle; install "
                "before release()"
            )
        case "ending":
            return RuntimeError("the interpreter is shutting down, so depwatch installs no more entries")
    if handle.retired:
        return Stale(f"handle {handle.id} ({handle.name!r}) is retired: {handle.reason}; compile again")
    return Stale(f"{brief(function)} changed while its entry was installed; compile again")


def _check_reached(function: types.FunctionType) -> None:
    """Raises Unwatchable if CPython could bypass an entry of the function, because of how a class uses it."""
    match _core.entry_bypass(function):
        case "init":
            raise _passed_by(function, "an __init__", "C(...)", "the metaclass's __call__ or C.__new__")
        case "getter":
            raise _passed_by(function, "the getter of a property", "obj.name", "a function that the getter calls")


def _passed_by(function: types.FunctionType, what: str, call: str, instead: str) -> Unwatchable:
    return Unwatchable(
        f"{brief(function)} is {what}: at a hot {call} {_CPYTHON} runs the function's own code without its entry; "
        f"install for {instead}, or replace the function in its class"
    )
