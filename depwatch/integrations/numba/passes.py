"""Passes: ours among numba's. They note what is read, and let scalars be loaded from cells."""

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from numba.core.compiler_machinery import AnalysisPass, FunctionPass, register_pass
from numba.core.inline_closurecall import InlineWorker
from numba.core.ir import Assign, Expr, FreeVar, Global, Var
from numba.core.ir_utils import build_definitions
from numba.core.typed_passes import NopythonTypeInference
from numba.core.typing.context import BaseContext
from numba.core.untyped_passes import InlineClosureLikes, IRProcessing, WithLifting
from numba.np.ufunc.dufunc import DUFunc

from depwatch import MISSING
from depwatch.integrations.numba import addresses, cells, finding, needs, recursion, ufuncs
from depwatch.integrations.numba.blocks import take_blocks
from depwatch.integrations.numba.cells import Cell
from depwatch.integrations.numba.compilation import Compilation, Place, collecting, current, stack
from depwatch.integrations.numba.own import is_built_on, is_numbas, is_numbas_own
from depwatch.integrations.numba.reads import ModuleRead, PartRead, Read, code_of
from depwatch.integrations.numba.refusals import check_types, check_value
from depwatch.values import is_a


def insert(manager: Any) -> None:
    """Put our passes where they belong in one of numba's pipelines."""
    manager.add_pass_after(NoteTypesOfObjectMode, IRProcessing)
    manager.add_pass_after(NoteOwnReads, WithLifting)  # what is inside `with objmode` is taken out by then
    manager.add_pass_after(LoadCells, InlineClosureLikes)
    manager.add_pass_after(NoteTypes, NopythonTypeInference)
    manager.finalize()


def follow() -> None:
    """Note also what code reads that is copied into its callers (inline="always"), and attributes that typing finds."""
    run_untyped_passes = InlineWorker.run_untyped_passes

    @functools.wraps(run_untyped_passes)
    def noting(self: Any, func: Any, *arguments: Any, **keywords: Any) -> Any:
        if stack and not is_numbas_own(func):
            collecting().add_all(_of_copied(func))
            define = self._compiler_pipeline

            def with_notes(state: Any) -> Any:
                manager = define(state)
                manager.add_pass_after(NoteReads, WithLifting)
                manager.add_pass_after(NoteReads, InlineClosureLikes)
                return manager

            self._compiler_pipeline = with_notes
        return run_untyped_passes(self, func, *arguments, **keywords)

    InlineWorker.run_untyped_passes = noting
    resolve_module_constants = BaseContext.resolve_module_constants

    @functools.wraps(resolve_module_constants)
    def noting_attribute(self: Any, typ: Any, attr: str) -> Any:
        if stack:
            _note_attribute(typ.pymod, attr)
        return resolve_module_constants(self, typ, attr)

    BaseContext.resolve_module_constants = noting_attribute


def _of_copied(function: types.FunctionType) -> Iterator[Read]:
    """What numba takes from a function that it copies into its callers. Raises Unwatchable."""
    yield code_of(function)
    for value in function.__defaults__ or ():
        check_value(f"a default of {function.__qualname__}, which is copied into its callers,", value)
    yield PartRead(function, "defaults", function.__defaults__)


def _note_attribute(module: types.ModuleType, name: str) -> None:
    """An attribute of a module that typing has come upon: code may get a module as an argument, or numba's own code."""
    if is_numbas(module) or (stack[-1].compilation is None and is_built_on(module)):
        return
    collecting().add_all(_of_module(module, name))


def _of_module(module: types.ModuleType, name: str) -> Iterator[Read]:
    value = getattr(module, name, MISSING)
    check_value(f"{name!r} of {module.__name__!r}", value)
    yield ModuleRead(module, name, value)


@register_pass(mutates_CFG=False, analysis_only=True)
class NoteTypesOfObjectMode(AnalysisPass):  # type: ignore[misc]
    """Note where the types in `with objmode(x=...)` come from; and the blocks, once numba has taken them out."""

    _name = "depwatch_note_types_of_object_mode"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        function, compilation = state.func_id.func, current()
        compilation.add_all(finding.types_of_object_mode(function, state.func_ir))
        if state.lifted and not compilation.blocks:
            compilation.blocks = take_blocks(function, state.lifted)
        return False


@register_pass(mutates_CFG=False, analysis_only=False)
class NoteReads(FunctionPass):  # type: ignore[misc]
    """Note what the function reads and has built in, before any of it is folded away."""

    _name = "depwatch_note_reads"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        collecting().add_all(_built_in(state, lambda value: False))
        return True


def _built_in(
    state: Any, has_cell: Callable[[Any], bool], check: Callable[[str, Any], None] = check_value
) -> Iterator[Read]:
    """What the code reads and will not load from a cell. Raises Unwatchable."""
    function, func_ir = state.func_id.func, state.func_ir
    yield from finding.fold_getattr(function, func_ir)
    yield from finding.in_object_mode(function, func_ir)
    for _, _, statement in finding.assignments(func_ir):
        if has_cell(statement.value):
            continue
        if (read := finding.read_of(function, func_ir, statement.value, check)) is not None:
            yield read


