"""Compiling: what numba does is followed from the start of each compilation to its end, and committed then."""

import functools
import gc
import weakref
from typing import Any, Final, override

from numba.core import errors, event, types
from numba.core.dispatcher import Dispatcher

from depwatch import DepwatchError, Recorder, Stale, Unwatchable
from depwatch.integrations.numba import passes
from depwatch.integrations.numba.compilation import Active, Compilation, is_followed, stack
from depwatch.integrations.numba.function import (
    KEEP,
    Function,
    Policy,
    attach,
    forget,
    function_of,
    is_numbas_own,
    keep_for_good,
)
from depwatch.integrations.numba.plain import OnRefusal, note_function
from depwatch.integrations.numba.reads import CodeRead, DefaultsRead
from depwatch.integrations.numba.refusals import check_dispatcher, check_library, forgo_disk
from depwatch.integrations.numba.version import UNSTABLE_AFTER, Version

ATTEMPTS: Final = 8  # at compiling something while somebody changes it


# These are used with numba's compiler lock held, by one thread at a time.
_callers: Final[list[Active]] = []  # not watched, but linked with what is
_watched: Final[weakref.WeakKeyDictionary[Any, weakref.ref[Version]]] = weakref.WeakKeyDictionary()  # by library
_unwatched: Final[weakref.WeakKeyDictionary[Any, tuple[weakref.ref[Any], tuple[Any, ...]]]] = (
    weakref.WeakKeyDictionary()
)


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


class Following:
    """What a compiler class of numba's becomes, so that its compilations are followed."""

    unfollowed: type[Any]  # that class

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._arguments = arguments

    def define_pipelines(self) -> list[Any]:
        managers: list[Any] = super().define_pipelines()  # type: ignore[misc]
        for manager in managers:
            passes.insert(manager)
        return managers

    def compile_extra(self, compiled: Any) -> Any:
        active = stack[-1]
        function = function_of(active.dispatcher)
        assert function is not None and active.dispatcher.py_func is compiled
        _, _, _, arguments, return_type, *_ = self._arguments
        requested = (tuple(arguments), return_type)
        for kind in arguments:
            if isinstance(kind, types.Dispatcher):  # other functions are found where they are read
                forgo_disk(kind.dispatcher)
        version = self._compile_unless_plain(active, function, requested)
        if version is None:
            return self._compile_plain(function, compiled)
        function.enter(version)
        version.result.metadata.pop("timers", None)  # numba notes anew how long it took, and insists on being the first
        return version.result

    def _compile_unless_plain(self, active: Active, function: Function, requested: Any) -> Version | None:
        if function.plain is None:
            try:
                return self._compile_followed(active, function, requested)
            except DepwatchError as error:
                function.stay_plain(error)
        return None

    def _compile_plain(self, function: Function, compiled: Any) -> Any:
        """As numba does. What is watched of that which it links must stay as long as the code."""
        result = self.unfollowed(*self._arguments).compile_extra(compiled)
        keep_for_good(_versions(_linked(result.library)))
        function.list_plain()
        return result

    def _compile_followed(self, active: Active, function: Function, requested: Any) -> Version:
        frozen = function.policy in ("bulk", "error")
        for _ in range(ATTEMPTS):
            if (version := function.from_aside(requested)) is not None:
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
                version.rely(recorder.commit(owner=version))
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
    """Watch what was compiled before without being watched, so that it is compiled again. True if there was any.

    Raises Unwatchable for what stays plain numba, if that is linked into what must not have any.
    """
    any_adopted = False
    for library in libraries:
        if adopter.on_refusal == "raise":
            check_library(adopter.name, library)
        reference, _ = _unwatched.get(library, (None, ()))
        dispatcher = reference() if reference is not None else None
        if dispatcher is None or is_numbas_own(dispatcher.py_func):
            continue
        function = function_of(dispatcher)
        if function is None:
            any_adopted |= watch_dispatcher(dispatcher, adopter.policy, adopter.keep, adopter.on_refusal).plain is None
        elif function.plain is not None and adopter.on_refusal == "raise":
            raise Unwatchable(f"{adopter.name} calls {function.name}, which stays plain numba: {function.plain}")
    return any_adopted


@functools.cache
def _following(pipeline_class: type) -> type:
    return type(f"Following{pipeline_class.__name__}", (Following, pipeline_class), {"unfollowed": pipeline_class})


def _attached(dispatcher: Any, policy: Policy, keep: int, on_refusal: OnRefusal) -> Function:
    function = Function(dispatcher, policy, keep, on_refusal)
    try:
        check_dispatcher(dispatcher)
    except Unwatchable as error:
        function.stay_plain(error)
        function.list_plain()
        dispatcher._depwatch = function
    else:
        forgo_disk(dispatcher)
        attach(dispatcher, function, _following(dispatcher._compiler.pipeline_class), is_followed)
    return function


def watch_dispatcher(dispatcher: Any, policy: Policy, keep: int, on_refusal: OnRefusal) -> Function:
    """Watch a dispatcher; what it has compiled is compiled again when it is needed."""
    function = _attached(dispatcher, policy, keep, on_refusal)
    if function.plain is not None:
        return function
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
        callers = [active.compilation for active in stack if active.compilation is not None]
        stack.append(Active(dispatcher, arguments))  # first of all: the end is announced whatever happens here
        if callers and type(dispatcher).__name__ == "CPUDispatcher" and function_of(dispatcher) is None:
            if not is_numbas_own(dispatcher.py_func):
                by = callers[-1].function
                _attached(dispatcher, by.policy, by.keep, by.on_refusal)

    @override
    def on_end(self, event: Any) -> None:
        if not stack or stack[-1].dispatcher is not event.data["dispatcher"]:
            return  # it had begun before we were imported
        active = stack.pop()
        dispatcher = active.dispatcher
        result = dispatcher.overloads.get(active.arguments)
        function = function_of(dispatcher)
        if result is not None and isinstance(dispatcher, Dispatcher) and (function is None or function.plain):
            _unwatched[result.library] = (weakref.ref(dispatcher), active.arguments)
            if function is None and not is_numbas_own(dispatcher.py_func) and _versions(_linked(result.library)):
                _callers.append(active)
        if not stack and _callers:
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


def _watch_caller(caller: Active) -> None:
    """Code that nobody asked to watch was linked with code that is watched: it would go stale with it."""
    dispatcher = caller.dispatcher
    result = dispatcher.overloads.get(caller.arguments)
    linked = _versions(_linked(result.library)) if result is not None else []
    is_method = any(isinstance(kind, types.ClassInstanceType | types.ClassType) for kind in caller.arguments)
    on_refusal: OnRefusal = "plain" if {_on_refusal(version) for version in linked} == {"plain"} else "raise"
    try:
        if is_method:
            raise Unwatchable(
                f"{dispatcher.py_func.__qualname__} is a method of a jitclass and calls a watched function: it is "
                "compiled into the class and into whoever calls it; use a function made by @njit"
            )
        check_dispatcher(dispatcher)
    except Unwatchable as error:
        if on_refusal == "plain":
            if not is_method:  # the class is listed
                note_function(dispatcher, str(error))
            keep_for_good(linked)
            return
        forget(dispatcher, caller.arguments)
        raise
    if function_of(dispatcher) is None:
        explicit = not dispatcher._can_compile
        watch_dispatcher(dispatcher, None, KEEP, on_refusal)
        if not explicit:
            dispatcher.compile(caller.arguments)


def _on_refusal(version: Version) -> OnRefusal:
    function = version.function()
    return function.on_refusal if function is not None else "raise"


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


event.register("numba:compile", _Listener())
_note_earlier()
