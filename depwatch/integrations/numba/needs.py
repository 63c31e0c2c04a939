"""Needs: where code that loads a scalar from a cell would be other code than numba's, which knows the value."""

from collections.abc import Iterator
from typing import Any, Final

from numba import prange
from numba.core import ir, types
from numba.core.ir_utils import build_definitions

from depwatch import Unwatchable
from depwatch.integrations.numba.compilation import Compilation, NeedsOtherAttempt, Place

COPIES: Final = ("cast", "unary", "binop", "inplace_binop", "phi", "build_tuple", "build_list", "static_getitem")
KNOWN_OF_TYPES: Final = ("ndim", "dtype", "itemsize")  # attributes that numba takes for constants
FILLS: Final = ("append", "insert", "extend", "add", "appendleft")  # methods that settle what a container holds


def check(compilation: Compilation, state: Any) -> None:
    """Raises NeedsOtherAttempt, which is told to the attempt, if the code has to be compiled in another way."""
    attempt = compilation.attempt
    needed: set[Place] = set()
    if compilation.loads:
        code = _Code(compilation, state)
        needed = {*code.select_types(), *code.are_literals(), *(code.are_sizes() if code.is_parallel else ())}
        if needed and compilation.function.policy == "granular":
            names = ", ".join(sorted(repr(name) for _, name in needed))
            raise Unwatchable(
                f"{compilation.function.name} depends on the value of {names} while it is compiled (it selects a type, "
                'an implementation or a size), and policy="granular" has nothing but cells; leave the policy out'
            )
    loud = compilation.calls_quietly and any(isinstance(kind, types.Generator) for kind in state.args)
    compilation.calls_quietly &= not loud
    if needed or (loud and compilation.quiet):
        attempt.constants |= needed
        attempt.loud |= loud
        raise NeedsOtherAttempt


