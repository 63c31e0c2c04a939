"""Finding: what a function reads that numba builds into its code, from numba's own intermediate representation."""

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numba import prange
from numba.core import bytecode, errors, interpreter, ir, ir_utils
from numba.core.dispatcher import Dispatcher, LiftedCode

from depwatch import MISSING, Unwatchable
from depwatch.integrations.numba.own import is_numbas
from depwatch.integrations.numba.own_name import OwnNameRead
from depwatch.integrations.numba.reads import ClassRead, GlobalRead, ModuleRead, PartRead, Read, VariableRead
from depwatch.integrations.numba.refusals import check_value
from depwatch.values import along_mro, brief, dict_of_module, is_a

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
        if owner is not UNKNOWN and is_a(owner, (types.ModuleType, type)):
            return getattr(owner, value.attr, UNKNOWN)
    return UNKNOWN


def attribute_owner(func_ir: Any, value: Any) -> Any:
    """The module or class whose attribute a right-hand side is, or None."""
    if isinstance(value, ir.Expr) and value.op == "getattr":
        owner = constant(func_ir, value.value)
        if owner is not UNKNOWN and is_a(owner, (types.ModuleType, type)):
            return owner
    return None


def read_of(
    function: types.FunctionType, func_ir: Any, value: Any, check: Callable[[str, Any], None] = check_value
) -> Read | None:
    """What a right-hand side of this function's code reads that stays built in. Raises Unwatchable."""
    if isinstance(value, ir.Global):
        if value.name not in names_in(function.__code__):
            return None  # numba's own: `bool` around a condition, what it does about exceptions
        if value.value is ir.UNDEFINED and value.name == function.__name__:
            return OwnNameRead(function, value.value)
        found = MISSING if value.value is ir.UNDEFINED else value.value  # it may be missing where nothing goes by
        check(f"global {value.name!r} of {function.__qualname__}", found)
        return GlobalRead(function, value.name, found)
    if isinstance(value, ir.FreeVar) and value.name in function.__code__.co_freevars:
        check(f"variable {value.name!r} around {function.__qualname__}", value.value)
        return VariableRead(function, value.name, _cell(function, value.name))
    owner = attribute_owner(func_ir, value)
    if owner is None or is_numbas(owner):
        return None
    found = getattr(owner, value.attr, MISSING)
    check(f"{value.attr!r} of {owner.__name__!r}", found)
    if is_a(owner, types.ModuleType):
        return ModuleRead(owner, value.attr, found)
    in_class = along_mro(owner, value.attr)  # else of the metaclass: nothing that compiled code can have built in
    return ClassRead(owner, value.attr, in_class[0]) if in_class else None


