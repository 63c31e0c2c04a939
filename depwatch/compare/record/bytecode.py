"""What a code object looks up by name: the dependencies that an optimizer of it would have.

Pure: it reads instructions (dis shows the plain, unspecialised ones) and resolves nothing.
"""

import dis
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Final

from .sites import Site

CO_OPTIMIZED: Final = 1  # inspect has it, and much else
_GLOBAL_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_LOCAL_NAME_STORES = frozenset({"STORE_NAME", "DELETE_NAME"})
_FAST_STORES = frozenset({"STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF"})
_CALLS = frozenset({"CALL", "CALL_KW", "CALL_FUNCTION_EX"})
_NO_OPERATION = frozenset({"EXTENDED_ARG", "CACHE", "NOP", "NOT_TAKEN"})


@dataclass(frozen=True, slots=True)
class Use:
    """One look-up by name: `first.second.third`, from a global or from the first argument."""

    names: tuple[str, ...]
    lines: tuple[int | None, ...]  # the line of each name; None: CPython gives none, and no LINE event
    called: bool  # the last name is loaded to be called
    of_first_argument: bool  # the look-up starts at the first argument, whose own name is left out


def uses(code: CodeType) -> tuple[Use, ...]:
    """Return the look-ups of code in bytecode order, each once per line."""
    return read(code)[0]


def read(code: CodeType) -> tuple[tuple[Use, ...], tuple[Site, ...], int]:
    """The look-ups of code in bytecode order, each once per line; where attributes are used; and how many instructions
    call something.

    Cost: about 2 microseconds an instruction.
    """
    instructions = [i for i in dis.get_instructions(code) if i.opname not in _NO_OPERATION]
    seen: dict[Use, None] = {}
    for use in _read(code, instructions):
        seen.setdefault(use)
    sites = [
        (i.offset, i.argval, _line(i), i.opname == "LOAD_ATTR" and _is_called(instructions, at))
        for at, i in enumerate(instructions)
        if i.opname in ("LOAD_ATTR", "STORE_ATTR")
    ]
    return tuple(seen), tuple(sites), sum(i.opname in _CALLS for i in instructions)


def _is_called(instructions: list[dis.Instruction], at: int) -> bool:
    """Whether the attribute is loaded to be called: in the method form, or with a NULL after it."""
    return bool((instructions[at].arg or 0) & 1) or (
        at + 1 < len(instructions) and instructions[at + 1].opname == "PUSH_NULL"
    )


def _read(code: CodeType, instructions: list[dis.Instruction]) -> Iterator[Use]:
    stored = {i.argval for i in instructions if i.opname in _LOCAL_NAME_STORES}
    first = _first_argument(code, instructions)
    for at, load in enumerate(instructions):
        if load.opname in _GLOBAL_LOADS:
            if load.argval not in stored:  # a name that the class body or the exec'd text itself sets is not a global
                yield _chain(instructions, at, [load.argval], [_line(load)], _pushes_null(instructions, at))
        elif first is not None and _loads_last(load) == first:
            use = _chain(instructions, at, [], [], False)
            if use.names:
                yield use


def _chain(
    instructions: list[dis.Instruction], at: int, names: list[str], lines: list[int | None], null_before: bool
) -> Use:
    """Follow the attribute loads after instructions[at], up to a jump target: another value may arrive there."""
    of_first_argument = not names
    called = null_before
    for load in instructions[at + 1 :]:
        if load.opname == "LOAD_ATTR" and not load.is_jump_target:
            names.append(load.argval)
            lines.append(_line(load))
            if (load.arg or 0) & 1:  # the method form: a call follows
                called = True
                break
        else:
            called = called or load.opname == "PUSH_NULL"
            break
    return Use(tuple(names), tuple(lines), called, of_first_argument)


def _pushes_null(instructions: list[dis.Instruction], at: int) -> bool:
    """A NULL beside a callable announces a call: in LOAD_GLOBAL's low bit, or on its own (on 3.12 before it)."""
    load = instructions[at]
    if load.opname == "LOAD_GLOBAL" and (load.arg or 0) & 1:
        return True
    return sys.version_info < (3, 13) and at > 0 and instructions[at - 1].opname == "PUSH_NULL"


def _first_argument(code: CodeType, instructions: list[dis.Instruction]) -> str | None:
    """The name of the first positional argument, unless the code rebinds it: then its type says nothing."""
    if not code.co_argcount or not code.co_flags & CO_OPTIMIZED:
        return None
    name = code.co_varnames[0]
    for instruction in instructions:
        if instruction.opname in _FAST_STORES and instruction.argval == name:
            return None
        if instruction.opname.startswith("STORE_FAST_") and name in _stored_by(instruction):
            return None
    return name


def _stored_by(instruction: dis.Instruction) -> tuple[str, ...]:
    """STORE_FAST_STORE_FAST stores both of its names, STORE_FAST_LOAD_FAST and the like the first."""
    names: tuple[str, ...] = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    return names if instruction.opname == "STORE_FAST_STORE_FAST" else names[:1]


def _loads_last(instruction: dis.Instruction) -> str | None:
    """The local that the instruction leaves on top of the stack."""
    name = instruction.opname
    if name == "LOAD_DEREF" or (name.startswith("LOAD_FAST") and name != "LOAD_FAST_AND_CLEAR"):
        value = instruction.argval
    elif name.startswith("STORE_FAST_LOAD_FAST"):
        value = instruction.argval
    else:
        return None
    if isinstance(value, tuple):
        value = value[-1]
    return value if isinstance(value, str) else None


def _line(instruction: dis.Instruction) -> int | None:
    return instruction.positions.lineno if instruction.positions is not None else None
