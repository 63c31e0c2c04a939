"""A function's own name while nothing has it yet: a decorator that was given signatures compiles before it returns."""

import types
from collections.abc import Hashable
from typing import Final, override

from numba.core.dispatcher import Dispatcher

from depwatch import MISSING, Recorder
from depwatch.integrations.numba.reads import Read
from depwatch.values import is_a


class OwnNameRead(Read):
    """numba takes the name for the function itself, which is right as soon as the decorator has returned it."""

    __slots__ = ("function",)

    def __init__(self, function: types.FunctionType, value: object) -> None:
        super().__init__(function.__name__, value)
        self.function: Final = function

    @property
    @override
    def key(self) -> Hashable:
        return ("own name", id(self.function))  # other code reads the function by that name, this code nothing

    @override
    def record(self, recorder: Recorder) -> object:
        found = recorder.read(self.function, self.name, default=MISSING)
        means_itself = found is MISSING or (is_a(found, Dispatcher) and found.py_func is self.function)
        return self.value if means_itself else found

    @override
    def __str__(self) -> str:
        return f"global {self.name!r}, by which {self.function.__qualname__} calls itself"
