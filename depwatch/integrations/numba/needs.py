"""Needs: where code that loads a scalar from a cell would be other code than numba's, which knows the value."""

import itertools
import operator
from collections.abc import Iterator
from typing import Any, Final

from numba.core import errors, ir, types
from numba.core.ir_utils import build_definitions
from numba.core.typed_passes import type_inference_stage

from depwatch import Unwatchable
from depwatch.integrations.numba.compilation import Compilation, NeedsOtherAttempt, Place
from depwatch.integrations.numba.own import is_numbas

COPIES: Final = ("cast", "unary", "binop", "inplace_binop", "phi", "build_tuple", "build_list", "static_getitem")
FILLED: Final = (types.List, types.Set, types.ListType, types.DictType)
MOST_FLAGS: Final = 3  # for which types are inferred once more in each combination


def check(compilation: Compilation, state: Any, calls_back: bool) -> None:
    """Raises NeedsOtherAttempt, which is told to the attempt, if the code has to be compiled in another way.

    calls_back: whether it calls what is not compiled yet, of which nobody knows whether anything can change in it.
    """
    attempt = compilation.attempt
    needed: set[Place] = set()
    if compilation.loads:
        code = _Code(compilation, state)
        needed = {*code.select_types(), *code.are_literals(), *(code.are_sizes() if code.is_parallel else ())}
        if needed and compilation.function.policy == "granular":
            names = ", ".join(sorted(repr(place.name) for place in needed))
            raise Unwatchable(
                f"{compilation.function.name} depends on the value of {names} while it is compiled (it selects a type, "
                'an implementation or a size), and policy="granular" has nothing but cells; leave the policy out'
            )
    loud = compilation.calls_quietly and (
        calls_back or any(isinstance(kind, types.Generator) for kind in state.typemap.values())
    )
    compilation.calls_quietly &= not loud
    if needed or (loud and compilation.quiet):
        attempt.constants.update(needed)
        attempt.loud |= loud
        raise NeedsOtherAttempt


