"""numba without stale code: changed globals, callees and closures are seen, in the right call or even inside it.

    from depwatch.integrations.numba import njit

    @njit                    # in place of numba's, with all its options
    def price(x):
        return x * RATE      # an int, float or bool: loaded, never stale; anything else: compiled again when it changes

docs/numba.md says what is watched, what is refused, and why.
"""

from typing import Any, Final

try:
    import numba
except ImportError as error:
    raise ImportError("depwatch.integrations.numba needs numba: pip install depwatch[numba]") from error

from numba.core import sigutils

from depwatch import _core
from depwatch.integrations.numba.cells import kind_for
from depwatch.integrations.numba.compiling import compile_as_numba_does, watch_dispatcher
from depwatch.integrations.numba.finding import check_written
from depwatch.integrations.numba.function import KEEP, POLICIES, Function, Policy, Stats, function_of, stats_in_all
from depwatch.integrations.numba.refusals import (
    cached,
    cfunc,
    check_dispatcher,
    guvectorize,
    jitclass,
    stencil,
    vectorize,
)
from depwatch.integrations.numba.version import Changed
from depwatch.values import brief

__all__ = [
    "Changed",
    "Policy",
    "Stats",
    "cfunc",
    "explain",
    "guvectorize",
    "jitclass",
    "njit",
    "stats",
    "stencil",
    "vectorize",
    "watch",
]


ALL: Final = object()  # functions of the process, in place of one


def _check(policy: Any, keep: Any) -> None:
    if policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r}; there are 'bulk', 'granular', 'error' and None (by kind)")
    if type(keep) is not int:
        raise TypeError(f"keep must be an int, not {brief(keep)}")
    if keep < 1:
        raise ValueError(f"keep is {keep}; at least 1 version of a function must be kept aside")


def njit(signature_or_function: Any = None, /, *, policy: Policy = None, keep: int = KEEP, **options: Any) -> Any:
    """numba.njit, with all its options, for functions that never go stale.

    policy: what to do about a change of what the function reads. None, by kind: an int, float or bool is loaded from a
    value cell, all else is built in and compiled again at the next call after a change. "bulk": all is built in.
    "granular": data that has no cell is refused. "error": all is built in, and the next call after a change raises
    Changed, until the change is undone. What it calls and nobody decorated has the same policy.
    keep: how many versions of the function, compiled under what is not so now, are kept for when it is so again.

    Raises Unwatchable, with the reason, for what cannot be kept right: now for what can be seen now, or at the first
    call. With DEPWATCH=0 in the environment this is numba.njit.
    Cost: a few milliseconds for each compilation; about a nanosecond a call.
    """
    _check(policy, keep)
    if _core.is_switched_off():
        return numba.njit(signature_or_function, **options)
    if options.pop("cache", False):
        raise cached("a watched function")
    signatures: list[Any] | None = None
    function = None
    if isinstance(signature_or_function, list):
        signatures = signature_or_function
    elif signature_or_function is not None and sigutils.is_signature(signature_or_function):
        signatures = [signature_or_function]
    else:
        function = signature_or_function

    def decorate(function: Any) -> Any:
        dispatcher = numba.njit(**options)(function)
        if dispatcher is function:  # NUMBA_DISABLE_JIT: plain Python is never stale
            return function
        _watch(dispatcher, policy, keep)
        if signatures is not None:
            compile_as_numba_does(dispatcher, signatures)
        return dispatcher

    return decorate if function is None else decorate(function)


def _watch(dispatcher: Any, policy: Policy, keep: int) -> None:
    check_dispatcher(dispatcher)
    is_cell = _never if policy in ("bulk", "error") else _has_cell
    check_written(dispatcher.py_func, policy == "granular", is_cell)
    watch_dispatcher(dispatcher, policy, keep)


def _has_cell(value: object) -> bool:
    return kind_for(value) is not None


def _never(value: object) -> bool:
    return False


def watch[Dispatcher](dispatcher: Dispatcher, *, policy: Policy = None, keep: int = KEEP) -> Dispatcher:
    """Watch a function that numba.njit has made; returns it. What it has compiled already is compiled again.

    Raises like njit; TypeError for what is no jitted function.
    """
    _check(policy, keep)
    function = function_of(dispatcher)
    if _core.is_switched_off():
        return dispatcher
    if function is None:
        _watch(dispatcher, policy, keep)
    else:
        function.keep = keep
        if function.policy != policy:
            raise ValueError(f"{function.name} is watched with policy {function.policy!r}, not {policy!r}; decide once")
    return dispatcher


def _function(dispatcher: Any) -> Function:
    function = function_of(dispatcher)
    if function is None:
        check_dispatcher(dispatcher)
        raise ValueError(f"{dispatcher.py_func.__qualname__} is not watched; use watch() or njit of this module")
    return function


def stats(dispatcher: Any = ALL) -> Stats:
    """How often a watched function was compiled, and code of it used again; without one, all functions of the process.

    Raises TypeError, ValueError.
    """
    return stats_in_all() if dispatcher is ALL else _function(dispatcher).stats


def explain(dispatcher: Any, *, internals: bool = False) -> str:
    """What the code of a watched function has built in and what it loads, and what broke it last.

    For each version: its last breaks, with what changed, from what to what, where and when; and what it cost to have
    code again that may run. internals: also what it has built in of numba itself. Raises TypeError, ValueError.
    """
    return _function(dispatcher).explain(internals)
