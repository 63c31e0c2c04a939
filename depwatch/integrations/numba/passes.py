"""Passes: ours among numba's. They note what is read, and let scalars be loaded from cells."""

from collections.abc import Iterator
from typing import Any

from numba.core import types
from numba.core.compiler_machinery import AnalysisPass, FunctionPass, register_pass
from numba.core.ir import Assign, Expr, FreeVar, Global, Var
from numba.core.ir_utils import build_definitions
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import InlineClosureLikes, WithLifting

from depwatch.integrations.numba import addresses, cells, finding
from depwatch.integrations.numba.cells import Cell
from depwatch.integrations.numba.compilation import Compilation, current
from depwatch.integrations.numba.function import is_numbas_own
from depwatch.integrations.numba.refusals import check_types


def insert(manager: Any) -> None:
    """Put our passes where they belong in one of numba's pipelines."""
    manager.add_pass_after(NoteReads, WithLifting)  # what is inside `with objmode` is taken out by then
    manager.add_pass_after(LoadCells, InlineClosureLikes)
    manager.add_pass_after(NoteTypes, NopythonTypeInference)
    manager.finalize()


@register_pass(mutates_CFG=False, analysis_only=True)
class NoteReads(AnalysisPass):  # type: ignore[misc]
    """Note what the function reads, before any of it is folded away."""

    _name = "depwatch_note_reads"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        for _, _, statement in finding.assignments(state.func_ir):
            if not compilation.frozen and _cell_for(compilation, state, statement.value) is not None:
                continue
            if (read := finding.read_of(state.func_id.func, state.func_ir, statement.value)) is not None:
                compilation.add(read)
        return False


def _cell_for(compilation: Compilation, state: Any, value: Any) -> Cell | None:
    if isinstance(value, Global):
        if value.name not in finding.names_in(state.func_id.func.__code__):
            return None
        return compilation.cells.get(state.func_id.func, value.name, value.value)
    owner = finding.attribute_owner(state.func_ir, value)
    if owner is None or isinstance(owner, type):
        return None
    return compilation.cells.get(owner, value.attr, getattr(owner, value.attr, None))


@register_pass(mutates_CFG=False, analysis_only=False)
class LoadCells(FunctionPass):  # type: ignore[misc]
    """Load scalars from cells, once closures that are called where they are defined have been copied in."""

    _name = "depwatch_load_cells"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        NoteReads().run_pass(state)
        if compilation.frozen:
            return False
        found = [
            (block, statement, cell)
            for block, _, statement in finding.assignments(state.func_ir)
            if (cell := _cell_for(compilation, state, statement.value)) is not None
        ]
        compilation.quiet = bool(found) and finding.is_quiet(state.func_id.func, state.func_ir, state.flags)
        if compilation.quiet:
            _load_first(state, found)
        else:
            _load_where_read(state, found)
        if found:
            state.func_ir._definitions = build_definitions(state.func_ir.blocks)
            state.typingctx.refresh()
            state.targetctx.refresh()
        return bool(found)


def _load(scope: Any, location: Any, number: int, cell: Cell, shared: bool, target: Any) -> list[Any]:
    """The statements that load a cell."""
    loader = Var(scope, f"$depwatch_{number}.{cell.name}", location)
    return [
        Assign(
            FreeVar(0, f"load {cell.name}", cells.load(cell.address, cell.kind, shared), location), loader, location
        ),
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
    """Note which @overloads typing has found, and refuse types that compiled code cannot be taken back for."""

    _name = "depwatch_note_types"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = current()
        found = set(state.typemap.values())
        check_types(compilation.function.dispatcher, addresses.types_of_values(state))
        for template in _templates(state, found):
            _note_template(compilation, template)
        return False


def _templates(state: Any, found: set[Any]) -> Iterator[Any]:
    """What typing looked functions, methods and attributes up in, if an @overload of any kind is behind it."""
    bodies = [kind.template._overload_func for kind in found if hasattr(getattr(kind, "template", 0), "_overload_func")]
    for _, _, statement in finding.assignments(state.func_ir):
        if isinstance(statement.value, Expr) and statement.value.op == "getattr":
            of = state.typemap.get(statement.value.value.name)
            for template in state.typingctx._get_attribute_templates(of):
                if getattr(template, "_attr", None) == statement.value.attr and hasattr(template, "_overload_func"):
                    bodies.append(template._overload_func)
    functions = [kind for kind in found if isinstance(kind, types.Function)]
    # numba types a method or attribute as a call of the function that was decorated.
    functions += [state.typingctx.resolve_value_type(body) for body in bodies if not is_numbas_own(body)]
    for function in functions:
        yield from (template for template in function.templates if hasattr(template, "_overload_func"))


def _note_template(compilation: Compilation, template: Any) -> None:
    body = template._overload_func
    if is_numbas_own(body):
        return
    compilation.templates.add(template)
    made = [made for made, _ in template._impl_cache.values() if made is not None]
    compilation.add_all(finding.loads_of(body, {dispatcher.py_func.__code__ for dispatcher in made}))
    if not template._inline.is_never_inline:
        for dispatcher in made:
            compilation.add_all(finding.written_in(dispatcher.py_func))
