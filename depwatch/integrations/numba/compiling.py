"""Compiling: what numba does is followed from the start of each compilation to its end, and committed then."""

import functools
import gc
import sys
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final, override

from numba import __version__ as numba_version
from numba.core import errors, event, types
from numba.core.base import BaseContext
from numba.core.codegen import CodeLibrary
from numba.core.compiler_machinery import AnalysisPass, FunctionPass, register_pass
from numba.core.dispatcher import Dispatcher, _FunctionCompiler
from numba.core.ir import Assign, Expr, FreeVar, Global, Var
from numba.core.ir_utils import build_definitions
from numba.core.typed_passes import NopythonTypeInference
from numba.core.typing.context import BaseContext as BaseTypingContext
from numba.core.untyped_passes import InlineClosureLikes, WithLifting
from numba.np.ufunc.ufuncbuilder import UFuncDispatcher

from depwatch import Recorder, Stale, Unwatchable
from depwatch.integrations.numba import cells, finding
from depwatch.integrations.numba.cells import Cell, Cells
from depwatch.integrations.numba.function import (
    KEEP,
    Function,
    Policy,
    attach,
    forget,
    function_of,
    is_numbas_own,
)
from depwatch.integrations.numba.reads import CodeRead, DefaultsRead, Read, Reads, VariableRead
from depwatch.integrations.numba.refusals import check_dispatcher, check_library, check_types
from depwatch.integrations.numba.version import UNSTABLE_AFTER, Version

ATTEMPTS: Final = 8  # at compiling something while somebody changes it


class Compilation:
    """One attempt at compiling one function for some types of arguments: what it has read so far."""

    def __init__(self, function: Function, frozen: bool) -> None:
        self.function: Final = function
        self.frozen: Final = frozen  # scalars too have no cells
        self.reads: Final = Reads()
        self.cells: Final = Cells(function.name)
        self.templates: Final[set[Any]] = set()
        self.quiet = False  # whether nothing can change while the code runs
        self.consistent = True  # nothing was read twice with different values

    def add(self, read: Read) -> None:
        if self.function.policy == "granular" and not isinstance(read, VariableRead):
            finding.check_granular(read)
        self.consistent &= self.reads.add(read)
        value: Any = read.value
        if finding.is_inlined(value):
            self.add_all(finding.written_in(value.py_func))

    def add_all(self, reads: Iterator[Read]) -> None:
        for read in reads:
            self.add(read)


class _Active:
    """A compilation of a dispatcher's that numba has begun and not ended."""

    def __init__(self, dispatcher: Any, arguments: tuple[Any, ...]) -> None:
        self.dispatcher: Final = dispatcher
        self.arguments: Final = arguments
        self.compilation: Compilation | None = None  # None: numba compiles it without us


# All of these are used with numba's compiler lock held, by one thread at a time.
_active: Final[list[_Active]] = []
_callers: Final[list[_Active]] = []  # not watched, but linked with what is
_watched: Final[weakref.WeakKeyDictionary[Any, weakref.ref[Version]]] = weakref.WeakKeyDictionary()  # by library
_unwatched: Final[weakref.WeakKeyDictionary[Any, tuple[weakref.ref[Any], tuple[Any, ...]]]] = (
    weakref.WeakKeyDictionary()
)


