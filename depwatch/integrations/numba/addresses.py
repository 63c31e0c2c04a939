"""Addresses: native functions that a library gives numba by their address, such as those of scipy.special."""

from collections.abc import Iterator
from typing import Any

from numba.core import ir_utils
from numba.core.types import CompileResultWAP, FunctionType, WrapperAddressProtocol

from depwatch.integrations.numba import finding


def types_of_values(state: Any) -> Iterator[Any]:
    """The type of each variable of the code, but not of those that hold what never goes stale: a native function.

    numba asks an object for its address when it compiles, and whether the name still means that object is watched.
    """
    for name, kind in state.typemap.items():
        if not (isinstance(kind, FunctionType) and _is_native(_value_of(state.func_ir, name))):
            yield kind


def _value_of(func_ir: Any, name: str) -> Any:
    defined = ir_utils.guard(ir_utils.get_definition, func_ir, name)
    return finding.UNKNOWN if defined is None else finding.constant(func_ir, defined)


def _is_native(value: Any) -> bool:
    """Whether this is no code of numba's, which has the values of globals in it."""
    return isinstance(value, WrapperAddressProtocol) and not isinstance(value, CompileResultWAP)
