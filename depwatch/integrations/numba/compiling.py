"""Compiling: what numba does is followed from the start of each compilation to its end, and committed then."""

import functools
import gc
import time
import weakref
from typing import Any, Final, NamedTuple, override

from numba.core import errors, event, types
from numba.core.dispatcher import Dispatcher

from depwatch import DepwatchError, Stale, Unwatchable
from depwatch.integrations.numba import choices, passes
from depwatch.integrations.numba.choices import Used
from depwatch.integrations.numba.compilation import (
    Active,
    Attempt,
    Compilation,
    Copied,
    NeedsOtherAttempt,
    forget_internal,
    is_followed,
    stack,
)
from depwatch.integrations.numba.function import (
    KEEP,
    Function,
    Policy,
    attach,
    forget,
    function_of,
    keep_for_good,
)
from depwatch.integrations.numba.own import is_numbas_own
from depwatch.integrations.numba.pickling import let_pickle
from depwatch.integrations.numba.plain import OnRefusal, note_function
from depwatch.integrations.numba.reads import DefaultsRead, code_of
from depwatch.integrations.numba.refusals import check_defaults, check_dispatcher, check_library, forgo_disk
from depwatch.integrations.numba.version import Version
from depwatch.values import is_a

ATTEMPTS: Final = 8  # at compiling something while somebody changes it


class Code(NamedTuple):
    """What numba has compiled that is not watched."""

    dispatcher: weakref.ref[Any]
    arguments: tuple[Any, ...]
    used: tuple[Used | Copied, ...]  # of the program's, by numba


# These are used with numba's compiler lock held, by one thread at a time.
_callers: Final[list[Active]] = []  # not watched, but linked with what is
_watched: Final[weakref.WeakKeyDictionary[Any, weakref.ref[Version]]] = weakref.WeakKeyDictionary()  # by library
_unwatched: Final[weakref.WeakKeyDictionary[Any, Code]] = weakref.WeakKeyDictionary()


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


def _versions(libraries: list[Any]) -> list[Version | None]:
    """The versions that these belong to; None for one that is gone, and its cells with it."""
    return [reference() for library in libraries if (reference := _watched.get(library)) is not None]


def _alive(libraries: list[Any]) -> list[Version]:
    return [version for version in _versions(libraries) if version is not None]


def _used(libraries: list[Any]) -> list[Used | Copied]:
    return [used for library in libraries if library in _unwatched for used in _unwatched[library].used]


def _is_right(library: Any) -> bool:
    """Whether code that numba compiled for itself, with code of the program's in it, is right for what is so now."""
    libraries = _linked(library)
    versions = _versions(libraries)
    return all(version is not None and version.may_run for version in versions) and all(
        used.holds for used in _used(libraries)
    )


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
        keep_for_good(_alive(_linked(result.library)))
        function.list_plain()
        return result

    def _compile_followed(self, active: Active, function: Function, requested: Any) -> Version:
        check_defaults(active.dispatcher, requested[0])
        attempt = Attempt(function.policy in ("bulk", "error"))
        attempts = 0
        while attempts < ATTEMPTS:
            if (version := function.from_aside(requested)) is not None:
                return version
            active.compilation = compilation = Compilation(function, attempt)
            active.used, active.unsettled = [], False
            committed = None
            active.start = time.perf_counter()
            try:
                compilation.add(code_of(active.dispatcher.py_func))
                compilation.add(DefaultsRead(active.dispatcher.py_func, active.dispatcher.__defaults__))
                again = type(self)(*self._arguments)  # numba's own state is good for one attempt
                result = super(Following, again).compile_extra(active.dispatcher.py_func)  # type: ignore[misc]
                committed = _commit(active, compilation, result, requested)
            except errors.ForceLiteralArg:
                raise  # numba comes again, with other types
            except NeedsOtherAttempt:
                continue
            except errors.NumbaError:
                if attempt.frozen or not len(compilation.cells) or function.policy == "granular":
                    raise
                attempt.frozen = True  # it needs one of the values at compile time
                continue
            finally:
                active.compilation = None
                if committed is None and not compilation.cells.committed:
                    compilation.cells.close()
            if committed is not None:
                return committed
            attempts += 1
        raise Stale(
            f"{function.name}: what it reads changed {ATTEMPTS} times while it was compiled; stop changing it meanwhile"
        )