def is_followed() -> bool:
    """Whether what is being compiled just now, innermost, belongs to a dispatcher.

    @cfunc and ufuncs compile too, in ways that numba announces to nobody; only the stack tells.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _FunctionCompiler._compile_core.__code__:
            compiler = frame.f_locals["self"]
            return bool(_active) and getattr(_active[-1].dispatcher, "_compiler", None) is compiler
        if frame.f_code is UFuncDispatcher._compile_core.__code__:
            return False
        frame = frame.f_back
    return False


def _linked(library: Any) -> list[Any]:
    """All libraries whose code is in this one, itself first."""
    found = {library: None}
    todo = [library]
    while todo:
        for other in todo.pop()._linking_libraries:
            if other not in found:
                found[other] = None
                todo.append(other)
    return list(found)


def _versions(libraries: list[Any]) -> list[Version]:
    found = (reference() for library in libraries if (reference := _watched.get(library)) is not None)
    return [version for version in found if version is not None]


# --- passes -----------------------------------------------------------------------------------------------------------


def _compilation() -> Compilation:
    compilation = _active[-1].compilation
    assert compilation is not None
    return compilation


@register_pass(mutates_CFG=False, analysis_only=True)
class NoteReads(AnalysisPass):  # type: ignore[misc]
    """Note what the function reads, before any of it is folded away."""

    _name = "depwatch_note_reads"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        compilation = _compilation()
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
        compilation = _compilation()
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
        compilation = _compilation()
        found = set(state.typemap.values())
        check_types(compilation.function.dispatcher, found)
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


# --- the pipeline -----------------------------------------------------------------------------------------------------


class Following:
    """What a compiler class of numba's becomes, so that its compilations are followed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._arguments = arguments

    def define_pipelines(self) -> list[Any]:
        managers: list[Any] = super().define_pipelines()  # type: ignore[misc]
        for manager in managers:
            manager.add_pass_after(NoteReads, WithLifting)  # what is inside `with objmode` is taken out by then
            manager.add_pass_after(LoadCells, InlineClosureLikes)
            manager.add_pass_after(NoteTypes, NopythonTypeInference)
            manager.finalize()
        return managers

    def compile_extra(self, compiled: Any) -> Any:
        active = _active[-1]
        function = function_of(active.dispatcher)
        assert function is not None and active.dispatcher.py_func is compiled
        _, _, _, arguments, return_type, *_ = self._arguments
        requested = (tuple(arguments), return_type)
        version = self._compile_followed(active, function, requested)
        function.enter(version)
        version.result.metadata.pop("timers", None)  # numba notes anew how long it took, and insists on being the first
        return version.result

    def _compile_followed(self, active: _Active, function: Function, requested: Any) -> Version:
        frozen = function.policy in ("bulk", "error")
        for _ in range(ATTEMPTS):
            if (version := function.revive(requested)) is not None:
                return version
            active.compilation = compilation = Compilation(function, frozen)
            committed = None
            try:
                compilation.add(CodeRead(active.dispatcher.py_func))
                compilation.add(DefaultsRead(active.dispatcher.py_func, active.dispatcher.__defaults__))
                again = type(self)(*self._arguments)  # numba's own state is good for one attempt
                result = super(Following, again).compile_extra(active.dispatcher.py_func)  # type: ignore[misc]
                function.compiled += 1
                committed = _commit(compilation, result, requested)
            except errors.ForceLiteralArg:
                raise  # numba comes again, with other types
            except errors.NumbaError:
                if frozen or not len(compilation.cells) or function.policy == "granular":
                    raise
                frozen = True  # it needs one of the values at compile time
            finally:
                active.compilation = None
                if committed is None and not compilation.cells.committed:
                    compilation.cells.close()
            if committed is not None:
                return committed
        raise Stale(
            f"{function.name}: what it reads changed {ATTEMPTS} times while it was compiled; stop changing it meanwhile"
        )


def _commit(compilation: Compilation, result: Any, requested: Any) -> Version | None:
    """The finished version with its handle, or None: compile again."""
    libraries = _linked(result.library)
    if _adopt_all(libraries, compilation.function):
        return None
    callees = _versions(libraries[1:])
    reads = compilation.reads
    consistent = compilation.consistent
    for callee in callees:
        for read in callee.reads:
            consistent &= reads.add(read)
    if consistent:
        compilation.cells.commit()
        templates = compilation.templates.union(*(callee.templates for callee in callees))
        version = Version(
            compilation.function, result, requested, reads, compilation.cells, callees, templates, compilation.quiet
        )
        compilation.function.dispatcher.targetctx._defns.pop(result.entry_point, None)
        _watched[result.library] = weakref.ref(version)
        recorder = Recorder(compilation.function.name, UNSTABLE_AFTER)
        try:
            if not reads.record(recorder):
                version.rely(recorder.commit())
                return version
        except Stale:
            pass
        finally:
            recorder.close()
        compilation.function.aside.append(version)  # right for what was so when numba read it: that may come again
    for library in libraries:  # what numba compiled for itself, with code linked in that may be out of date
        _forget_unwatched(library)
    return None


def _forget_unwatched(library: Any) -> None:
    reference, arguments = _unwatched.pop(library, (None, ()))
    dispatcher = reference() if reference is not None else None
    if dispatcher is not None and _versions(_linked(library)):
        forget(dispatcher, arguments)


def _adopt_all(libraries: list[Any], adopter: Function) -> bool:
    """Watch what was compiled before without being watched, so that it is compiled again. True if there was any."""
    any_adopted = False
    for library in libraries:
        check_library(adopter.name, library)
        reference, _ = _unwatched.get(library, (None, ()))
        dispatcher = reference() if reference is not None else None
        if dispatcher is not None and function_of(dispatcher) is None and not is_numbas_own(dispatcher.py_func):
            watch_dispatcher(dispatcher, adopter.policy, adopter.keep)
            any_adopted = True
    return any_adopted


@functools.cache
def _following(pipeline_class: type) -> type:
    return type(f"Following{pipeline_class.__name__}", (Following, pipeline_class), {})


