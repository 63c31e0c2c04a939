"""Finding: what a function reads that numba builds into its code, from numba's own intermediate representation."""

import dis
import functools
import types
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numba import prange
from numba.core import bytecode, errors, interpreter, ir, ir_utils
from numba.core.dispatcher import Dispatcher

from depwatch import Unwatchable
from depwatch.integrations.numba.own_name import OwnNameRead
from depwatch.integrations.numba.reads import (
    ClassRead,
    CodeRead,
    GlobalRead,
    ModuleRead,
    Read,
    VariableRead,
    builtins_of,
)
from depwatch.integrations.numba.refusals import check_value
from depwatch.values import is_a

UNKNOWN: Final = object()  # not a constant
DATA: Final = (int, float, complex, str, bytes, tuple)  # what code is given, not what it calls


def assignments(func_ir: Any) -> Iterator[tuple[Any, int, Any]]:
    """(block, index, assignment) of each assignment; the caller may replace what it was given."""
    for block in func_ir.blocks.values():
        for index, statement in enumerate(block.body):
            if isinstance(statement, ir.Assign):
                yield block, index, statement


def constant(func_ir: Any, value: Any) -> Any:
    """What a right-hand side is at compile time: a global, or an attribute of one and so on; or UNKNOWN."""
    if isinstance(value, ir.Global | ir.FreeVar):
        return value.value
    if isinstance(value, ir.Var):
        defined = ir_utils.guard(ir_utils.get_definition, func_ir, value)
        return UNKNOWN if defined is None else constant(func_ir, defined)
    if isinstance(value, ir.Expr) and value.op == "getattr":
        owner = constant(func_ir, value.value)
        if owner is not UNKNOWN and isinstance(owner, types.ModuleType | type):
            return getattr(owner, value.attr, UNKNOWN)
    return UNKNOWN


def attribute_owner(func_ir: Any, value: Any) -> Any:
    """The module or class whose attribute a right-hand side is, or None."""
    if isinstance(value, ir.Expr) and value.op == "getattr":
        owner = constant(func_ir, value.value)
        if owner is not UNKNOWN and isinstance(owner, types.ModuleType | type):
            return owner
    return None


def read_of(function: types.FunctionType, func_ir: Any, value: Any) -> Read | None:
    """What a right-hand side of this function's code reads that stays built in. Raises Unwatchable."""
    if isinstance(value, ir.Global):
        if value.name not in names_in(function.__code__):
            return None  # numba's own: `bool` around a condition, what it does about exceptions
        if value.value is ir.UNDEFINED and value.name == function.__name__:
            return OwnNameRead(function, value.value)
        check_value(f"global {value.name!r} of {function.__qualname__}", value.value)
        return GlobalRead(function, value.name, value.value)
    if isinstance(value, ir.FreeVar) and value.name in function.__code__.co_freevars:
        check_value(f"variable {value.name!r} around {function.__qualname__}", value.value)
        return VariableRead(function, value.name, _cell(function, value.name))
    owner = attribute_owner(func_ir, value)
    if owner is None:
        return None
    found = getattr(owner, value.attr, UNKNOWN)
    check_value(f"{value.attr!r} of {owner.__name__!r}", found)
    return ModuleRead(owner, value.attr, found) if is_a(owner, types.ModuleType) else _class_read(owner, value.attr)