class _Code:
    """The typed code of one function, and which of its variables come from cells."""

    def __init__(self, compilation: Compilation, state: Any) -> None:
        self._state: Final = state
        self._blocks: Final = state.func_ir.blocks
        self._typemap: Final = state.typemap
        self._definitions: Final = build_definitions(self._blocks)
        self._loads: Final = compilation.loads
        self._from: Final[dict[str, frozenset[Place]]] = {}
        self.is_parallel: Final = bool(state.flags.auto_parallel.enabled)

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
            if (place := self._loads.get(id(called))) is not None:
                return frozenset((place,))
            converts = called is bool or called is int or called is float
            return frozenset().union(*map(self._places, value.args)) if converts else frozenset()
        return frozenset().union(*map(self._places, value.list_vars())) if value.op in COPIES else frozenset()

    def _called(self, call: Any) -> Any:
        """What is called, if that is a global or a constant; else None."""
        value = self._defined(call.func)
        return value.value if isinstance(value, ir.Global | ir.FreeVar | ir.Const) else None

    def _defined(self, variable: Any) -> Any:
        """What a variable that is assigned once is, behind copies of it; else None."""
        for _ in range(len(self._definitions)):
            found = self._definitions.get(variable.name, ())
            if len(found) != 1 or not isinstance(found[0], ir.Var):
                return found[0] if len(found) == 1 else None
            variable = found[0]
        return None

    # --- a flag that selects a type ---

    def select_types(self) -> Iterator[Place]:
        """Scalars of which numba would leave branches out, where these give something another type.

        With a cell both branches are compiled, and what they assign to gets a type that has room for either: an int
        becomes a float, and loses digits.
        """
        branches = {
            label: (branch.truebr, branch.falsebr)
            for label, block in self._blocks.items()
            if isinstance(branch := block.terminator, ir.Branch)
            and self._places(branch.cond)
            and self._is_prunable(branch.cond)
        }
        if not branches or not self._merges_types():
            return
        ways = (dict(zip(branches, goals, strict=True)) for goals in itertools.product(*branches.values()))
        if len(branches) > MOST_FLAGS or self._state.func_ir.is_generator or any(map(self._is_typed_otherwise, ways)):
            for label in branches:
                yield from self._places(self._blocks[label].terminator.cond)

    def _is_prunable(self, condition: Any) -> bool:
        """Whether numba's dead_branch_prune() would know which way this goes if it knew all scalars."""
        asked = self._defined(condition)
        if not isinstance(asked, ir.Expr) or asked.op != "call" or self._called(asked) is not bool:
            return False
        value = self._defined(asked.args[0])
        if isinstance(value, ir.Expr) and value.op == "binop":
            return self._is_known(value.lhs) and self._is_known(value.rhs)
        return isinstance(value, ir.Expr) and value.op == "call" and not self._is_in_module(value)

    def _is_in_module(self, load: Any) -> bool:
        place = self._loads.get(id(self._called(load)))
        return place is None or place.in_module

    def _is_known(self, variable: Any) -> bool:
        value = self._defined(variable)
        if isinstance(value, ir.Const | ir.Global | ir.FreeVar):
            return True
        if not isinstance(value, ir.Expr):
            return False
        if value.op == "call":
            return id(self._called(value)) in self._loads
        return value.op in ("getattr", "build_tuple", "build_list") and all(map(self._is_known, value.list_vars()))

    def _merges_types(self) -> bool:
        """Whether anything is of several types, and has one that has room for all."""
        given: dict[Any, set[Any]] = {}
        for block in self._blocks.values():
            for statement in block.body:
                if isinstance(statement, ir.Return):
                    value = self._defined(statement.value)
                    source = value.value if isinstance(value, ir.Expr) and value.op == "cast" else statement.value
                    given.setdefault("return", set()).add(self._type(source))
                elif isinstance(statement, ir.Assign):
                    value = statement.value
                    if isinstance(value, ir.Yield) or self._builds_empty(statement):
                        return True
                    if isinstance(value, ir.Expr) and value.op == "phi":
                        kinds = {self._type(each) for each in value.incoming_values if isinstance(each, ir.Var)}
                        given.setdefault(statement.target.name, set()).update(kinds)
        return any(len(kinds) > 1 for kinds in given.values())

    def _builds_empty(self, statement: Any) -> bool:
        """Whether what is put into a container settles its type."""
        value = statement.value
        made = isinstance(value, ir.Expr) and (value.op.startswith("build_") or value.op == "call")
        return made and not value.list_vars()[value.op == "call" :] and isinstance(self._type(statement.target), FILLED)

    def _type(self, variable: Any) -> Any:
        kind = self._typemap.get(variable.name)
        return None if kind is None else types.unliteral(kind)

    def _is_typed_otherwise(self, targets: dict[int, int]) -> bool:
        """Whether anything gets another type if some blocks always go to these targets."""
        state = self._state
        func_ir = state.func_ir.copy()
        func_ir.blocks = self._without_branches(targets)
        func_ir._definitions = build_definitions(func_ir.blocks)
        try:
            typed = type_inference_stage(
                state.typingctx, state.targetctx, func_ir, state.args, None, state.locals, raise_errors=True
            )
        except errors.NumbaError:
            return False  # numba could not compile that
        if types.unliteral(typed.return_type) != types.unliteral(state.return_type):
            return True
        return any(types.unliteral(kind) != self._typemap_of(name) for name, kind in typed.typemap.items())

    def _typemap_of(self, name: str) -> Any:
        kind = self._typemap.get(name)
        return None if kind is None else types.unliteral(kind)

    def _without_branches(self, targets: dict[int, int]) -> dict[int, Any]:
        reached: dict[int, Any] = {}
        todo = [min(self._blocks)]
        while todo:
            label = todo.pop()
            if label in reached:
                continue
            reached[label] = block = self._blocks[label].copy()
            if label in targets:
                block.body[-1] = ir.Jump(targets[label], block.terminator.loc)
            todo += block.terminator.get_targets()
        for block in reached.values():
            block.body = [self._without_incoming(statement, reached) for statement in block.body]
        return dict(sorted(reached.items()))

    def _without_incoming(self, statement: Any, reached: dict[int, Any]) -> Any:
        value = getattr(statement, "value", None)
        if not isinstance(statement, ir.Assign) or not isinstance(value, ir.Expr) or value.op != "phi":
            return statement
        phi = ir.Expr.phi(value.loc)
        for block, each in zip(value.incoming_blocks, value.incoming_values, strict=True):
            if block in reached:
                phi.incoming_blocks.append(block)
                phi.incoming_values.append(each)
        return ir.Assign(phi, statement.target, statement.loc)

    # --- literals ---

    def are_literals(self) -> Iterator[Place]:
        """Scalars that are given to an implementation that wants to know the value where there is one."""
        for call in self._calls():
            if _prefers_literals(self._typemap.get(call.func.name)):
                for each in (*call.args, *(value for _, value in call.kws)):
                    yield from self._places(each)
        for operator_of in self._operators():
            places = frozenset().union(*map(self._places, operator_of.list_vars()))
            function = operator.getitem if operator_of.op == "getitem" else operator_of.fn
            if places and _prefers_literals(self._state.typingctx.resolve_value_type(function), by_program=True):
                yield from places

    def _operators(self) -> Iterator[Any]:
        for block in self._blocks.values():
            for operators in ("binop", "inplace_binop", "unary", "getitem"):
                yield from block.find_exprs(operators)

    def _calls(self) -> Iterator[Any]:
        for block in self._blocks.values():
            yield from block.find_exprs("call")

    # --- sizes of arrays ---

    def are_sizes(self) -> Iterator[Place]:
        """Ints that may be the size of an array, which parallel code treats in another way if it is 1."""
        for call in self._calls():
            if isinstance(self._state.calltypes[call].return_type, types.Array | types.SliceType | types.BaseTuple):
                for each in (*call.args, *(value for _, value in call.kws)):
                    if isinstance(self._type(each), types.Integer | types.BaseTuple):
                        yield from self._places(each)


def _prefers_literals(kind: Any, by_program: bool = False) -> bool:
    """Whether a function has an implementation (one that is the program's) that is first asked with literals."""
    templates = (kind.template,) if isinstance(kind, types.BoundFunction) else getattr(kind, "templates", ())
    return any(
        template.prefer_literal and not (by_program and is_numbas(getattr(template, "_overload_func", template)))
        for template in templates
    )
