"""Blocks: what `with objmode` blocks are compiled from, in code that another process may load.

numba pickles a block, with the values of all globals that it names, into the code around it. Code of ours has a name
there: the process that loads it makes the block anew, from its own function, globals and variables.
"""

import types
import uuid
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, override

from numba.core import ir
from numba.core.compiler import run_frontend
from numba.core.dispatcher import ObjModeLiftedWith
from numba.core.registry import cpu_target
from numba.core.transforms import with_lifting

from depwatch import DepwatchError
from depwatch._core import same_value
from depwatch.integrations.numba.finding import assignments
from depwatch.integrations.numba.reads import PartRead, Read, VariableRead


class Block(ObjModeLiftedWith):  # type: ignore[misc]
    """What numba makes of a block in object mode: a dispatcher that compiles it when it is run."""

    name: str  # by which code has it
    function: Any  # the Python function that it is in
    number: int  # of the contexts that numba takes out of that function

    @override
    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return block_of_name, (self.name,)

    @property
    def shape(self) -> tuple[object, ...]:
        """What must be the same wherever the code runs: where the block is, what it gets, what it gives."""
        return (self.func_ir.loc.line, self.func_ir.arg_names, str(self.output_types))


# Whoever has a version with a block has the block.
_blocks: Final[weakref.WeakValueDictionary[str, Block]] = weakref.WeakValueDictionary()


def block_of_name(name: str) -> Block:
    """What compiled code calls, once for each block that it comes to. Raises DepwatchError."""
    block = _blocks.get(name)
    if block is None:
        raise DepwatchError(f"a block in object mode, {name}, is of code that this process has not loaded from a store")
    return block


def _take(lifted: Any, function: types.FunctionType, number: int, name: str) -> Block:
    lifted.__class__ = Block
    lifted.function, lifted.number, lifted.name = function, number, name
    _blocks[name] = lifted
    return lifted  # type: ignore[no-any-return]


def take_blocks(function: types.FunctionType, lifted: Iterable[Any]) -> tuple[Block, ...]:
    """The blocks in object mode of a function that is being compiled, from all that numba has taken out of it."""
    found = [(number, each) for number, each in enumerate(lifted) if type(each) is ObjModeLiftedWith]
    return tuple(_take(each, function, number, uuid.uuid4().hex) for number, each in found)


class StoredBlock(NamedTuple):
    """A block of code that is stored."""

    name: str
    owner: tuple[Any, ...]  # the place of the function that it is in
    number: int
    shape: tuple[object, ...]
    flags: Any  # numba's, for compiling it
    locals: dict[str, Any]


def stored_block(block: Block, owner: tuple[Any, ...]) -> StoredBlock:
    return StoredBlock(block.name, owner, block.number, block.shape, block.flags, dict(block.locals))


def block_from(stored: StoredBlock, function: types.FunctionType, reads: Iterable[Read]) -> Block | None:
    """The block for code that is being loaded; None if it cannot be had here.

    reads: what the function reads, as it was compared with what is stored.
    """
    read = _as_read(function, reads)
    if (block := _blocks.get(stored.name)) is not None:
        return block if block.function is function and _has_built_in(block, read) else None
    _, lifted = with_lifting(
        run_frontend(read),
        cpu_target.typing_context,
        cpu_target.target_context,
        stored.flags,
        stored.locals,
    )
    if stored.number >= len(lifted) or type(lifted[stored.number]) is not ObjModeLiftedWith:
        return None
    block = _take(lifted[stored.number], function, stored.number, stored.name)
    return block if block.shape == stored.shape else None


def _as_read(function: types.FunctionType, reads: Iterable[Read]) -> types.FunctionType:
    """The function with the code and variables that were compared, whatever they have become meanwhile."""
    code, variables = function.__code__, _variables(function)
    for read in reads:
        if isinstance(read, PartRead) and read.function is function and read.name == "code":
            code = read.value  # type: ignore[assignment]
        elif isinstance(read, VariableRead) and read.function is function:
            variables[read.name] = read.assumed()
    closure = tuple(variables[name] for name in code.co_freevars)
    copied = types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    copied.__module__, copied.__qualname__ = function.__module__, function.__qualname__
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def _has_built_in(block: Block, function: types.FunctionType) -> bool:
    """Whether a block has the variables of a function built in."""
    variables = _variables(function)
    return all(
        same_value(value.value, variables[value.name].cell_contents)
        for *_, statement in assignments(block.func_ir)
        if isinstance(value := statement.value, ir.FreeVar) and value.name in variables
    )


def _variables(function: types.FunctionType) -> dict[str, types.CellType]:
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
