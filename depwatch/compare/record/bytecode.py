"""What a code object looks up by name: the dependencies that an optimizer of it would have.

Pure: it reads the plain, unspecialised instructions and resolves nothing. It does without dis, which takes longer to
import than the recorder to start.
"""

import opcode
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Final, NamedTuple

from . import _tap
from .sites import CACHES, Site

CO_OPTIMIZED: Final = 1  # inspect has it, and much else
_LONGEST_CALL: Final = 100  # instructions from the load of a callee to the call

type _Instruction = tuple[int, int, int, int | None, bool]  # offset, opcode, argument, line, whether a jump leads there


def _numbers(*names: str) -> frozenset[int]:
    """Of those instructions that this CPython has."""
    return frozenset(number for name in names if (number := opcode.opmap.get(name)) is not None)


_LOAD_GLOBAL, _LOAD_ATTR, _STORE_ATTR = (opcode.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_ATTR", "STORE_ATTR"))
_LOAD_SUPER_ATTR, _PUSH_NULL = opcode.opmap["LOAD_SUPER_ATTR"], opcode.opmap["PUSH_NULL"]
_BY_NAME: Final = frozenset({_LOAD_ATTR, _LOAD_GLOBAL, _LOAD_SUPER_ATTR})
_CALL_KW: Final = opcode.opmap.get("CALL_KW", -1)
_LOCAL_NAME_LOADS: Final = _numbers("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_LOCAL_NAME_STORES: Final = _numbers("STORE_NAME", "DELETE_NAME")
_FAST_STORES: Final = _numbers("STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF")
_STORE_TWO: Final = _numbers("STORE_FAST_STORE_FAST")
_STORE_AND_LOAD: Final = _numbers("STORE_FAST_LOAD_FAST")
_LOADS: Final = _numbers("LOAD_DEREF", "LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK")
_LOAD_TWO: Final = _STORE_AND_LOAD | _numbers("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW")
_COPY: Final = opcode.opmap["COPY"]
_CALLS: Final = _numbers("CALL", "CALL_KW")
_ALL_CALLS: Final = _CALLS | _numbers("CALL_FUNCTION_EX")
_JUMPS: Final = frozenset({*opcode.hasjrel, *opcode.hasjabs})
_NO_OPERATION: Final = _numbers("EXTENDED_ARG", "CACHE", "NOP", "NOT_TAKEN")


def _kinds() -> bytes:
    """Of each instruction: 1: left out, 2: jumps on, 3: jumps back, 4: the high part of the next one's argument."""
    kinds = bytearray(256)
    for number in _JUMPS:
        if number < 256:
            kinds[number] = 3 if "JUMP_BACKWARD" in opcode.opname[number] else 2
    for number in _NO_OPERATION:
        kinds[number] = 1
    kinds[opcode.EXTENDED_ARG] = 4
    return bytes(kinds)


_KINDS: Final = _kinds()


class Use(NamedTuple):
    """One look-up by name: `first.second.third`, from a global or from the first argument, or from `super()`."""

    names: tuple[str, ...]
    lines: tuple[int | None, ...]  # the line of each name; None: CPython gives none, and no LINE event
    called: bool  # the last name is loaded to be called
    of_first_argument: bool  # the look-up starts at the first argument, whose own name is left out
    of_super: bool  # and of that, past the class of the method


type Uses = dict[Use, list[tuple[int, ...]]]  # with the offset of each name, wherever the look-up is


class Read(NamedTuple):
    """What there is in a code object."""

    uses: Uses  # in the order of the bytecode, each once per line
    sites: tuple[Site, ...]  # where attributes are used and calls are made
    calls: int  # instructions that call something


def uses(code: CodeType) -> tuple[Use, ...]:
    """Return the look-ups of code in bytecode order, each once per line."""
    return tuple(read(code).uses)


def read(code: CodeType) -> Read:
    """What code looks up. Cost: about half a microsecond an instruction."""
    instructions = _tap.decode(code, bytes(CACHES), _KINDS)
    found: Uses = {}
    for use, offsets in _read(code, instructions):
        found.setdefault(use, []).append(offsets)
    callees: dict[int, int] = {}
    sites: list[Site] = []
    calls = 0
    for at, (offset, op, arg, line, _) in enumerate(instructions):
        if op in _BY_NAME:
            called = _is_called(instructions, at)
            if called and (call := _call_of(instructions, at)) is not None:
                callees[call] = offset
            if op == _LOAD_ATTR:
                sites.append(Site(offset, code.co_names[arg >> 1], line, called, None))
        elif op == _STORE_ATTR:
            sites.append(Site(offset, code.co_names[arg], line, False, None))
        elif op in _ALL_CALLS:
            calls += 1
            if op in _CALLS:
                sites.append(Site(offset, None, line, False, callees.get(offset)))
    return Read(found, tuple(sites), calls)


def _call_of(instructions: list[_Instruction], at: int) -> int | None:
    """The offset of the call of what instructions[at] loads, where no jump lies between."""
    depth = 0
    for after in range(at + 1, min(at + _LONGEST_CALL, len(instructions))):
        offset, op, arg, _, is_target = instructions[after]
        if is_target or op in _JUMPS:
            return None
        if op in _CALLS and depth == arg + (op == _CALL_KW):
            return offset
        if depth or op != _PUSH_NULL:
            depth += opcode.stack_effect(op, arg if op >= opcode.HAVE_ARGUMENT else None)
    return None


def _is_called(instructions: list[_Instruction], at: int) -> bool:
    """Whether what is loaded by name is loaded to be called: in the method form, or with a NULL beside it."""
    if instructions[at][2] & 1:
        return True
    if at + 1 < len(instructions) and instructions[at + 1][1] == _PUSH_NULL:
        return True
    return sys.version_info < (3, 13) and at > 0 and instructions[at - 1][1] == _PUSH_NULL


def _read(code: CodeType, instructions: list[_Instruction]) -> Iterator[tuple[Use, tuple[int, ...]]]:
    names = code.co_names
    stored = {names[arg] for _, op, arg, _, _ in instructions if op in _LOCAL_NAME_STORES}
    has_first = _has_first_argument(code, instructions)
    for at, (offset, op, arg, line, _) in enumerate(instructions):
        if op == _LOAD_GLOBAL or op in _LOCAL_NAME_LOADS:
            name = names[arg >> 1] if op == _LOAD_GLOBAL else names[arg]
            if name not in stored:  # a name that the class body or the exec'd text itself sets is not a global
                yield _chain(code, instructions, at, [name], [line], [offset], _pushes_null(instructions, at))
        elif has_first and _loads_last(op, arg) == 0:
            found = _chain(code, instructions, at, [], [], [], False)
            if found[0].names:
                yield found
        elif has_first and op == _LOAD_SUPER_ATTR and at and _loads_last(*instructions[at - 1][1:3]) == 0:
            yield Use((names[arg >> 2],), (line,), bool(arg & 1), True, True), (offset,)


def _chain(
    code: CodeType,
    instructions: list[_Instruction],
    at: int,
    names: list[str],
    lines: list[int | None],
    offsets: list[int],
    null_before: bool,
) -> tuple[Use, tuple[int, ...]]:
    """Follow the attribute loads after instructions[at], up to a jump target: another value may arrive there."""
    of_first_argument = not names
    called = null_before
    for after in range(at + 1, len(instructions)):
        offset, op, arg, line, is_target = instructions[after]
        if op == _LOAD_ATTR and not is_target:
            names.append(code.co_names[arg >> 1])
            lines.append(line)
            offsets.append(offset)
            if arg & 1:  # the method form: a call follows
                called = True
                break
        elif op != _COPY or arg != 1 or is_target:  # else what is there is used twice, as in `Shape.sides += 1`
            called = called or op == _PUSH_NULL
            break
    return Use(tuple(names), tuple(lines), called, of_first_argument, False), tuple(offsets)


def _pushes_null(instructions: list[_Instruction], at: int) -> bool:
    """A NULL beside a callable announces a call: in LOAD_GLOBAL's low bit, or on its own (on 3.12 before it)."""
    _, op, arg, _, _ = instructions[at]
    if op == _LOAD_GLOBAL and arg & 1:
        return True
    return sys.version_info < (3, 13) and at > 0 and instructions[at - 1][1] == _PUSH_NULL


def _has_first_argument(code: CodeType, instructions: list[_Instruction]) -> bool:
    """Whether there is a first positional argument that the code does not rebind: then its type says something."""
    if not code.co_argcount or not code.co_flags & CO_OPTIMIZED:
        return False
    for _, op, arg, _, _ in instructions:
        if op in _FAST_STORES and arg == 0:
            return False
        if op in _STORE_TWO and 0 in (arg >> 4, arg & 15):
            return False
        if op in _STORE_AND_LOAD and arg >> 4 == 0:
            return False
    return True


def _loads_last(op: int, arg: int) -> int | None:
    """The number of the local that the instruction leaves on top of the stack; an argument in a cell keeps its own."""
    if op in _LOADS:
        return arg
    return arg & 15 if op in _LOAD_TWO else None