@functools.lru_cache(maxsize=64)
def names_in(code: types.CodeType) -> frozenset[str]:
    """What a function's code, and the code that it defines, may look up."""
    inner = (names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(code.co_names).union(*inner)


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


def fold_getattr(function: types.FunctionType, func_ir: Any) -> Iterator[Read]:
    """Make getattr(module, "name") what `module.name` is, and hasattr(module, "name") True or False.

    numba would do so with code that it keeps for whoever asks the same, whatever the module has by then. Returns what
    is read by that and is not in the code any more. Raises Unwatchable.
    """
    reads = []
    for _, _, statement in assignments(func_ir):
        called = statement.value
        if not isinstance(called, ir.Expr) or called.op != "call" or called.kws or called.vararg is not None:
            continue
        builtin = constant(func_ir, called.func)
        if (builtin is not getattr and builtin is not hasattr) or len(called.args) not in (2, 3):
            continue
        module, name = constant(func_ir, called.args[0]), _text(func_ir, called.args[1])
        if not is_a(module, types.ModuleType) or name is None or is_numbas(module):
            continue
        value = getattr(module, name, MISSING)
        if value is not MISSING and name not in dict_of_module(module):
            raise Unwatchable(
                f"{name!r} of {brief(module)}, which {function.__qualname__} asks for, comes from the module's "
                "__getattr__, which may give another value each time; give the module the attribute itself"
            )
        if builtin is hasattr or value is MISSING:
            reads += _presence(module, name, value)
        if builtin is hasattr:
            statement.value = ir.Const(value is not MISSING, statement.loc)
        elif value is not MISSING:
            statement.value = ir.Expr.getattr(called.args[0], name, statement.loc)
        elif len(called.args) == 3:
            statement.value = called.args[2]
        else:
            continue
        func_ir._definitions[statement.target.name] = [statement.value]
    yield from reads


def _text(func_ir: Any, variable: Any) -> str | None:
    defined = ir_utils.guard(ir_utils.get_definition, func_ir, variable)
    value = defined.value if isinstance(defined, ir.Const) else constant(func_ir, variable)
    return value if type(value) is str else None


def _presence(module: types.ModuleType, name: str, value: object) -> list[Read]:
    if value is MISSING and (fallback := dict_of_module(module).get("__getattr__")) is not None:
        raise Unwatchable(
            f"{name!r} of {brief(module)} is missing now, and {brief(fallback)}, the module's __getattr__, may give it "
            "another time; give the module the attribute itself"
        )
    missing = [ModuleRead(module, "__getattr__", MISSING)] if value is MISSING else []
    return [ModuleRead(module, name, value), *missing]


def in_object_mode(function: types.FunctionType, func_ir: Any) -> Iterator[Read]:
    """Variables of enclosing functions that `with objmode` blocks read. The rest of such a block is ordinary Python."""
    for _, _, statement in assignments(func_ir):
        if isinstance(statement.value, ir.Const) and isinstance(statement.value.value, LiftedCode):
            inside = statement.value.value.func_ir
            for _, _, line in assignments(inside):
                if isinstance(line.value, ir.FreeVar) and line.value.name in function.__code__.co_freevars:
                    yield VariableRead(function, line.value.name, _cell(function, line.value.name))
            yield from in_object_mode(function, inside)


def types_of_object_mode(function: types.FunctionType, func_ir: Any) -> Iterator[Read]:
    """What the types in `with objmode(x=...)` are read from. numba takes them out of the code."""
    for block in func_ir.blocks.values():
        for statement in block.body:
            if isinstance(statement, ir.EnterWith):
                call = ir_utils.guard(ir_utils.get_definition, func_ir, statement.contextmanager)
                if isinstance(call, ir.Expr) and call.op == "call":
                    for _, variable in call.kws:
                        yield from _along(function, func_ir, variable)


def _along(function: types.FunctionType, func_ir: Any, variable: Any) -> Iterator[Read]:
    """The reads of a global, and of an attribute of one and so on."""
    value = ir_utils.guard(ir_utils.get_definition, func_ir, variable)
    if value is not None and (read := read_of(function, func_ir, value)) is not None:
        yield read
    if isinstance(value, ir.Expr) and value.op == "getattr":
        yield from _along(function, func_ir, value.value)


# Calls that numba has native code for which gives no other Python code a chance to run.
_BUILTINS: Final = (abs, bool, complex, divmod, enumerate, float, int, len, max, min, pow, range, reversed, round, zip)
QUIET_BUILTINS: Final = frozenset(map(id, (*_BUILTINS, prange)))
QUIET_KINDS: Final = (types.BuiltinFunctionType, types.FunctionType, type(np.sum))  # the last: NumPy's own functions
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
    if is_a(called, Dispatcher):
        function = called.py_func
        if called.targetoptions.get("nogil"):
            return False
        if function in seen:
            return True
        seen.add(function)
        return _is_quiet(function, _interpret(function), seen)
    if id(called) in QUIET_BUILTINS or is_a(called, np.ufunc):
        return True
    if is_a(called, type):
        module = type.__getattribute__(called, "__module__")
    elif is_a(called, QUIET_KINDS):
        module = called.__module__
    else:
        return False
    return type(module) is str and module.partition(".")[0] in QUIET_MODULES


def check_written(
    function: types.FunctionType, granular: bool, is_cell: Any, check: Callable[[str, Any], None]
) -> None:
    """Raises Unwatchable for what can be seen before anything is compiled; a name that is not there yet may come."""
    func_ir = _interpret(function)
    if func_ir is None or any(isinstance(s, ir.EnterWith) for b in func_ir.blocks.values() for s in b.body):
        return  # what is inside `with objmode` is Python, and not told from the rest here
    for _, _, statement in assignments(func_ir):
        if isinstance(statement.value, ir.Global) and statement.value.value is ir.UNDEFINED:
            continue
        read = read_of(function, func_ir, statement.value, check)
        if granular and read is not None and not isinstance(read, VariableRead) and not is_cell(read.value):
            check_granular(read)


def check_granular(read: Read) -> None:
    """Raises Unwatchable for data that has no cell. What code calls is built in whatever the policy."""
    if isinstance(read, PartRead | ClassRead) or not is_a(read.value, DATA):
        return
    raise Unwatchable(
        f'{read} is of type {type(read.value).__name__}, for which there is no cell, and policy="granular" has nothing '
        "else; keep it as an int that fits 64 bits, a float or a bool, or leave the policy out"
    )
