"""The look-ups and calls in the bytecode of one code object, by a small abstract interpretation of its stack.

Pure: it resolves nothing and holds no object of the program's but names. A use is a tuple (what, line, a, b); its
number stands for the value that it leaves on the stack, and other uses name it as their operand.
"""

import dis
import itertools
import opcode
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

type Use = tuple[str, int | None, Any, Any]

UNKNOWN: Final = 0  # the number of the use that stands for any value
NULL: Final = -1  # what CPython pushes beside a callable
_OLD_CALL: Final = sys.version_info < (3, 13)  # NULL lies below the callable
_IMPORT_SHIFT: Final = 2 if sys.version_info >= (3, 15) else 0  # IMPORT_NAME has two flags
_EXTENDED_ARG: Final = dis.EXTENDED_ARG
_WITH_ARGUMENT: Final = frozenset(dis.hasarg)
_NAMES: Final = {number: name for name, number in opcode.opmap.items()}
_SPECIAL: Final = ("__enter__", "__exit__", "__aenter__", "__aexit__")
_OPERATORS: Final = {
    "+": "add", "&": "and", "//": "floordiv", "<<": "lshift", "@": "matmul", "*": "mul", "%": "mod", "|": "or",
    "**": "pow", ">>": "rshift", "-": "sub", "/": "truediv", "^": "xor",
}  # fmt: skip
_BINARY: Final[list[tuple[str, str, str] | None]] = [
    None
    if symbol == "[]"
    else (f"__{_OPERATORS[symbol.rstrip('=')]}__", f"__r{_OPERATORS[symbol.rstrip('=')]}__", symbol)
    for _, symbol in vars(opcode)["_nb_ops"]
]  # None: an item
_COMPARE: Final = {"<": "lt", "<=": "le", "==": "eq", "!=": "ne", ">": "gt", ">=": "ge"}
_COMPARE_SHIFT: Final = 4 if _OLD_CALL else 5
_UNARY: Final = {
    "UNARY_NEGATIVE": "__neg__", "UNARY_INVERT": "__invert__", "UNARY_NOT": "__bool__", "TO_BOOL": "__bool__",
    "GET_ITER": "__iter__", "GET_YIELD_FROM_ITER": "__iter__", "GET_AITER": "__aiter__", "GET_AWAITABLE": "__await__",
    "FORMAT_SIMPLE": "__format__", "FORMAT_VALUE": "__format__", "FORMAT_WITH_SPEC": "__format__",
    "CONVERT_VALUE": "__repr__",
}  # fmt: skip
_BUILDS: Final = frozenset({
    "BUILD_TUPLE", "BUILD_LIST", "BUILD_SET", "BUILD_MAP", "BUILD_CONST_KEY_MAP", "BUILD_STRING", "BUILD_SLICE",
    "BUILD_TEMPLATE", "BUILD_INTERPOLATION",
})  # fmt: skip
_KEEPS: Final = frozenset({
    "LIST_APPEND", "SET_ADD", "MAP_ADD", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE",
})  # fmt: skip
_POPS: Final = frozenset({
    "POP_TOP", "POP_ITER", "END_FOR", "POP_EXCEPT", "END_ASYNC_FOR", "RERAISE", "INTERPRETER_EXIT",
})  # fmt: skip
_GLOBAL_STORES: Final = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_NOTHING: Final = frozenset({
    "RESUME", "NOP", "NOT_TAKEN", "MAKE_CELL", "COPY_FREE_VARS", "DELETE_FAST", "DELETE_NAME", "DELETE_GLOBAL",
    "DELETE_DEREF", "SETUP_ANNOTATIONS", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_FORWARD", "EXTENDED_ARG",
    "CACHE", "ANNOTATIONS_PLACEHOLDER",
})  # fmt: skip
_ENDS: Final = frozenset({
    "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT", "INTERPRETER_EXIT",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Uses:
    """What one code object does, without the code that is nested in it."""

    uses: tuple[Use, ...]
    stores: dict[str, tuple[int, ...]]  # of each local variable: the numbers of the values that are stored in it
    returns: tuple[int, ...]
    again: bool  # a variable is loaded before a store to it: one look at the uses in their order is not enough
    nested: tuple[int, ...]  # which of the constants are code


_known: Final[dict[int, tuple[weakref.ref[CodeType], Uses]]] = {}


def uses(code: CodeType) -> Uses:
    """What a code object does; kept for as long as the code lives, and not keeping it alive.

    By identity: the constants of code may be of the program's classes, whose __hash__ and __eq__ are not to run.
    """
    known = _known.get(id(code))
    if known is not None and known[0]() is code:
        return known[1]
    found = _Stack(code).read()
    address = id(code)
    _known[address] = weakref.ref(code, lambda _, forget=_known.pop: forget(address, None)), found  # type: ignore[misc]
    return found


def _effect(number: int, argument: int, jump: bool) -> int:
    return dis.stack_effect(number, argument if number in _WITH_ARGUMENT else None, jump=jump)


class _Stack:
    """The interpretation of one code object: numbers of uses on the stack, merged where jumps meet."""

    def __init__(self, code: CodeType) -> None:
        self.code: Final = code
        self.uses: list[Use] = [("unknown", None, None, None)]
        self.stack: list[int] = []
        self.stores: dict[str, list[int]] = {}
        self.loaded: dict[str, int] = {}  # the first load of each variable
        self.returns: list[int] = []
        self.waiting: dict[int, list[int]] = {}  # the stack with which a jump arrives at an offset
        self.line: int | None = None
        self.keywords: tuple[str, ...] = ()
        self.names: Final = code.co_names
        cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
        self.variables: Final = code.co_varnames + cells + code.co_freevars

    def read(self) -> Uses:
        code = self.code
        bytecode = code.co_code
        lines = code.co_lines()
        line_ends = 0
        handlers: dict[int, list[tuple[int, int, int]]] = {}
        if code.co_exceptiontable:
            for entry in dis.Bytecode(code).exception_entries:  # type: ignore[attr-defined]
                handlers.setdefault(entry.start, []).append((entry.target, entry.depth, 1 + entry.lasti))
        reached = True
        waiting = self.waiting
        extended = 0
        size = len(bytecode)
        numbers, arguments = bytecode[::2], bytecode[1::2]
        # Each instruction without its caches, which have 0 in place of a number.
        offsets, lows = (itertools.compress(each, numbers) for each in (range(0, size, 2), arguments))
        for offset, number, low in zip(offsets, filter(None, numbers), lows, strict=True):
            while offset >= line_ends:
                _, line_ends, self.line = next(lines)
            if waiting and offset in waiting:
                arrived = waiting.pop(offset)
                self.stack = self.merged(arrived) if reached else arrived
                reached = True
            if handlers:
                for target, depth, more in handlers.get(offset, ()):
                    under = self.stack[:depth] + [UNKNOWN] * (depth - len(self.stack))
                    self.arrive(target, under + [UNKNOWN] * more)
            argument = extended | low
            if number in _TURNS:
                if number == _EXTENDED_ARG:
                    extended = argument << 8
                    continue
                after = offset + 2
                while after < size and not bytecode[after]:
                    after += 2
                self.arrive(after + 2 * argument, self.after_jump(_effect(number, argument, jump=True)))
            extended = 0
            _METHODS[number](self, argument)
            if number in _END_NUMBERS:
                reached = False
        again = any(at < number for name, at in self.loaded.items() for number in self.stores.get(name, ()))
        nested = tuple(i for i, each in enumerate(code.co_consts) if type(each) is CodeType)
        stores = {name: tuple(numbers) for name, numbers in self.stores.items()}
        return Uses(tuple(self.uses), stores, tuple(self.returns), again, nested)

    # --- the stack ---

    def add(self, what: str, a: Any = None, b: Any = None) -> int:
        number = len(self.uses)
        self.uses.append((what, self.line, a, b))
        return number

    def pop(self) -> int:
        return self.stack.pop() if self.stack else UNKNOWN

    def pop_many(self, n: int) -> list[int]:
        stack = self.stack
        if not 0 < n <= len(stack):
            return [self.pop() for _ in range(n)][::-1]
        taken = stack[-n:]
        del stack[-n:]
        return taken

    def merged(self, other: list[int]) -> list[int]:
        if len(other) != len(self.stack):
            return [UNKNOWN] * max(len(other), len(self.stack))
        return [
            a if a == b else UNKNOWN if NULL in (a, b) else self.add("join", (a, b))
            for a, b in zip(self.stack, other, strict=True)
        ]

    def arrive(self, target: int, stack: list[int]) -> None:
        before = self.waiting.get(target)
        if before is None:
            self.waiting[target] = stack
        elif before != stack:
            kept, self.stack = self.stack, before
            self.waiting[target] = self.merged(stack)
            self.stack = kept

    def after_jump(self, effect: int) -> list[int]:
        if effect >= 0:
            return self.stack + [UNKNOWN] * effect
        return self.stack[:effect]

    def push_callable(self, number: int, with_null: int) -> None:
        if with_null and _OLD_CALL:
            self.stack.append(NULL)
        self.stack.append(number)
        if with_null and not _OLD_CALL:
            self.stack.append(NULL)

    # --- the instructions ---

    def step(self, name: str, number: int, argument: int) -> None:
        if name in _NOTHING:
            return
        if name.startswith(("LOAD_FAST", "STORE_FAST")):
            self.fast(name, argument)
        else:
            self.by_effect(name, _effect(number, argument, jump=False), argument)

    def fast(self, name: str, argument: int) -> None:
        two = (argument >> 4, argument & 15)
        if name in ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW"):
            self.load(two[0])
            self.load(two[1])
        elif name == "STORE_FAST_STORE_FAST":
            self.store(two[0])
            self.store(two[1])
        elif name == "STORE_FAST_LOAD_FAST":
            self.store(two[0])
            self.load(two[1])
        elif name.startswith("LOAD"):
            self.load(argument)
        else:
            self.store(argument)

    def load(self, index: int) -> None:
        name = self.variables[index]
        self.loaded.setdefault(name, len(self.uses))
        self.stack.append(self.add("variable", name))

    def store(self, index: int) -> None:
        self.keep(self.variables[index], self.pop())

    def keep(self, name: str, value: int) -> None:
        self.stores.setdefault(name, []).append(max(value, UNKNOWN))

    def by_effect(self, name: str, effect: int, argument: int) -> None:
        if name in _UNARY:
            operands = self.pop_many(
                2 if name == "FORMAT_WITH_SPEC" or (name, argument & 4) == ("FORMAT_VALUE", 4) else 1
            )
            asked = _UNARY[name]
            if name in ("CONVERT_VALUE", "FORMAT_VALUE") and argument & 3:
                asked = "__str__" if argument & 3 == 1 else "__repr__"
            self.stack.append(self.add("special", asked, operands[0]))
            self.stack += [NULL] * effect if effect > 0 else []  # GET_ITER of 3.15 pushes a second value
        elif name in _BUILDS:
            parts = tuple(self.pop_many(1 - effect))
            if name == "BUILD_SET" or name == "BUILD_MAP":
                self.add("keys", parts if name == "BUILD_SET" else parts[::2])
            elif name == "BUILD_SLICE":
                self.add("bounds", parts)
            self.stack.append(self.add("build", parts, name))
        elif name in _KEEPS:
            given = self.pop_many(-effect)
            how = "special" if name.endswith(("EXTEND", "UPDATE", "MERGE")) else "escape"
            if name == "SET_ADD" or name == "MAP_ADD":
                self.add("keys", tuple(given[:1]))
            self.add(how, "__iter__" if how == "special" else tuple(given), given[0] if given else UNKNOWN)
            if name == "DICT_MERGE" and argument == 1 and given and self.stack:
                self.stack[-1] = self.add("merge", (self.stack[-1], given[0]), None)
        elif name.startswith("POP_JUMP_IF"):
            value = self.pop()
            if "NONE" not in name:
                self.add("special", "__bool__", value)
        elif name in _POPS:
            self.pop_many(-effect)
        elif name in ("PUSH_EXC_INFO", "GET_LEN", "MATCH_MAPPING", "MATCH_SEQUENCE"):
            self.stack += [UNKNOWN] * effect
        elif name in ("LOAD_COMMON_CONSTANT", "LOAD_ASSERTION_ERROR", "LOAD_SMALL_INT"):
            self.stack.append(self.add("plain", argument if name == "LOAD_SMALL_INT" else None))
        else:
            depth = max(0, len(self.stack) + effect)  # an instruction that is not known: all may have changed
            self.add("escape", tuple(self.stack), None)
            self.stack = [UNKNOWN] * depth

    def do_LOAD_CONST(self, argument: int) -> None:
        self.stack.append(self.add("constant", argument))

    do_LOAD_CONST_IMMORTAL = do_LOAD_CONST

    def do_RETURN_CONST(self, argument: int) -> None:
        self.returns.append(self.add("constant", argument))

    def do_RETURN_VALUE(self, argument: int) -> None:
        self.returns.append(max(self.pop(), UNKNOWN))

    def do_YIELD_VALUE(self, argument: int) -> None:
        self.add("escape", (self.pop(),), None)
        self.stack.append(UNKNOWN)

    def do_RETURN_GENERATOR(self, argument: int) -> None:
        self.stack.append(UNKNOWN)

    def do_LOAD_GLOBAL(self, argument: int) -> None:
        number = len(self.uses)
        self.uses.append(("global", self.line, self.names[argument >> 1], None))
        if argument & 1:
            self.push_callable(number, 1)
        else:
            self.stack.append(number)

    def do_LOAD_NAME(self, argument: int) -> None:
        name = self.code.co_names[argument]
        self.loaded.setdefault(name, len(self.uses))
        variable, found = self.add("variable", name), self.add("global", name)
        self.stack.append(self.add("join", (variable, found)))

    def do_LOAD_FROM_DICT_OR_GLOBALS(self, argument: int) -> None:
        self.pop()
        self.stack.append(self.add("join", (UNKNOWN, self.add("global", self.code.co_names[argument]))))

    def do_LOAD_FROM_DICT_OR_DEREF(self, argument: int) -> None:
        self.pop()
        self.load(argument)

    def do_LOAD_DEREF(self, argument: int) -> None:
        self.load(argument)

    do_LOAD_CLOSURE = do_LOAD_DEREF

    def do_STORE_DEREF(self, argument: int) -> None:
        self.store(argument)

    def do_STORE_NAME(self, argument: int) -> None:
        value = self.pop()
        self.add("escape", (value,), None)
        self.keep(self.code.co_names[argument], value)

    def do_STORE_GLOBAL(self, argument: int) -> None:
        self.add("escape", (self.pop(),), None)

    def do_LOAD_LOCALS(self, argument: int) -> None:
        self.stack.append(UNKNOWN)

    def do_LOAD_BUILD_CLASS(self, argument: int) -> None:
        self.stack.append(self.add("builtin", "__build_class__"))

    def do_PUSH_NULL(self, argument: int) -> None:
        self.stack.append(NULL)

    def do_LOAD_ATTR(self, argument: int) -> None:
        name = self.code.co_names[argument >> 1]
        self.push_callable(self.add("attribute", name, self.pop()), argument & 1)

    def do_LOAD_SUPER_ATTR(self, argument: int) -> None:
        _, cls, instance = self.pop_many(3)
        number = self.add("super", self.code.co_names[argument >> 2], (cls, instance))
        self.push_callable(number, argument & 1)

    def do_STORE_ATTR(self, argument: int) -> None:
        value, owner = self.pop_many(2)
        self.add("escape", (value,), None)
        self.add("store attribute", self.code.co_names[argument], owner)

    def do_LOAD_SPECIAL(self, argument: int) -> None:
        self.push_callable(self.add("special method", _SPECIAL[argument], self.pop()), 1)

    def do_BEFORE_WITH(self, argument: int) -> None:
        self._enter("__enter__", "__exit__")

    def do_BEFORE_ASYNC_WITH(self, argument: int) -> None:
        self._enter("__aenter__", "__aexit__")

    def _enter(self, enter: str, leave: str) -> None:
        manager = self.pop()
        self.stack.append(self.add("special method", leave, manager))
        self.add("call", self.stack[-1], ((UNKNOWN,) * 3, ()))
        self.stack.append(self.add("special", enter, manager))

    def do_WITH_EXCEPT_START(self, argument: int) -> None:
        self.stack.append(UNKNOWN)

    def do_BINARY_OP(self, argument: int) -> None:
        right, left = self.pop(), self.pop()
        names = _BINARY[argument]
        self.stack.append(len(self.uses))
        line = self.line
        self.uses.append(("item", line, left, right) if names is None else ("binary", line, names, (left, right)))

    def do_BINARY_SUBSCR(self, argument: int) -> None:
        left, right = self.pop_many(2)
        self.stack.append(self.add("item", left, right))

    def do_BINARY_SLICE(self, argument: int) -> None:
        container, *bounds = self.pop_many(3)
        self.add("bounds", tuple(bounds))
        self.stack.append(self.add("special", "__getitem__", container))

    def do_STORE_SUBSCR(self, argument: int) -> None:
        value, container, key = self.pop_many(3)
        self.add("escape", (value, key), None)
        self.add("key", container, key)
        self.add("special", "__setitem__", container)

    def do_STORE_SLICE(self, argument: int) -> None:
        value, container, *bounds = self.pop_many(4)
        self.add("bounds", tuple(bounds))
        self.add("special", "__iter__", value)
        self.add("special", "__setitem__", container)

    def do_DELETE_SUBSCR(self, argument: int) -> None:
        container, key = self.pop_many(2)
        self.add("key", container, key)
        self.add("special", "__delitem__", container)

    def do_DELETE_ATTR(self, argument: int) -> None:
        self.add("delete attribute", self.code.co_names[argument], self.pop())

    def do_RAISE_VARARGS(self, argument: int) -> None:
        self.add("raise", tuple(self.pop_many(argument)))

    def do_COMPARE_OP(self, argument: int) -> None:
        symbol = dis.cmp_op[argument >> _COMPARE_SHIFT]
        left, right = self.pop_many(2)
        name = _COMPARE[symbol]
        swapped = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}.get(name, name)
        self.stack.append(self.add("binary", (f"__{name}__", f"__{swapped}__", symbol), (left, right)))

    def do_CONTAINS_OP(self, argument: int) -> None:
        item, container = self.pop_many(2)
        self.stack.append(self.add("contains", item, container))

    def do_IS_OP(self, argument: int) -> None:
        self.pop_many(2)
        self.stack.append(self.add("plain"))

    def do_CHECK_EXC_MATCH(self, argument: int) -> None:
        self.pop()
        self.stack.append(self.add("plain"))

    def do_COPY(self, argument: int) -> None:
        self.stack.append(self.stack[-argument] if len(self.stack) >= argument else UNKNOWN)

    def do_SWAP(self, argument: int) -> None:
        if len(self.stack) >= argument:
            self.stack[-1], self.stack[-argument] = self.stack[-argument], self.stack[-1]

    def do_FOR_ITER(self, argument: int) -> None:
        at = -2 if len(self.stack) > 1 and self.stack[-1] == NULL else -1
        self.stack.append(self.add("special", "__next__", self.stack[at] if self.stack else UNKNOWN))

    def do_UNPACK_SEQUENCE(self, argument: int) -> None:
        element = self.add("element", self.pop())
        self.stack += [element] * argument

    def do_UNPACK_EX(self, argument: int) -> None:
        element = self.add("element", self.pop())
        self.stack += [element] * ((argument & 255) + (argument >> 8) + 1)

    def do_MATCH_CLASS(self, argument: int) -> None:
        subject, cls, names = self.pop_many(3)
        self.add("match", names, (subject, cls))
        self.stack.append(UNKNOWN)

    def do_MATCH_KEYS(self, argument: int) -> None:
        self.stack.append(UNKNOWN)

    def do_MAKE_FUNCTION(self, argument: int) -> None:
        code = self.pop()
        more = self.pop_many(argument.bit_count()) if _OLD_CALL else []
        self.add("escape", tuple(more), None)
        self.stack.append(self.add("made", code))

    def do_SET_FUNCTION_ATTRIBUTE(self, argument: int) -> None:
        attribute, function = self.pop_many(2)
        self.add("escape", (attribute,), None)
        self.stack.append(function)

    def do_KW_NAMES(self, argument: int) -> None:
        self.keywords = self.code.co_consts[argument]

    def do_CALL(self, argument: int) -> None:
        self._call(argument, self.keywords)
        self.keywords = ()

    def do_CALL_KW(self, argument: int) -> None:
        names = self.pop()
        what, _, index, _ = self.uses[names] if names > 0 else self.uses[0]
        self._call(argument, self.code.co_consts[index] if what == "constant" else ())

    def _call(self, n: int, keywords: tuple[str, ...]) -> None:
        first, second, *arguments = self.pop_many(n + 2)
        if first == NULL:
            called = second
        else:
            called = first
            if second != NULL:
                arguments.insert(0, second)
        self.stack.append(self.add("call", called, (tuple(arguments), keywords)))

    def do_CALL_FUNCTION_EX(self, argument: int) -> None:
        number = opcode.opmap["CALL_FUNCTION_EX"]
        given = [each for each in self.pop_many(1 - _effect(number, argument, jump=False)) if each != NULL]
        called = given[0] if given else UNKNOWN
        self.stack.append(self.add("call with all", called, tuple(given[1:])))

    def do_CALL_INTRINSIC_1(self, argument: int) -> None:
        self.add("escape", (self.pop(),), None)
        self.stack.append(UNKNOWN)

    def do_CALL_INTRINSIC_2(self, argument: int) -> None:
        self.add("escape", tuple(self.pop_many(2)), None)
        self.stack.append(UNKNOWN)

    def do_IMPORT_NAME(self, argument: int) -> None:
        level, names = self.pop_many(2)
        name = self.code.co_names[argument >> _IMPORT_SHIFT]
        self.stack.append(self.add("import", name, (level, names)))

    def do_IMPORT_FROM(self, argument: int) -> None:
        module = self.stack[-1] if self.stack else UNKNOWN
        self.stack.append(self.add("attribute", self.code.co_names[argument], module))


def _method(name: str, number: int) -> Callable[[_Stack, int], None]:
    if found := vars(_Stack).get(f"do_{name}"):
        return found  # type: ignore[no-any-return]
    return lambda stack, argument: stack.step(name, number, argument)


_TURNS: Final = frozenset(
    number
    for name, number in opcode.opmap.items()
    if number < 256 and number in (*dis.hasjrel, *dis.hasjabs) and "BACKWARD" not in name
) | {_EXTENDED_ARG}
_END_NUMBERS: Final = frozenset(number for number, name in _NAMES.items() if name in _ENDS)
_METHODS: Final[dict[int, Callable[[_Stack, int], None]]] = {
    number: _method(name, number) for number, name in _NAMES.items()
} | {opcode.opmap["LOAD_FAST"]: _Stack.load, opcode.opmap["STORE_FAST"]: _Stack.store}