@functools.lru_cache(maxsize=64)
def names_in(code: types.CodeType) -> frozenset[str]:
    """What a function's code, and the code that it defines, may look up."""
    inner = (names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(code.co_names).union(*inner)


def _class_read(cls: type, name: str) -> Read | None:
    try:
        return ClassRead(cls, name)
    except AttributeError:  # of the metaclass: nothing that compiled code can have built in
        return None


def _cell(function: types.FunctionType, name: str) -> types.CellType:
    assert function.__closure__ is not None
    return function.__closure__[function.__code__.co_freevars.index(name)]


def _interpret(function: types.FunctionType) -> Any:
    """The function's code as numba first sees it, or None where numba will say itself what is wrong with it."""
    identity = bytecode.FunctionIdentity.from_function(function)
    try:
        return interpreter.Interpreter(identity).interpret(bytecode.ByteCode(identity))
    except errors.NumbaError:
        return None


def written_in(function: types.FunctionType, seen: set[types.FunctionType] | None = None) -> Iterator[Read]:
    """What code that is copied into its callers reads (inline="always"), and what that copies in turn."""
    seen = set() if seen is None else seen
    if function in seen:
        return
    seen.add(function)
    yield CodeRead(function)
    func_ir = _interpret(function)
    if func_ir is None:
        return
    for _, _, statement in assignments(func_ir):
        if (read := read_of(function, func_ir, statement.value)) is not None:
            yield read
            value: Any = read.value
            if is_inlined(value):
                yield from written_in(value.py_func, seen)


def is_inlined(value: Any) -> bool:
    """Whether numba copies this function into its callers, before it compiles them."""
    return isinstance(value, Dispatcher) and value.targetoptions.get("inline", "never") != "never"


# Calls that numba has native code for which gives no other Python code a chance to run.
QUIET_BUILTINS: Final = frozenset(
    (abs, bool, complex, divmod, enumerate, float, int, len, max, min, pow, range, reversed, round, zip, prange)
)
QUIET_MODULES: Final = ("math", "cmath", "numpy")


def is_quiet(function: types.FunctionType, func_ir: Any, flags: Any) -> bool:
    """Whether no other code can run from where this begins to where it ends: then no global changes meanwhile.

    It holds the GIL, is left only by returning, and calls only what cannot run Python. In doubt: no.
    """
    return not flags.release_gil and _is_quiet(function, func_ir, {function})


def _is_quiet(function: types.FunctionType, func_ir: Any, seen: set[types.FunctionType]) -> bool:
    if func_ir is None or func_ir.is_generator:
        return False
    for block in func_ir.blocks.values():
        if any(isinstance(statement, ir.EnterWith | ir.PopBlock) for statement in block.body):
            return False
        for call in block.find_exprs("call"):
            if not _is_quiet_call(constant(func_ir, call.func), seen):
                return False
        if any(block.find_exprs("make_function")):
            return False
    return True


def _is_quiet_call(called: Any, seen: set[types.FunctionType]) -> bool:
    if isinstance(called, Dispatcher):
        function = called.py_func
        if called.targetoptions.get("nogil"):
            return False
        if function in seen:
            return True
        seen.add(function)
        return _is_quiet(function, _interpret(function), seen)
    if isinstance(called, np.ufunc):
        return True
    try:
        if called in QUIET_BUILTINS:
            return True
    except TypeError:  # not hashable
        return False
    kinds = types.BuiltinFunctionType | types.FunctionType | type
    known = isinstance(called, kinds) or type(called).__name__ == "_ArrayFunctionDispatcher"  # NumPy's own functions
    return known and (getattr(called, "__module__", None) or "").partition(".")[0] in QUIET_MODULES


def loads_of(function: types.FunctionType, compiled: set[types.CodeType]) -> Iterator[Read]:
    """What plain Python that runs while numba compiles (the body of an @overload) loads from outside itself.

    compiled: the code of what it returned, which is looked at where it is compiled.
    """
    yield CodeRead(function)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield VariableRead(function, name, cell)
    for name in _global_names(function.__code__, compiled):
        for namespace in (function.__globals__, builtins_of(function)):
            if name in namespace:
                yield GlobalRead(function, name, namespace[name])
                break


def _global_names(code: types.CodeType, compiled: set[types.CodeType]) -> set[str]:
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType) and inner not in compiled:
            names |= _global_names(inner, compiled)
    return names


def check_written(function: types.FunctionType, granular: bool, is_cell: Any) -> None:
    """Raises Unwatchable for what can be seen before anything is compiled; a name that is not there yet may come."""
    func_ir = _interpret(function)
    if func_ir is None or any(isinstance(s, ir.EnterWith) for b in func_ir.blocks.values() for s in b.body):
        return  # what is inside `with objmode` is Python, and not told from the rest here
    for _, _, statement in assignments(func_ir):
        if isinstance(statement.value, ir.Global) and statement.value.value is ir.UNDEFINED:
            continue
        read = read_of(function, func_ir, statement.value)
        if granular and read is not None and not isinstance(read, VariableRead) and not is_cell(read.value):
            check_granular(read)


def check_granular(read: Read) -> None:
    """Raises Unwatchable for data that has no cell. What code calls is built in whatever the policy."""
    if isinstance(read, CodeRead | ClassRead) or not isinstance(read.value, DATA):
        return
    raise Unwatchable(
        f'{read} is of type {type(read.value).__name__}, for which there is no cell, and policy="granular" has nothing '
        "else; keep it as an int that fits 64 bits, a float or a bool, or leave the policy out"
    )
