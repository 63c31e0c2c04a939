"""Compilations that are going on: what numba has begun and not ended, and what ours have read so far."""

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from numba.core import errors
from numba.core.dispatcher import _FunctionCompiler
from numba.np.ufunc.ufuncbuilder import UFuncDispatcher

from depwatch import Recorder, Unwatchable
from depwatch.integrations.numba import finding
from depwatch.integrations.numba.blocks import Block
from depwatch.integrations.numba.cells import Cells
from depwatch.integrations.numba.function import Function
from depwatch.integrations.numba.reads import Read, Reads, VariableRead

if TYPE_CHECKING:
    from depwatch.integrations.numba.choices import Used
    from depwatch.integrations.numba.version import Version


class Place(NamedTuple):
    """Where a scalar is."""

    owner: int  # id of the globals or the module
    name: str
    in_module: bool  # read as an attribute of a module


class Attempt:
    """How a function is compiled, as earlier attempts have shown that it has to be."""

    def __init__(self, frozen: bool) -> None:
        self.frozen = frozen  # no scalar has a cell
        self.constants: Final[set[Place]] = set()  # those that have none, because the code depends on their values
        self.loud = False  # something can change while the code runs, although that cannot be seen before typing

    def builds_in(self, place: Place) -> bool:
        return self.frozen or place in self.constants


class NeedsOtherAttempt(errors.NumbaError):  # type: ignore[misc]
    """The attempt has shown that the next one has to be another, and has told it."""

    def __init__(self) -> None:
        super().__init__("compiled in another way")


class Compilation:
    """One attempt at compiling one function for some types of arguments: what it has read so far."""

    def __init__(self, function: Function, attempt: Attempt) -> None:
        self.function: Final = function
        self.attempt: Final = attempt
        self.reads: Final = Reads()
        self.cells: Final = Cells(function.name)
        self.quiet = False  # whether nothing can change while the code runs
        self.calls_quietly = False  # the same, as far as its own code shows, whether it loads cells or not
        self.loads: Final[dict[int, Place]] = {}  # which scalar an intrinsic, by id, loads from its cell
        self.consistent = True  # nothing was read twice with different values
        self.blocks: tuple[Block, ...] = ()  # in object mode, of its own code
        self.called_back: Final[list[Version]] = []  # code that it calls by its name, without linking it

    def add(self, read: Read) -> None:
        if self.function.policy == "granular" and not isinstance(read, VariableRead):
            finding.check_granular(read)
        self.consistent &= self.reads.add(read)

    def add_all(self, reads: Iterable[Read]) -> None:
        for read in reads:
            self.add(read)


class Copied:
    """What code of the program's reads that numba copies into code that is not watched, or not yet.

    What is wrong with it is told where a watched function is linked with that: plain numba goes on as ever.
    """

    def __init__(self) -> None:
        self._reads: Final = Reads()
        self._refused: Unwatchable | None = None

    def add_all(self, reads: Iterable[Read]) -> None:
        try:
            for read in reads:
                self._reads.add(read)
        except Unwatchable as refused:
            self._refused = refused

    def reads(self) -> Iterator[Read]:
        """What was read. Raises Unwatchable."""
        if self._refused is not None:
            raise self._refused
        yield from self._reads

    @property
    def holds(self) -> bool:
        with Recorder("a look", None) as recorder:
            try:
                return self._refused is None and not self._reads.record(recorder)
            except Unwatchable:
                return False


class Active:
    """A compilation of a dispatcher's that numba has begun and not ended."""

    def __init__(self, dispatcher: Any, arguments: tuple[Any, ...]) -> None:
        self.dispatcher: Final = dispatcher
        self.arguments: Final = arguments
        self.compilation: Compilation | None = None  # None: numba compiles it without us
        self.used: list[Used | Copied] = []  # choosers of implementations, and what is copied into code of numba's
        self.unsettled = False  # a chooser changed what it reads
        self.lacks_callee = False  # code of the program's that it calls could not be compiled
        self.start = 0.0  # when this attempt began, in seconds
        self.internal: Final = len(_internal(dispatcher))  # how much numba had compiled for itself
        self.depth: Final = len(stack)  # in the stack
        self.outermost = self.depth  # of the compilations in the stack that its code calls


def _internal(dispatcher: Any) -> Any:
    """What numba has compiled for itself without a dispatcher, and announces to nobody."""
    return getattr(getattr(dispatcher, "targetctx", None), "cached_internal_func", {})


def forget_internal(active: Active) -> None:
    """Let numba compile again what it compiled for itself meanwhile: it may have code of the program's in it."""
    internal = _internal(active.dispatcher)
    for key in list(internal)[active.internal :]:
        del internal[key]


stack: Final[list[Active]] = []  # innermost last; used with numba's compiler lock held, by one thread at a time


def collecting() -> Compilation | Copied:
    """What gets the reads of code that is copied into what is being compiled."""
    active = stack[-1]
    if active.compilation is not None:
        return active.compilation
    copied = Copied()
    active.used.append(copied)
    return copied


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
            return hasattr(frame.f_locals["self"], "_depwatch_calls_watched")
        frame = frame.f_back
    return False
