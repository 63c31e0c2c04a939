"""numba without stale code: changed globals, callees and closures are seen, in the right call or even inside it.

    from depwatch.integrations.numba import njit

    @njit                    # in place of numba's, with all its options
    def price(x):
        return x * RATE      # an int, float or bool: loaded, never stale; anything else: compiled again when it changes

docs/numba.md says what is watched, what is refused, and why.
"""

import importlib
from typing import Any, Final

from depwatch.integrations.numba.needed import check_numba

try:
    import numba
except ImportError as error:
    raise ImportError("depwatch.integrations.numba needs numba: pip install depwatch[numba]") from error
else:
    check_numba()

from depwatch.integrations.numba.decorators import jit, njit, watch
from depwatch.integrations.numba.function import Function, Policy, Stats, function_of, stats_in_all
from depwatch.integrations.numba.patching import patch, unpatch
from depwatch.integrations.numba.refusals import (
    cfunc,
    check_dispatcher,
    guvectorize,
    jitclass,
    stencil,
    vectorize,
)
from depwatch.integrations.numba.version import Changed

__all__ = [
    "Changed",
    "Policy",
    "Stats",
    "cfunc",
    "explain",
    "guvectorize",
    "jit",
    "jitclass",
    "njit",
    "patch",
    "stats",
    "stencil",
    "unpatch",
    "vectorize",
    "watch",
]


ALL: Final = object()  # functions of the process, in place of one

# What people take from numba beside its decorators: types, prange, objmode, typed, ... In the module's dict, because
# code that is compiled reads nb.prange, and what comes from a module's __getattr__ may not be built in.
globals().update({name: getattr(numba, name) for name in dir(numba) if name not in globals() and name[0] != "_"})


def __getattr__(name: str) -> Any:
    """A module of numba's that it does not import by itself (numba.cuda). And type checkers see all that numba has."""
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"numba.{name}")
        except ModuleNotFoundError:
            pass
    raise AttributeError(f"neither module {__name__!r} nor numba has an attribute {name!r}")


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
