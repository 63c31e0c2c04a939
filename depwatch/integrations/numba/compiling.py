"""Compiling: what numba does is followed from the start of each compilation to its end, and committed then."""

import functools
import time
import weakref
from typing import Any, Final, override

from numba.core import errors, event, types
from numba.core.dispatcher import Dispatcher

from depwatch import DepwatchError, Stale, Unwatchable, _core
from depwatch.integrations.numba import choices, passes, recursion
from depwatch.integrations.numba.compilation import (
    Active,
    Attempt,
    Compilation,
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
from depwatch.integrations.numba.linked import (
    Code,
    alive,
    enter_library,
    is_right,
    keep_from_numbas_disk,
    libraries_in,
    unwatched,
    used_in,
    versions_of,
)
from depwatch.integrations.numba.own import is_numbas_own
from depwatch.integrations.numba.pickling import let_pickle
from depwatch.integrations.numba.plain import OnRefusal, note_function
from depwatch.integrations.numba.reads import DefaultsRead, code_of
from depwatch.integrations.numba.refusals import check_defaults, check_dispatcher, check_library, forgo_disk
from depwatch.integrations.numba.version import Version
from depwatch.integrations.numba.views import with_subclasses

ATTEMPTS: Final = 8  # at compiling something while somebody changes it


# Both are used with numba's compiler lock held.
_callers: Final[list[Active]] = []  # not watched, but linked with what is
_failed: Final[list[Active]] = []  # numba's own functions that could not be compiled, and may be after a change


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
        if version.result.metadata is not None:  # it was compiled here
            version.result.metadata.pop("timers", None)  # numba notes anew how long it took, and insists on the first
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
        keep_for_good(alive(libraries_in(result.library)))
        function.list_plain()
        return result

    def _compile_followed(self, active: Active, function: Function, requested: Any) -> Version:
        check_defaults(active.dispatcher, requested[0])
        attempt = Attempt(function.policy in ("bulk", "error"))
        attempts, compiler = 0, None
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
                compiler = self if compiler is None else type(self)(*self._arguments)  # it is good for one attempt
                result = super(Following, compiler).compile_extra(active.dispatcher.py_func)  # type: ignore[misc]
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
                if committed is None:
                    recursion.drop(active)
                    if not compilation.cells.committed:
                        compilation.cells.close()
            if committed is not None:
                return committed
            attempts += 1
        raise Stale(
            f"{function.name}: what it reads changed {ATTEMPTS} times while it was compiled; stop changing it meanwhile"
        )


def _commit(active: Active, compilation: Compilation, result: Any, requested: Any) -> Version | None:
    """The finished version with its handle, or None: compile again."""
    libraries = libraries_in(result.library)
    if _adopt_all(libraries, compilation.function):
        return None
    linked = versions_of(libraries[1:])
    callees = [*(version for version in linked if version is not None), *compilation.called_back]
    called_back = recursion.outermost(active, callees)
    circle = recursion.members(active) if called_back == active.depth else []
    if compilation.quiet and not all(callee.quiet for callee in callees):
        compilation.attempt.loud = True
        raise NeedsOtherAttempt
    used = [*active.used, *used_in(libraries)]
    for each in [] if active.unsettled else used:
        compilation.add_all(each.reads())
    if used or callees:
        forget_internal(active)
    reads = compilation.reads
    consistent = compilation.consistent and not active.unsettled and None not in linked
    for callee in callees:
        for read in callee.reads:
            consistent &= reads.add(read)
    if consistent:
        compilation.cells.commit()
        version = Version(compilation, result, requested, callees)
        compilation.function.dispatcher.targetctx._defns.pop(result.entry_point, None)
        version.why_not_stored = _why_not_stored(libraries, callees)
        if compilation.called_back or circle or called_back < active.depth:
            version.why_not_stored = "it calls back a function that calls it"
        enter_library(result.library, version)
        if recursion.is_called_back(result, [library for library in libraries if library in unwatched]):
            keep_for_good([version])
        compilation.function.compiled(version, time.perf_counter() - active.start)
        if called_back < active.depth:
            recursion.leave_open(version, active, called_back)
            return version
        if recursion.close(version, circle) and version.try_to_rely():
            for member in circle:
                member.try_to_rely()
            return version
        compilation.function.aside.append(version)  # right for what was so when numba read it: that may come again
    for library in libraries:  # what numba compiled for itself, with code linked in that may be out of date
        _forget_unwatched(library)
    return None


def _why_not_stored(libraries: list[Any], callees: list[Version]) -> str | None:
    """What keeps code from the disk that is linked in and whose reads nobody knows, or None."""
    for library in libraries:
        code = unwatched.get(library)
        dispatcher = code.dispatcher() if code is not None else None
        if code is not None and (dispatcher is None or not is_numbas_own(dispatcher.py_func)):
            return f"{library.name} is linked in, which is plain numba"
    return next((callee.why_not_stored for callee in callees if callee.why_not_stored is not None), None)


def _forget_unwatched(library: Any) -> None:
    code = unwatched.get(library)
    dispatcher = code.dispatcher() if code is not None else None
    if code is not None and dispatcher is not None and versions_of(libraries_in(library)):
        del unwatched[library]
        forget(dispatcher, code.arguments)


def _adopt_all(libraries: list[Any], adopter: Function) -> bool:
    """Watch what was compiled before without being watched, so that it is compiled again. True if there was any.

    Raises Unwatchable for what stays plain numba, if that is linked into what must not have any.
    """
    any_adopted = False
    for library in libraries:
        if adopter.on_refusal == "raise" and not versions_of([library]):
            check_library(adopter.name, library)
        code = unwatched.get(library)
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
        attach(dispatcher, function, _following(dispatcher._compiler.pipeline_class), is_followed, forgo_disk)
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


def callers_now() -> list[Function]:
    """The watched functions that are being compiled, innermost last."""
    return [active.compilation.function for active in stack if active.compilation is not None]


def watch_for(callers: list[Function], dispatcher: Any) -> Function | None:
    """Watch a function that watched ones call, and return it; None if nobody has to."""
    function = function_of(dispatcher)
    if function is None and callers and type(dispatcher).__name__ == "CPUDispatcher":
        if not is_numbas_own(dispatcher.py_func):
            by = callers[-1]
            return _attached(dispatcher, by.policy, by.keep, by.on_refusal)
    return function


class _Listener(event.Listener):  # type: ignore[misc]
    """Follows all that numba compiles: what a watched function is linked with, and what is linked with one."""

    @override
    def on_start(self, event: Any) -> None:
        dispatcher, arguments = event.data["dispatcher"], tuple(event.data["args"])
        callers = callers_now()
        stack.append(Active(dispatcher, arguments))  # first of all: the end is announced whatever happens here
        watch_for(callers, dispatcher)

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
        if result is None and (function is not None or active.used or active.lacks_callee):
            if stack:
                stack[-1].lacks_callee = True
            if function is None:
                _failed.append(active)
        if not stack:
            _forget_failures()
        if not stack and _callers:
            _watch_callers()


def _forget_failures() -> None:
    """Let numba try again what could not be compiled: it keeps the error, and raises it whatever has changed."""
    for active in _failed:
        errors_kept = getattr(getattr(active.dispatcher, "_compiler", None), "_failed_cache", {})
        for key in [key for key in errors_kept if key[0] == active.arguments]:
            del errors_kept[key]
    _failed.clear()


def _note_unwatched(active: Active, library: Any, may_watch: bool) -> None:
    dispatcher = active.dispatcher
    unwatched[library] = Code(weakref.ref(dispatcher), active.arguments, tuple(active.used))
    libraries = libraries_in(library)
    versions = versions_of(libraries)
    if not versions and not used_in(libraries):
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
        if result is not None and not is_right(result.library):
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
    linked = alive(libraries_in(result.library)) if result is not None else []
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
    for found in _core.held(with_subclasses([Dispatcher]), [], True):
        for arguments, result in found.overloads.items():
            unwatched[result.library] = Code(weakref.ref(found), arguments, ())


choices.follow()
passes.follow()
keep_from_numbas_disk()
event.register("numba:compile", _Listener())
_note_earlier()
