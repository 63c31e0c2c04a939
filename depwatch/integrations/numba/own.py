"""Own: what is part of numba, and taken for constant; and what Python code is looked into."""

import sys
import types
from typing import Any, Final

from depwatch.discovery.following import package_of, package_of_code
from depwatch.values import dict_of_module, is_a

_NUMBAS: Final = ("numba", "llvmlite")
_OURS: Final = __name__.rpartition(".")[0]
_BUILT_ON: Final = frozenset((*_NUMBAS, "numpy", *sys.stdlib_module_names))  # what choosers use, and does not change


def _is_in_numba(name: object) -> bool:
    return type(name) is str and (name.partition(".")[0] in _NUMBAS or name.startswith(_OURS))


def is_numbas_own(function: types.FunctionType) -> bool:
    """Whether this is part of numba, by the module that it was written in: functools.wraps() copies __module__."""
    return _is_in_numba(function.__globals__.get("__name__"))


def is_numbas(owner: Any) -> bool:
    """Whether a module, class or function is part of numba."""
    if is_a(owner, types.FunctionType):
        return is_numbas_own(owner)
    if is_a(owner, types.ModuleType):
        return _is_in_numba(dict_of_module(owner).get("__name__"))
    return is_a(owner, type) and _is_in_numba(type.__getattribute__(owner, "__module__"))


def is_built_on(module: types.ModuleType) -> bool:
    """Whether a module is of what numba itself is built on, and reads."""
    name = dict_of_module(module).get("__name__")
    return type(name) is str and name.partition(".")[0] in _BUILT_ON


def is_followed(function: types.FunctionType) -> bool:
    """Whether discover() looks into a function that is called where Python code chooses an implementation."""
    return not is_numbas_own(function) and package_of(function) not in _BUILT_ON


def is_of_program(code: types.CodeType) -> bool:
    """Whether code is neither of the standard library nor of an installed package."""
    return package_of_code(code) is None
