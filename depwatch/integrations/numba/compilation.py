"""Compilations that are going on: what numba has begun and not ended, and what ours have read so far."""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from numba.core.dispatcher import _FunctionCompiler
from numba.np.ufunc.ufuncbuilder import UFuncDispatcher

from depwatch.integrations.numba import finding
from depwatch.integrations.numba.cells import Cells
from depwatch.integrations.numba.function import Function
from depwatch.integrations.numba.reads import Read, Reads, VariableRead


class Compilation:
    """One attempt at compiling one function for some types of arguments: what it has read so far."""

    def __init__(self, function: Function, frozen: bool) -> None:
        self.function: Final = function
        self.frozen: Final = frozen  # scalars too have no cells
        self.reads: Final = Reads()
        self.cells: Final = Cells(function.name)
        self.templates: Final[set[Any]] = set()
        self.quiet = False  # whether nothing can change while the code runs
        self.consistent = True  # nothing was read twice with different values

    def add(self, read: Read) -> None:
        if self.function.policy == "granular" and not isinstance(read, VariableRead):
            finding.check_granular(read)
        self.consistent &= self.reads.add(read)
        value: Any = read.value
        if finding.is_inlined(value):
            self.add_all(finding.written_in(value.py_func))

    def add_all(self, reads: Iterator[Read]) -> None:
        for read in reads:
            self.add(read)


class Active:
    """A compilation of a dispatcher's that numba has begun and not ended."""

    def __init__(self, dispatcher: Any, arguments: tuple[Any, ...]) -> None:
        self.dispatcher: Final = dispatcher
        self.arguments: Final = arguments
        self.compilation: Compilation | None = None  # None: numba compiles it without us


stack: Final[list[Active]] = []  # innermost last; used with numba's compiler lock held, by one thread at a time


def current() -> Compilation:
    """What the passes of the pipeline that is running belong to."""
    compilation = stack[-1].compilation
    assert compilation is not None
    return compilation


def is_followed() -> bool:
    """Whether what is being compiled just now, innermost, belongs to a dispatcher.

    @cfunc and ufuncs compile too, in ways that numba announces to nobody; only the stack tells.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _FunctionCompiler._compile_core.__code__:
            compiler = frame.f_locals["self"]
            return bool(stack) and getattr(stack[-1].dispatcher, "_compiler", None) is compiler
        if frame.f_code is UFuncDispatcher._compile_core.__code__:
            return False
        frame = frame.f_back
    return False
