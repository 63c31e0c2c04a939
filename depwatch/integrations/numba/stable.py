"""Stable forms: what a value is that code has built in, said so that another process can compare it with its own."""

import enum
import functools
import hashlib
import struct
import sys
import types
from typing import Any, Final

import numpy as np
from numba.core import ir, withcontexts
from numba.core.dispatcher import Dispatcher
from numba.core.types import Dispatcher as DispatcherType
from numba.core.types import Type
from numba.core.withcontexts import WithContext

from depwatch import MISSING
from depwatch.integrations.numba.own import is_built_on, is_numbas
from depwatch.integrations.numba.reads import EMPTY
from depwatch.integrations.numba.views import is_writable
from depwatch.values import brief, is_a

type Form = tuple[Any, ...]  # of plain data and numba's types, its first item says of which kind: 1 is not True
EXACT: Final = (int, bool, str, bytes, type(None), type(Ellipsis))
SINGLE: Final = {id(MISSING): ("missing",), id(EMPTY): ("empty",), id(ir.UNDEFINED): ("undefined",)}


class NoStableForm(Exception):
    """Something that code rests on cannot be told to another process. The text says what."""


def form_of(value: Any) -> Form:
    """The stable form. Raises NoStableForm."""
    kind = type(value)
    if (single := SINGLE.get(id(value))) is not None:
        return single
    if kind in EXACT:
        return (kind.__name__, value)
    if kind is float:
        return ("float", struct.pack("d", value))
    if kind is complex:
        return ("complex", struct.pack("dd", value.real, value.imag))
    if kind is tuple:
        return ("tuple", *map(form_of, value))
    if issubclass(kind, enum.Enum):
        return ("member", _named(kind), value.name, form_of(value.value))
    if issubclass(kind, tuple) and is_named_tuple(kind):
        return ("named tuple", form_of(kind), *map(form_of, value))
    if kind is np.ndarray:
        return _of_array(value)
    if issubclass(kind, np.generic) and kind is not np.void:
        return ("scalar", value.dtype.str, value.tobytes())
    if issubclass(kind, np.dtype):
        return ("dtype", str(value.descr), value.str, value.alignment)
    if issubclass(kind, types.ModuleType):
        return ("module", value.__name__)
    if issubclass(kind, Dispatcher) and not is_numbas(value.py_func):
        return _of_dispatcher(value)
    if kind is types.FunctionType and not is_given(value):
        return ("function", value.__qualname__, digest_of_code(value.__code__))
    if issubclass(kind, type):
        return _of_class(value)
    if issubclass(kind, Type) and not isinstance(value, DispatcherType):
        return ("type", value)
    return _named(value)


def is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and type(getattr(cls, "_fields", None)) is tuple


def _of_class(cls: type) -> Form:
    if issubclass(cls, enum.Enum) and not is_numbas(cls):
        return ("enum", _named(cls), *((name, form_of(member.value)) for name, member in cls.__members__.items()))
    if is_named_tuple(cls):
        return ("tuple class", _named(cls), cls._fields, form_of(tuple(cls._field_defaults.items())))  # type: ignore[attr-defined]
    if issubclass(cls, BaseException):
        return _named(cls)
    if not is_given(cls):
        raise NoStableForm(f"{brief(cls)} is a class of the program's, and nobody knows what numba has made of it")
    return _named(cls)


def _of_array(array: Any) -> Form:
    if array.dtype.hasobject or is_writable(array):
        raise NoStableForm(f"{brief(array)} can be written to, or is of objects")
    layout = (array.flags.c_contiguous, array.flags.f_contiguous, array.flags.aligned)
    contents = hashlib.blake2b(array.tobytes()).digest()
    return ("array", form_of(array.dtype), array.shape, *layout, contents)


def _of_dispatcher(dispatcher: Any) -> Form:
    """What a jitted function is beside what it reads, each of which is a read of its own."""
    function = dispatcher.py_func
    return ("jitted", function.__qualname__, digest_of_code(function.__code__), options_of(dispatcher))


def options_of(dispatcher: Any) -> Form:
    """How numba is to compile a function. Raises NoStableForm for an option that is a function."""
    options = sorted(dispatcher.targetoptions.items())
    local = sorted((name, str(kind)) for name, kind in dispatcher.locals.items())
    return (*((name, _option(name, value)) for name, value in options), ("locals", *local))


def _option(name: str, value: Any) -> str:
    if callable(value):
        raise NoStableForm(f"its option {name} is a function, and nobody knows what that goes by")
    return repr(sorted(value) if isinstance(value, set | frozenset) else value)


def is_given(value: Any) -> bool:
    """Whether a function or class is of numba, of what numba is built on, or of Python."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return module is not None and (is_numbas(module) or is_built_on(module))


_NAMING: Final = ("numpy", "numpy.random")  # modules that have functions which do not know of it: ufuncs, methods


def _named(value: Any) -> Form:
    """Of what numba, NumPy, Python or a module of the program has by a name, for good."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    short = getattr(value, "__name__", None)
    if is_a(value, type) or is_given(value):
        module = value.__module__
        if _at(module, name) is value:
            return ("named", module, name)
    for module in _NAMING:
        if _at(module, short) is value:
            return ("named", module, short)
    if issubclass(type(value), WithContext) and is_numbas(type(value)):
        for short, known in vars(withcontexts).items():
            if known is value:
                return ("named", withcontexts.__name__, short)
    raise NoStableForm(f"{brief(value)} has no name by which another process finds the same")


def _at(module: Any, name: Any) -> Any:
    """What a module has by a name with dots in it, or None."""
    found: Any = sys.modules.get(module) if type(module) is str else None
    for part in name.split(".") if type(name) is str else ("",):
        found = getattr(found, part, None)
    return found


def digest_of_code(code: types.CodeType) -> bytes:
    """What code does, says of itself in messages, and where it is written."""
    return _digest(code, code.co_filename, code.co_qualname)


@functools.lru_cache(maxsize=1024)
def _digest(code: types.CodeType, *_: str) -> bytes:
    """CPython takes code for equal whatever file it is from."""
    hashed = hashlib.blake2b(digest_size=32)
    for part in _parts(code):
        text = part if type(part) is bytes else repr(part).encode("utf-8", "surrogatepass")
        hashed.update(len(text).to_bytes(8) + text)
    return hashed.digest()


def _parts(code: types.CodeType) -> list[object]:
    return [
        code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags,
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable,
        code.co_qualname, code.co_filename, code.co_firstlineno, code.co_linetable,
        *(_constant(constant) for constant in code.co_consts),
    ]  # fmt: skip


def _constant(value: Any) -> object:
    if type(value) is types.CodeType:
        return digest_of_code(value)
    if type(value) is tuple:
        return ("tuple", *map(_constant, value))
    if type(value) is frozenset:
        return ("frozenset", *sorted(map(repr, value)))
    if type(value) is slice:
        return ("slice", _constant(value.start), _constant(value.stop), _constant(value.step))
    return form_of(value)
