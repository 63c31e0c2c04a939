"""A callable that tests a handle before each call."""

from collections.abc import Callable
from typing import Any

from depwatch import _core
from depwatch._core import Guarded, Handle
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
        if not callable(each):
            raise TypeError(f"what runs must be callable, not {brief(each)}")
    return _core.guarded_by(handle, fast, slow)
