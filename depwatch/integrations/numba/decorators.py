"""The decorators: numba's, for functions that are watched."""

from typing import Any, Final

from numba.core import decorators, sigutils

from depwatch import _core
from depwatch.integrations.numba.cells import kind_for
from depwatch.integrations.numba.compiling import compile_as_numba_does, watch_dispatcher
from depwatch.integrations.numba.finding import check_written
from depwatch.integrations.numba.function import KEEP, POLICIES, Policy, function_of
from depwatch.integrations.numba.plain import ON_REFUSAL, OnRefusal
from depwatch.integrations.numba.refusals import check_dispatcher
from depwatch.integrations.numba.signatures import TypedDecorator
from depwatch.integrations.numba.ufuncs import check_but_ufuncs
from depwatch.values import brief

# numba's own, whatever a program puts in their place.
_numba_njit: Final = decorators.njit
_numba_jit: Final = decorators.jit


def check_options(policy: Any, keep: Any, on_refusal: Any) -> None:
    if policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r}; there are 'bulk', 'granular', 'error' and None (by kind)")
    if type(keep) is not int:
        raise TypeError(f"keep must be an int, not {brief(keep)}")
    if keep < 1:
        raise ValueError(f"keep is {keep}; at least 1 version of a function must be kept aside")
    if on_refusal not in ON_REFUSAL:
        raise ValueError(f"on_refusal is {on_refusal!r}; it must be 'raise' or 'plain'")


def _typed(decorator: Any) -> TypedDecorator:
    found: TypedDecorator = decorator
    return found


@_typed
def njit(
    signature_or_function: Any = None,
    /,
    *,
    policy: Policy = None,
    keep: int = KEEP,
    on_refusal: OnRefusal = "raise",
    **options: Any,
) -> Any:
    """numba.njit, with all its options, for functions that never go stale.

    policy: what to do about a change of what the function reads. None, by kind: an int, float or bool is loaded from a
    value cell, all else is built in and compiled again at the next call after a change. "bulk": all is built in.
    "granular": data that has no cell is refused. "error": all is built in, and the next call after a change raises
    Changed, until the change is undone. What it calls and nobody decorated has the same policy.
    keep: how many versions of the function, compiled under what is not so now, are kept for when it is so again.
    on_refusal: "raise", or "plain": numba compiles without depwatch what must be refused, and explain() says why.

    Raises Unwatchable, with the reason, for what cannot be kept right: now for what can be seen now, or at the first
    call. cache=True: code on the disk is taken where all that it rests on is so; a warning says what cannot be stored.
    With DEPWATCH=0 in the environment this is numba.njit.
    Cost: a few milliseconds for each compilation; about a nanosecond a call.
    """
    return _decorated(_numba_njit, signature_or_function, policy, keep, on_refusal, options)


@_typed
def jit(
    signature_or_function: Any = None,
    /,
    *,
    policy: Policy = None,
    keep: int = KEEP,
    on_refusal: OnRefusal = "raise",
    **options: Any,
) -> Any:
    """numba.jit, with all its options, for functions that never go stale. The rest is as with njit."""
    return _decorated(_numba_jit, signature_or_function, policy, keep, on_refusal, options)


def _decorated(
    by_numba: Any, signature_or_function: Any, policy: Policy, keep: int, on_refusal: OnRefusal, options: dict[str, Any]
) -> Any:
    check_options(policy, keep, on_refusal)
    if _core.is_switched_off():
        return by_numba(signature_or_function, **options)
    signatures: list[Any] | None = None
    function = None
    if isinstance(signature_or_function, list):
        signatures = signature_or_function
    elif signature_or_function is not None and sigutils.is_signature(signature_or_function):
        signatures = [signature_or_function]
    else:
        function = signature_or_function

    def decorate(function: Any) -> Any:
        dispatcher = by_numba(**options)(function)
        if dispatcher is function:  # NUMBA_DISABLE_JIT: plain Python is never stale
            return function
        _watch(dispatcher, policy, keep, on_refusal)
        if signatures is not None:
            compile_as_numba_does(dispatcher, signatures)
        return dispatcher

    return decorate if function is None else decorate(function)


def _watch(dispatcher: Any, policy: Policy, keep: int, on_refusal: OnRefusal) -> None:
    if on_refusal == "raise":
        check_dispatcher(dispatcher)
        is_cell = _never if policy in ("bulk", "error") else _has_cell
        check_written(dispatcher.py_func, policy == "granular", is_cell, check_but_ufuncs)
    watch_dispatcher(dispatcher, policy, keep, on_refusal)


def _has_cell(value: object) -> bool:
    return kind_for(value) is not None


def _never(value: object) -> bool:
    return False


def watch[Dispatcher](
    dispatcher: Dispatcher, *, policy: Policy = None, keep: int = KEEP, on_refusal: OnRefusal = "raise"
) -> Dispatcher:
    """Watch a function that numba.njit has made; returns it. What it has compiled already is compiled again.

    Raises like njit; TypeError for what is no jitted function.
    """
    check_options(policy, keep, on_refusal)
    function = function_of(dispatcher)
    if _core.is_switched_off():
        return dispatcher
    if function is None:
        _watch(dispatcher, policy, keep, on_refusal)
    else:
        function.keep = keep
        if function.policy != policy:
            raise ValueError(f"{function.name} is watched with policy {function.policy!r}, not {policy!r}; decide once")
    return dispatcher
