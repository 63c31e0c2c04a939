"""Callables that test a handle before each call."""

from collections.abc import Callable, Iterable
from types import BuiltinFunctionType
from typing import Any

from depwatch import _core
from depwatch._core import GuardCell, Guarded, GuardedBuiltin, Handle, ValueCell
from depwatch.values import brief


def guarded(handle: Handle, fast: Callable[..., Any], slow: Callable[..., Any]) -> Guarded:
    """A callable that runs `fast` while the handle is valid and the guards of its cells are up, and `slow` otherwise.

    For optimized code that its callers get in place of the function; install() is for code that must also be found by
    those who have the function already. The test is made at the call: code that is running is not stopped. Once the
    handle is released, `slow` runs. In a class it binds like a function. Jump labels are not looked at: they act in
    the code itself.

    Cost: a call through it costs what a call through a C function that forwards to `fast` costs. Raises TypeError,
    Released.
    """
    if type(handle) is not Handle:
        raise TypeError(f"the handle must be a Handle, which Recorder.commit() makes, not {brief(handle)}")
    for each in (fast, slow):
        check_callable(each)
    return _core.guarded_by(handle, fast, slow)


def guarded_builtin(
    fast: BuiltinFunctionType,
    slow: Callable[..., Any],
    changed: Callable[[Any], Any] | None = None,
    cells: Iterable[ValueCell | GuardCell] = (),
) -> GuardedBuiltin:
    """A built-in function, the result's `function`, that runs the C code of another one or calls `slow`.

    For C code that takes the C function out of a built-in and calls it directly, as numba's dispatcher does. `rely()`
    of the result says under which handle `fast` may run; before that, and once the handle is released, `slow` runs.
    The guards of the cells must be up, too. If one is down when `fast` has returned, its result goes to `changed`,
    and what that returns or raises is what the caller gets; None: nobody looks. A call keeps `fast` and all that it
    belongs to as long as it runs, and the cells keep their memory as long as the result lives.

    fast: with METH_VARARGS | METH_KEYWORDS. Cost: about 2 ns a call. Raises TypeError, Released.
    """
    for each in (slow,) if changed is None else (slow, changed):
        check_callable(each)
    found = list(cells)
    for cell in found:
        if type(cell) not in (ValueCell, GuardCell):
            raise TypeError(f"a cell must be a ValueCell or a GuardCell, not {brief(cell)}")
    return _core.builtin_guarded_by(fast, slow, changed, found)


def check_callable(runs: Any) -> None:
    if not callable(runs):
        raise TypeError(f"what runs must be callable, not {brief(runs)}")
