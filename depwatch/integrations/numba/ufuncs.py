"""Ufuncs of the program, made by @vectorize, that watched code calls.

NumPy keeps the loops of a ufunc for good. But numba links what a ufunc does with one element into the code that calls
it. So watched code gets a copy of the ufunc that nobody else has: for each element it calls a watched function.
"""

from typing import Any, Final

from numba.core import decorators
from numba.np.ufunc.dufunc import DUFunc
from numba.np.ufunc.ufuncbuilder import UFuncDispatcher

from depwatch import Unwatchable
from depwatch.integrations.numba.function import Function, function_of
from depwatch.integrations.numba.refusals import check_value
from depwatch.values import is_a

SAME: Final = ("boundscheck", "fastmath")  # options that mean the same to @vectorize and @njit


def check_but_ufuncs(what: str, value: Any) -> None:
    """Raises Unwatchable if code that gets copies of ufuncs may not have this value built in."""
    if not is_a(value, DUFunc):
        check_value(what, value)


class _Ufunc(DUFunc):  # type: ignore[misc]
    """numba's class, but one can be given signatures anew. What numba calls "frozen" is for good."""

    has_all = False

    @property
    def _frozen(self) -> bool:
        return self.has_all


def copy_for(function: Function, ufunc: Any) -> Any:
    """What the code of a function gets in place of a ufunc; right for what is so now. Raises Unwatchable."""
    copy = vars(ufunc).get("_depwatch")
    if copy is None:
        copy = ufunc._depwatch = _Copy(function, ufunc)
    return copy.now()


class _Copy:
    """The copy of one ufunc, and the function that it calls for each element."""

    def __init__(self, caller: Function, ufunc: Any) -> None:
        from depwatch.integrations.numba.compiling import watch_dispatcher

        before = ufunc._dispatcher
        if before.targetoptions.get("forceobj"):
            raise Unwatchable(f"{before.py_func.__qualname__} is a ufunc in object mode (forceobj=True); use @njit")
        options = {name: before.targetoptions[name] for name in SAME if name in before.targetoptions}
        function = decorators.njit(error_model="numpy", locals=before.locals, **options)(before.py_func)
        watch_dispatcher(function, caller.policy, caller.keep, caller.on_refusal)
        self._function: Final = function
        self._signatures: Final = [*before.overloads] if ufunc._frozen else []  # it has these and no others
        self._ufunc: Final = _Ufunc.__new__(_Ufunc)
        self._ufunc._initialize(_loop(function, ufunc.nin, before.targetoptions), None)

    def now(self) -> Any:
        copy = self._ufunc
        overloads = copy._dispatcher.overloads
        if not all(map(self._is_right, overloads.values())):
            overloads.clear()
            copy._keepalive.clear()
            copy._lower_me.libs.clear()
        if self._signatures and not overloads:
            copy.has_all = False
            for signature in self._signatures:
                copy.add(signature)
            copy.has_all = True
        return copy

    def _is_right(self, kernel: Any) -> bool:
        function = function_of(self._function)
        version = None if function is None else function.current.get(tuple(kernel.signature.args))
        return version is not None and version.may_run and version.result.library in kernel.library._linking_libraries


def _loop(function: Any, arguments: int, options: Any) -> Any:
    names = ", ".join(f"x{number}" for number in range(arguments))
    space = {"function": function, "__name__": function.py_func.__module__}
    exec(f"def loop({names}): return function({names})", space)
    loop: Any = space["loop"]
    loop.__name__ = function.py_func.__name__
    dispatcher = UFuncDispatcher(loop, targetoptions=options)
    dispatcher._depwatch_calls_watched = True
    return dispatcher