def watch_dispatcher(dispatcher: Any, policy: Policy, keep: int) -> Function:
    """Watch a dispatcher; what it has compiled is compiled again when it is needed."""
    check_dispatcher(dispatcher)
    function = Function(dispatcher, policy, keep)
    attach(dispatcher, function, _following(dispatcher._compiler.pipeline_class), is_followed)
    for arguments, result in list(dispatcher.overloads.items()):
        forget(dispatcher, arguments)
        if not dispatcher._can_compile:  # it has these signatures and no others
            dispatcher._can_compile = True
            try:
                dispatcher.compile(result.signature)
            finally:
                dispatcher._can_compile = False
    return function


class _Listener(event.Listener):  # type: ignore[misc]
    """Follows all that numba compiles: what a watched function is linked with, and what is linked with one."""

    @override
    def on_start(self, event: Any) -> None:
        dispatcher, arguments = event.data["dispatcher"], tuple(event.data["args"])
        callers = [active.compilation for active in _active if active.compilation is not None]
        _active.append(_Active(dispatcher, arguments))  # first of all: the end is announced whatever happens here
        if callers and type(dispatcher).__name__ == "CPUDispatcher" and function_of(dispatcher) is None:
            if not is_numbas_own(dispatcher.py_func):
                by = callers[-1].function
                function = Function(dispatcher, by.policy, by.keep)
                check_dispatcher(dispatcher)
                attach(dispatcher, function, _following(dispatcher._compiler.pipeline_class), is_followed)

    @override
    def on_end(self, event: Any) -> None:
        active = _active.pop()
        dispatcher = active.dispatcher
        result = dispatcher.overloads.get(active.arguments)
        if result is not None and isinstance(dispatcher, Dispatcher) and function_of(dispatcher) is None:
            _unwatched[result.library] = (weakref.ref(dispatcher), active.arguments)
            if not is_numbas_own(dispatcher.py_func) and _versions(_linked(result.library)):
                _callers.append(active)
        if not _active and _callers:
            _watch_callers()


def _watch_callers() -> None:
    callers, refused = _callers[:], None
    _callers.clear()  # compiling them again comes by here too
    for caller in callers:
        try:
            _watch_caller(caller)
        except Unwatchable as error:
            refused = error
    if refused is not None:
        raise refused


def _watch_caller(caller: _Active) -> None:
    """Code that nobody asked to watch was linked with code that is watched: it would go stale with it."""
    dispatcher = caller.dispatcher
    try:
        if any(isinstance(kind, types.ClassInstanceType | types.ClassType) for kind in caller.arguments):
            raise Unwatchable(
                f"{dispatcher.py_func.__qualname__} is a method of a jitclass and calls a watched function: it is "
                "compiled into the class and into whoever calls it; use a function made by @njit"
            )
        check_dispatcher(dispatcher)
    except Unwatchable:
        forget(dispatcher, caller.arguments)
        raise
    if function_of(dispatcher) is None:
        explicit = not dispatcher._can_compile
        watch_dispatcher(dispatcher, None, KEEP)
        if not explicit:
            dispatcher.compile(caller.arguments)


def compile_as_numba_does(dispatcher: Any, signatures: list[Any]) -> None:
    """For a decorator that was given signatures: compile these now, and no others later."""
    from numba.core import typeinfer

    with typeinfer.register_dispatcher(dispatcher):
        for signature in signatures:
            dispatcher.compile(signature)
        dispatcher.disable_compile()


def _note_earlier() -> None:
    """What numba compiled before this was imported."""
    for found in gc.get_objects():
        if isinstance(found, Dispatcher):
            for arguments, result in found.overloads.items():
                _unwatched[result.library] = (weakref.ref(found), arguments)


def _check_numba() -> None:
    """numba promises none of what this needs: where it is missing, say so before anything goes wrong."""
    needed = {
        Dispatcher: ("_insert", "_clear", "_can_compile", "get_call_template", "compile", "enable_caching"),
        _FunctionCompiler: ("_compile_core",),
        UFuncDispatcher: ("_compile_core",),
        CodeLibrary: ("_disable_inspection",),
        BaseContext: ("insert_user_function",),
        BaseTypingContext: ("_get_attribute_templates",),
    }
    missing = [
        f"{owner.__name__}.{name}" for owner, names in needed.items() for name in names if not hasattr(owner, name)
    ]
    if missing:
        raise ImportError(f"numba {numba_version} lacks {', '.join(missing)}, which depwatch needs; use numba 0.68")


_check_numba()
event.register("numba:compile", _Listener())
_note_earlier()