def _cell_for(compilation: Compilation, state: Any, value: Any) -> tuple[Cell, Place] | None:
    if isinstance(value, Global):
        if value.name not in finding.names_in(state.func_id.func.__code__):
            return None
        owner, name, found = state.func_id.func, value.name, value.value
        place = Place(id(owner.__globals__), name, False)
    else:
        owner = finding.attribute_owner(state.func_ir, value)
        if owner is None or is_a(owner, type):
            return None
        name, found = value.attr, getattr(owner, value.attr, None)
        place = Place(id(owner), name, True)
    if compilation.attempt.builds_in(place):
        return None
    cell = compilation.cells.get(owner, name, found)
    return None if cell is None else (cell, place)


@register_pass(mutates_CFG=False, analysis_only=False)
class NoteOwnReads(FunctionPass):  # type: ignore[misc]
    """Note what the function itself reads, apart from what it will load from cells."""

    _name = "depwatch_note_own_reads"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        has_cell = lambda value: _cell_for(compilation, state, value) is not None  # noqa: E731
        compilation.add_all(_built_in(state, has_cell, ufuncs.check_but_ufuncs))
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class LoadCells(FunctionPass):  # type: ignore[misc]
    """Load scalars from cells, once closures that are called where they are defined have been copied in."""

    _name = "depwatch_load_cells"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        NoteOwnReads().run_pass(state)
        function, func_ir = state.func_id.func, state.func_ir
        found = [
            (block, statement, *cell)
            for block, _, statement in finding.assignments(func_ir)
            if (cell := _cell_for(compilation, state, statement.value)) is not None
        ]
        compilation.calls_quietly = not compilation.attempt.loud and finding.is_quiet(function, func_ir, state.flags)
        compilation.quiet = bool(found) and compilation.calls_quietly
        shared = bool(state.flags.release_gil)
        compilation.loads.update((id(cells.load(cell.symbol, cell.kind, shared)), place) for *_, cell, place in found)
        loads = [(block, statement, cell) for block, statement, cell, _ in found]
        if compilation.quiet:
            _load_first(state, loads)
        else:
            _load_where_read(state, loads)
        copied = [_copy_ufunc(compilation, func_ir, statement) for _, _, statement in finding.assignments(func_ir)]
        if found or any(copied):
            func_ir._definitions = build_definitions(func_ir.blocks)
            state.typingctx.refresh()
            state.targetctx.refresh()
        return bool(found) or any(copied)


def _copy_ufunc(compilation: Compilation, func_ir: Any, statement: Any) -> bool:
    """Put the copy of a ufunc in its place, if that is what a right-hand side is."""
    value = statement.value
    if isinstance(value, Var):
        return False
    ufunc = finding.constant(func_ir, value)
    if not is_a(ufunc, DUFunc):
        return False
    statement.value = FreeVar(0, "ufunc", ufuncs.copy_for(compilation.function, ufunc), statement.loc)
    return True


def _load(scope: Any, location: Any, number: int, cell: Cell, shared: bool, target: Any) -> list[Any]:
    """The statements that load a cell."""
    loader = Var(scope, f"$depwatch_{number}.{cell.name}", location)
    return [
        Assign(FreeVar(0, f"load {cell.name}", cells.load(cell.symbol, cell.kind, shared), location), loader, location),
        Assign(Expr.call(loader, (), (), location), target, location),
    ]


def _load_where_read(state: Any, found: list[tuple[Any, Any, Cell]]) -> None:
    for number, (block, statement, cell) in enumerate(found):
        target = statement.target
        at = block.body.index(statement)
        block.body[at : at + 1] = _load(target.scope, statement.loc, number, cell, state.flags.release_gil, target)


def _load_first(state: Any, found: list[tuple[Any, Any, Cell]]) -> None:
    """Each cell once, where the code begins: LLVM could not do that, as a store into an array might be to the cell."""
    first = state.func_ir.blocks[min(state.func_ir.blocks)]
    scope, location = first.scope, state.func_ir.loc
    values: dict[Cell, Any] = {}
    for _, statement, cell in found:
        if cell not in values:
            values[cell] = Var(scope, f"$depwatch_value_{len(values)}.{cell.name}", location)
        statement.value = values[cell]
    first.body[:0] = [
        line
        for number, (cell, value) in enumerate(values.items())
        for line in _load(scope, location, number, cell, False, value)
    ]


@register_pass(mutates_CFG=False, analysis_only=True)
class NoteTypes(AnalysisPass):  # type: ignore[misc]
    """Refuse types that code cannot be taken back for, and see whether the code has to be compiled in another way."""

    _name = "depwatch_note_types"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        check_types(compilation.function.dispatcher, addresses.types_of_values(state))
        needs.check(compilation, state, recursion.note(state))
        return False