class _Code:
    """The typed code of one function, and which of its variables come from cells."""

    def __init__(self, compilation: Compilation, state: Any) -> None:
        self._blocks: Final = state.func_ir.blocks
        self._typemap: Final = state.typemap
        self._arguments: Final = state.args
        self._definitions: Final = build_definitions(self._blocks)
        self._loads: Final = compilation.loads
        self._from: Final[dict[str, frozenset[Place]]] = {}
        self.is_parallel: Final = bool(state.flags.auto_parallel.enabled)

    # --- where values come from ---

    def _places(self, variable: Any) -> frozenset[Place]:
        """The scalars in cells that a variable is made of, by copying and operators."""
        if not isinstance(variable, ir.Var):
            return frozenset()
        name = variable.name
        if name not in self._from:
            self._from[name] = frozenset()  # while it is looked at: a loop
            parts = (self._places_in(value) for value in self._definitions.get(name, ()))
            self._from[name] = frozenset().union(*parts)
        return self._from[name]

    def _places_in(self, value: Any) -> frozenset[Place]:
        if isinstance(value, ir.Var):
            return self._places(value)
        if not isinstance(value, ir.Expr):
            return frozenset()
        if value.op == "call":
            called = self._called(value)
            if (place := self._loads.get(called)) is not None:
                return frozenset((place,))
            return frozenset().union(*map(self._places, value.args)) if called in (bool, int, float) else frozenset()
        return frozenset().union(*map(self._places, value.list_vars())) if value.op in COPIES else frozenset()

    def _called(self, call: Any) -> Any:
        """What is called, if that is a global or a constant; else None."""
        for value in self._definitions.get(call.func.name, ()):
            if isinstance(value, ir.Global | ir.FreeVar | ir.Const):
                try:
                    hash(value.value)
                except TypeError:
                    return None
                return value.value
            if isinstance(value, ir.Var):
                return self._called(ir.Expr.call(value, (), (), call.loc))
        return None

    def _is_known(self, variable: Any, seen: frozenset[str] = frozenset()) -> bool:
        """Whether numba could know the value at compile time if it knew all scalars."""
        if variable.name in seen:
            return False
        values = self._definitions.get(variable.name, ())
        return bool(values) and all(self._is_known_value(value, seen | {variable.name}) for value in values)

    def _is_known_value(self, value: Any, seen: frozenset[str]) -> bool:
        if isinstance(value, ir.Const | ir.Global | ir.FreeVar):
            return True
        if isinstance(value, ir.Var):
            return self._is_known(value, seen)
        if isinstance(value, ir.Arg):
            kinds = types.Literal | types.Omitted | types.NoneType
            return value.index < len(self._arguments) and isinstance(self._arguments[value.index], kinds)
        if not isinstance(value, ir.Expr):
            return False
        if value.op == "getattr":
            return value.attr in KNOWN_OF_TYPES or self._is_known(value.value, seen)
        if value.op == "call":
            called = self._called(value)
            if called in self._loads or called is len:
                return True
            return called in (bool, int, float) and all(self._is_known(each, seen) for each in value.args)
        return value.op in COPIES and all(self._is_known(each, seen) for each in value.list_vars())

    # --- a flag that selects a type ---

    def select_types(self) -> Iterator[Place]:
        """Scalars of which numba would leave branches out, where these give something another type.

        Both branches are compiled with a cell, and what they assign to gets a type that has room for either: an int
        becomes a float, and loses digits.
        """
        merged: list[list[tuple[int, Any]]] | None = None
        for label, block in self._blocks.items():
            branch = block.terminator
            if not isinstance(branch, ir.Branch):
                continue
            places = self._places(branch.cond)
            if not places or not any(map(self._is_prunable, self._definitions.get(branch.cond.name, ()))):
                continue
            if merged is None:
                merged = list(self._merged())
            for target in (branch.truebr, branch.falsebr):
                reached = self._reached(label, target)
                if any(_settles(kinds, reached) for kinds in merged):
                    yield from places
                    break

    def _is_prunable(self, condition: Any) -> bool:
        return self._is_known_value(condition, frozenset())

    def _reached(self, branching: int, target: int) -> set[int]:
        """The blocks that are reached if one of them always goes on to the target."""
        reached: set[int] = set()
        todo = [min(self._blocks)]
        while todo:
            label = todo.pop()
            if label not in reached:
                reached.add(label)
                todo += [target] if label == branching else self._blocks[label].terminator.get_targets()
        return reached

    def _merged(self) -> Iterator[list[tuple[int, Any]]]:
        """For each thing that is given values in several places: from which block it has which type."""
        given: dict[Any, list[tuple[int, Any]]] = {}
        for label, block in self._blocks.items():
            for statement in block.body:
                if isinstance(statement, ir.Return):
                    for value in self._definitions.get(statement.value.name, ()):
                        source = value.value if isinstance(value, ir.Expr) and value.op == "cast" else statement.value
                        given.setdefault("return", []).append((label, self._type(source)))
                elif isinstance(statement, ir.SetItem):
                    given.setdefault(self._container(statement.target), []).append((label, self._type(statement.value)))
                elif isinstance(statement, ir.Assign):
                    self._note_assigned(label, statement, given)
        yield from given.values()

    def _note_assigned(self, label: int, statement: Any, given: dict[Any, list[tuple[int, Any]]]) -> None:
        value = statement.value
        if isinstance(value, ir.Yield):
            given.setdefault("yield", []).append((label, self._type(value.value)))
        elif isinstance(value, ir.Expr) and value.op == "phi":
            incoming = zip(value.incoming_blocks, value.incoming_values, strict=True)
            given[statement.target.name] = [
                (block, self._type(each)) for block, each in incoming if isinstance(each, ir.Var)
            ]
        elif isinstance(value, ir.Expr) and value.op == "call":
            for method in self._definitions.get(value.func.name, ()):
                if isinstance(method, ir.Expr) and method.op == "getattr" and method.attr in FILLS:
                    kinds = [(label, self._type(each)) for each in value.args]
                    given.setdefault(self._container(method.value), []).extend(kinds)
        else:
            name = statement.target.unversioned_name
            given.setdefault(("variable", name), []).append((label, self._type(statement.target)))

    def _container(self, variable: Any) -> Any:
        return ("container", variable.unversioned_name)

    def _type(self, variable: Any) -> Any:
        kind = self._typemap.get(variable.name)
        return None if kind is None else types.unliteral(kind)

    # --- literals ---

    def are_literals(self) -> Iterator[Place]:
        """Scalars that are given to an implementation that wants to know the value where there is one."""
        for block in self._blocks.values():
            for call in block.find_exprs("call"):
                kind = self._typemap.get(call.func.name)
                if any(template.prefer_literal for template in getattr(kind, "templates", ())):
                    for each in (*call.args, *(value for _, value in call.kws)):
                        yield from self._places(each)

    # --- sizes of arrays ---

    def are_sizes(self) -> Iterator[Place]:
        """Ints that may be the size of an array, which parallel code treats in another way if it is 1."""
        for block in self._blocks.values():
            for call in block.find_exprs("call"):
                called = self._called(call)
                if called in self._loads or called in (bool, float, range, prange):
                    continue
                for each in (*call.args, *(value for _, value in call.kws)):
                    if isinstance(self._type(each), types.Integer | types.BaseTuple):
                        yield from self._places(each)


def _settles(kinds: list[tuple[int, Any]], reached: set[int]) -> bool:
    """Whether something is of fewer types if only these blocks are reached."""
    left = {kind for label, kind in kinds if label in reached}
    return bool(left) and left != {kind for _, kind in kinds}