def _commit(active: Active, compilation: Compilation, result: Any, requested: Any) -> Version | None:
    """The finished version with its handle, or None: compile again."""
    libraries = _linked(result.library)
    if _adopt_all(libraries, compilation.function):
        return None
    linked = _versions(libraries[1:])
    callees = [version for version in linked if version is not None]
    if compilation.quiet and not all(callee.quiet for callee in callees):
        compilation.attempt.loud = True
        raise NeedsOtherAttempt
    used = [*active.used, *_used(libraries)]
    for each in [] if active.unsettled else used:
        compilation.add_all(each.reads())
    if used or callees:
        forget_internal(active)
    reads = compilation.reads
    consistent = compilation.consistent and not active.unsettled and len(callees) == len(linked)
    for callee in callees:
        for read in callee.reads:
            consistent &= reads.add(read)
    if consistent:
        compilation.cells.commit()
        version = Version(compilation, result, requested, callees)
        compilation.function.dispatcher.targetctx._defns.pop(result.entry_point, None)
        _watched[result.library] = weakref.ref(version)
        compilation.function.compiled(version, time.perf_counter() - active.start)
        if version.try_to_rely():
            return version
        compilation.function.aside.append(version)  # right for what was so when numba read it: that may come again
    for library in libraries:  # what numba compiled for itself, with code linked in that may be out of date
        _forget_unwatched(library)
    return None


def _forget_unwatched(library: Any) -> None:
    code = _unwatched.get(library)
    dispatcher = code.dispatcher() if code is not None else None
    if code is not None and dispatcher is not None and _versions(_linked(library)):
        del _unwatched[library]
        forget(dispatcher, code.arguments)


def _adopt_all(libraries: list[Any], adopter: Function) -> bool:
    """Watch what was compiled before without being watched, so that it is compiled again. True if there was any.

    Raises Unwatchable for what stays plain numba, if that is linked into what must not have any.
    """
    any_adopted = False
    for library in libraries:
        if adopter.on_refusal == "raise":
            check_library(adopter.name, library)
        code = _unwatched.get(library)
        dispatcher = code.dispatcher() if code is not None else None
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
        let_pickle(dispatcher, function)
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
        dispatcher, arguments = event.data["dispatcher"], tuple(event.data["args"])
        if stack and stack[-1].dispatcher is dispatcher and stack[-1].arguments == arguments:
            active = stack.pop()
        else:  # begun before this was imported
            active = Active(dispatcher, arguments)
        result = dispatcher.overloads.get(arguments)
        function = function_of(dispatcher)
        if isinstance(dispatcher, Dispatcher) and (function is None or function.plain is not None):
            if result is not None:
                _note_unwatched(active, result.library, function is None)
            elif stack:  # it does not compile because of what it read, and numba may do without it
                stack[-1].used += active.used
            if stack:
                stack[-1].unsettled |= active.unsettled
        if not stack and _callers:
            _watch_callers()


def _note_unwatched(active: Active, library: Any, may_watch: bool) -> None:
    dispatcher = active.dispatcher
    _unwatched[library] = Code(weakref.ref(dispatcher), active.arguments, tuple(active.used))
    libraries = _linked(library)
    versions = _versions(libraries)
    if not versions and not _used(libraries):
        return
    forget_internal(active)
    if is_numbas_own(dispatcher.py_func):
        _check_before_use(dispatcher)
    elif versions and may_watch:
        _callers.append(active)


def _check_before_use(dispatcher: Any) -> None:
    """Before code that numba compiled for itself is linked once more: see whether what is in it may run still."""
    get_call_template = type(dispatcher).get_call_template
    owner = weakref.ref(dispatcher)

    def for_callers(args: Any, kws: Any) -> Any:
        itself = owner()
        assert itself is not None
        arguments = tuple(itself.fold_argument_types(args, kws)[1])
        result = itself.overloads.get(arguments)
        if result is not None and not _is_right(result.library):
            forget(itself, arguments)
        return get_call_template(itself, args, kws)

    dispatcher.get_call_template = for_callers


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
    linked = _alive(_linked(result.library)) if result is not None else []
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
        if is_a(found, Dispatcher):
            for arguments, result in found.overloads.items():
                _unwatched[result.library] = Code(weakref.ref(found), arguments, ())


choices.follow()
passes.follow()
event.register("numba:compile", _Listener())
_note_earlier()
