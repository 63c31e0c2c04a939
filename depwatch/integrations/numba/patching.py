"""Patching: numba's own decorators make functions that are watched, in a program that nobody edits for it."""

import functools
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any, Final

from numba.core import decorators
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target

from depwatch import _core
from depwatch.integrations.numba.compiling import compile_as_numba_does, watch_dispatcher
from depwatch.integrations.numba.decorators import check_options
from depwatch.integrations.numba.function import KEEP, forget, function_of
from depwatch.integrations.numba.own import is_numbas_own
from depwatch.integrations.numba.plain import OnRefusal, full_name, listed
from depwatch.integrations.numba.refusals import FROZEN_FOR_GOOD
from depwatch.integrations.numba.version import version_of

# What decorates for itself: numba's implementations of functions and jitclasses, and our own decorators.
_NOT_THE_PROGRAM: Final = ("numba", "depwatch")


class Patch:
    """What numba's decorators are while they are patched, and what they were before."""

    def __init__(self) -> None:
        self.on_refusal: OnRefusal | None = None  # None: not patched
        self._make: Final[Any] = decorators._jit  # what numba.jit, numba.njit and jit_module call, also by other names
        self._inits: Final = {kind: kind.__init__ for kind in FROZEN_FOR_GOOD}  # type: ignore[misc]

    def apply(self, on_refusal: OnRefusal) -> None:
        listed.at_end()
        if self.on_refusal is None:
            decorators._jit = self._watching
            for kind, init in self._inits.items():
                kind.__init__ = _noting(init, FROZEN_FOR_GOOD[kind])  # type: ignore[misc]
        self.on_refusal = on_refusal

    def undo(self) -> None:
        if self.on_refusal is not None:
            decorators._jit = self._make
            for kind, init in self._inits.items():
                kind.__init__ = init  # type: ignore[misc]
        self.on_refusal = None

    def _watching(
        self, sigs: Any, locals: Any, target: Any, cache: Any, targetoptions: Any, **dispatcher_args: Any
    ) -> Callable[[Any], Any]:
        """In place of numba's function of this name and these arguments."""
        make = functools.partial(
            self._make, locals=locals, target=target, cache=cache, targetoptions=targetoptions, **dispatcher_args
        )
        on_refusal = self.on_refusal
        if on_refusal is None or target != "cpu" or not _is_programs(sys._getframe(1)):
            wrapped: Callable[[Any], Any] = make(sigs)
            return wrapped

        def decorate(function: Any) -> Any:
            dispatcher = make(None)(function)
            if isinstance(dispatcher, Dispatcher):  # not NUMBA_DISABLE_JIT
                watch_dispatcher(dispatcher, None, KEEP, on_refusal)
                if sigs is not None:
                    compile_as_numba_does(dispatcher, sigs)
            return dispatcher

        return decorate


_patch: Final = Patch()


def patch(*, on_refusal: OnRefusal = "plain") -> None:
    """Let numba.njit, numba.jit and numba.jit_module make watched functions from now on, by whatever name they go.

    on_refusal: "plain", numba compiles without depwatch what must be refused; these functions, and what is made by
    numba's other decorators, are listed on stderr once, with the reasons, when the process ends. "raise": as with the
    decorator njit of this module.
    Functions that are there already are not watched, nor are numba's own. Calling it again changes on_refusal. With
    DEPWATCH=0 in the environment nothing happens. Cost: that of njit, for each function that is compiled.
    """
    check_options(None, KEEP, on_refusal)
    if not _core.is_switched_off():
        _patch.apply(on_refusal)


def unpatch() -> None:
    """Let numba's decorators make plain functions again. What is watched stays so."""
    _patch.undo()


def patch_from_the_start() -> None:
    """patch(), when the program may have decorated functions already, but called none."""
    patch()
    if _patch.on_refusal is None:
        return
    for reference in list(cpu_target.typing_context._globals):
        dispatcher = reference() if isinstance(reference, weakref.ref) else None
        if (
            isinstance(dispatcher, Dispatcher)
            and function_of(dispatcher) is None
            and not is_numbas_own(dispatcher.py_func)
        ):
            watch_dispatcher(dispatcher, None, KEEP, _patch.on_refusal)
            if dispatcher.is_compiling:
                _watch_when_compiled(dispatcher)


def _watch_when_compiled(dispatcher: Any) -> None:
    """numba is just compiling it for a signature that its decorator was given: compile that again."""

    def add_overload(result: Any) -> None:
        del dispatcher.add_overload
        dispatcher.add_overload(result)
        function = function_of(dispatcher)
        if version_of(result) is None and function is not None and function.plain is None:
            forget(dispatcher, tuple(result.signature.args))
            dispatcher.compile(result.signature)

    dispatcher.add_overload = add_overload


def _is_programs(frame: types.FrameType | None) -> bool:
    """Whether a decorator was called by the program."""
    while frame is not None and frame.f_globals is vars(decorators):
        frame = frame.f_back
    name = frame.f_globals.get("__name__") if frame is not None else None
    return not isinstance(name, str) or name.partition(".")[0] not in _NOT_THE_PROGRAM


def _noting(init: Any, why: str) -> Any:
    """The `__init__` of what stays plain numba, which notes that."""

    @functools.wraps(init)
    def noting(made: Any, *arguments: Any, **keywords: Any) -> None:
        init(made, *arguments, **keywords)
        listed.note(full_name(made), why)

    return noting
