"""What cannot be kept right, refused with the reason: by value where compiled code reads it, by name for decorators."""

import array
import enum
import logging
from typing import Any, Final

import numba.typed
import numpy as np
from numba.core.base import BaseContext
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher
from numba.core.types import ClassInstanceType, FunctionType, Omitted, Type, UndefinedFunctionType
from numba.core.typing.context import BaseContext as BaseTypingContext
from numba.experimental.jitclass.base import JitClassType
from numba.np.ufunc.dufunc import DUFunc
from numba.np.ufunc.gufunc import GUFunc
from numba.stencils.stencil import StencilFunc

from depwatch import MISSING, Unwatchable
from depwatch.integrations.numba.function import forget
from depwatch.integrations.numba.own import is_numbas
from depwatch.integrations.numba.views import is_writable
from depwatch.naming import is_immutable
from depwatch.values import brief, is_a

# What freezes the globals that it reads and is compiled in ways that depwatch cannot take back.
FROZEN_FOR_GOOD: Final[dict[type, str]] = {
    CFunc: "a C callback: its address is handed out, and whoever has it goes on calling the old code",
    DUFunc: "a ufunc (@vectorize): NumPy keeps the compiled loops, which cannot be taken out again",
    GUFunc: "a ufunc (@guvectorize): NumPy keeps the compiled loops, which cannot be taken out again",
    JitClassType: "a jitclass: its methods are compiled into the class and into whoever calls them",
    StencilFunc: "a stencil: numba compiles its kernel apart, with the globals as they are at the first call",
}
IMMUTABLE: Final = (tuple, str, bytes, int, float, complex, frozenset)
CONSTANT: Final = (Type, enum.Enum, np.dtype, np.ufunc, BaseTypingContext, BaseContext, logging.Logger)
MUTABLE: Final = (list, dict, set, bytearray, array.array, memoryview, np.void, numba.typed.List, numba.typed.Dict)


def why_for_good(value: object) -> str | None:
    """Why code that uses this object cannot be kept right, or None."""
    return next((why for kind, why in FROZEN_FOR_GOOD.items() if is_a(value, kind)), None)


def is_constant(value: object) -> bool:
    """Whether Python code that chooses an implementation may ask this object: what it tells does not change.

    What an enum's member has is taken for constant too, as everywhere here. What a logger does changes nothing.
    """
    if value is MISSING:
        return False
    if is_a(value, np.ndarray):
        return not is_writable(value)
    if is_a(value, type):
        return is_immutable(value) or is_numbas(value)  # type: ignore[arg-type]
    if issubclass(type(value), IMMUTABLE):
        return not type(value).__dictoffset__
    return is_numbas(value) or is_constant_kind(type(value))


def is_constant_kind(kind: type) -> bool:
    """Whether objects of a type that may have attributes are constant like that."""
    return issubclass(kind, CONSTANT) or (is_numbas(kind) and not issubclass(kind, (Dispatcher, *MUTABLE)))


def check_value(what: str, value: Any) -> None:
    """Raises Unwatchable if compiled code may not have this value built in."""
    if (why := why_for_good(value)) is not None:
        raise Unwatchable(f"{what} is {why}; call a function made by @njit instead")
    if is_a(value, Dispatcher):
        forgo_disk(value)
    if is_a(value, tuple):
        for item in tuple.__iter__(value):
            check_value(f"{what} has an item that", item)
    elif is_a(value, np.ndarray):
        if is_writable(value):
            raise Unwatchable(
                f"{what} is a NumPy array that can be written to: numba compiles its contents in, and nobody is told "
                "of a store into an array; pass it as an argument, or make it and what it is a view of read-only "
                "(array.setflags(write=False))"
            )
    elif is_a(value, MUTABLE):
        raise Unwatchable(
            f"{what} is {brief(value)}, which can change in place, and nobody is told; pass it as an argument, or keep "
            "it as a tuple"
        )


def check_types(dispatcher: Any, found: Any) -> None:
    """Raises Unwatchable if compiled code works with values of a type whose code cannot be taken back."""
    name = dispatcher.py_func.__qualname__
    for kind in found:
        if isinstance(kind, ClassInstanceType):
            raise Unwatchable(f"{name} uses an instance of {kind.name}, {FROZEN_FOR_GOOD[JitClassType]}")
        if isinstance(kind, FunctionType | UndefinedFunctionType):
            raise Unwatchable(
                f"{name} calls a function by its address ({kind.name}), and whoever has the address goes on calling "
                "the old code; pass functions made by @njit one by one, so that numba compiles for each"
            )


def check_defaults(dispatcher: Any, arguments: tuple[Any, ...]) -> None:
    """Raises Unwatchable if one of the arguments that were left out has a default that can change in place."""
    for name, kind in zip(dispatcher._compiler.pysig.parameters, arguments, strict=False):
        if isinstance(kind, Omitted):
            check_value(f"the default of argument {name!r} of {dispatcher.py_func.__qualname__}", kind.value)


def check_dispatcher(dispatcher: Any) -> None:
    """Raises TypeError for what is no jitted function, Unwatchable for one that cannot be watched."""
    if (why := why_for_good(dispatcher)) is not None:
        raise Unwatchable(f"{brief(dispatcher)} is {why}; use @njit")
    if not is_a(dispatcher, Dispatcher):
        raise TypeError(f"{brief(dispatcher)} is no function jitted by numba; use depwatch.integrations.numba.njit")
    name = dispatcher.py_func.__qualname__
    if dispatcher.targetoptions.get("forceobj"):
        raise Unwatchable(
            f"{name} is compiled in object mode (forceobj=True), whose lifted loops are compiled out of sight; use "
            "@njit"
        )
    if type(dispatcher).__name__ != "CPUDispatcher":
        raise Unwatchable(f"{name} is compiled by {type(dispatcher).__name__}, not for the CPU; use @njit")


def forgo_disk(dispatcher: Any) -> None:
    """Put our store in the place of numba's cache, which finds code whatever the values are that it reads.

    What was loaded already is compiled when it is needed.
    """
    from depwatch.integrations.numba.store import Store

    if not isinstance(dispatcher._cache, FunctionCache):
        return
    dispatcher._cache = Store(dispatcher)
    for arguments, result in list(dispatcher.overloads.items()):
        if is_from_disk(result.library):
            forget(dispatcher, arguments)


def is_from_disk(library: Any) -> bool:
    found: bool = library._disable_inspection  # set for what was not compiled in this process
    return found


def check_library(name: str, library: Any) -> None:
    """Raises Unwatchable for linked code that nobody knows the reads of."""
    if is_from_disk(library):
        raise Unwatchable(
            f"{library.name}, which is linked into {name}, has cache=True and was loaded from the disk: numba finds it "
            "by the source file, whatever the values were that it was compiled with, in this process or another; "
            "leave cache=True out"
        )


class _Refused:
    """A decorator of numba's that depwatch has no right version of: says so where it is used."""

    def __init__(self, name: str, kind: type) -> None:
        self.__name__ = name
        self._why = FROZEN_FOR_GOOD[kind]

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise Unwatchable(
            f"@{self.__name__} makes {self._why}; use @njit, or numba.{self.__name__} for code whose globals never "
            "change"
        )


cfunc: Final = _Refused("cfunc", CFunc)
vectorize: Final = _Refused("vectorize", DUFunc)
guvectorize: Final = _Refused("guvectorize", GUFunc)
jitclass: Final = _Refused("jitclass", JitClassType)
stencil: Final = _Refused("stencil", StencilFunc)
