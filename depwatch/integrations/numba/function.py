"""Functions: a dispatcher of numba's that is watched, and which of its versions numba calls."""

import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from numba.core import sigutils
from numba.core import typing as numba_typing
from numba.core.compiler_lock import global_compiler_lock

from depwatch import DepwatchError, Unwatchable, drain
from depwatch.integrations.numba.breaks import Breaks
from depwatch.integrations.numba.plain import OnRefusal, note_function
from depwatch.integrations.numba.version import Changed, Version, described

type Policy = Literal["bulk", "granular", "error"] | None
POLICIES: Final = ("bulk", "granular", "error", None)
KEEP: Final = 8  # versions of a function that are kept aside by default

# Code that numba compiled before it was watched. Nothing counts the calls that are running in it, so it stays.
_unwatched_code: Final[list[Any]] = []
# Versions that are linked into code which cannot be taken back. That goes on using their cells.
_linked_for_good: Final[set[Version]] = set()


class Stats(NamedTuple):
    """What has happened to one function."""

    compiled: int  # versions
    put_back: int  # versions that were taken out of numba's tables and came back
    renewed: int  # versions that got a new handle where they were
    aside: int  # versions that are out of the tables now, and kept


class _NeverFails(dict[Any, Any]):
    """In place of numba's memory of what does not compile: it may compile after a change."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


class Function:
    """One watched dispatcher. It belongs to the dispatcher and does not keep it alive."""

    def __init__(self, dispatcher: Any, policy: Policy, keep: int, on_refusal: OnRefusal) -> None:
        self._dispatcher: Final = weakref.ref(dispatcher)
        self.name: Final[str] = dispatcher.py_func.__qualname__
        self.on_refusal: OnRefusal = on_refusal
        self.plain: str | None = None  # why all that is compiled from now on is plain numba's
        self.policy: Policy = policy
        self.keep = keep
        self.current: Final[dict[tuple[Any, ...], Version]] = {}  # what is in numba's tables
        self.aside: Final[list[Version]] = []  # oldest first
        _functions.add(self)
        self._lingering: Final[list[Version]] = []  # dropped, but generators may still be in the code
        self.breaks: Final[defaultdict[tuple[Any, ...], Breaks]] = defaultdict(Breaks)  # by argument types
        self._counted: Final[Counter[str]] = Counter()

    @property
    def dispatcher(self) -> Any:
        found = self._dispatcher()
        assert found is not None, "whoever gets here calls it, compiles it or has it"
        return found

    @property
    def stats(self) -> Stats:
        return Stats(*_counted(self._counted), len(self.aside))

    def _counts(self, what: str) -> None:
        for counted in (self._counted, _in_all):
            counted[what] += 1

    def compiled(self, version: Version, seconds: float) -> None:
        self._counts("compiled")
        version.breaks.mend("compiled again", seconds)

    # --- numba's tables -----------------------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        """numba's native table, from its dict: it has no way to take out one entry."""
        dispatcher = self.dispatcher
        dispatcher._clear()
        for result in dispatcher.overloads.values():
            dispatcher._insert([kind._code for kind in result.signature.args], result.entry_point, result.objectmode)

    def _insert(self, version: Version) -> None:
        self.dispatcher.overloads[version.arguments] = version.result
        self._rebuild()
        self.enter(version)

    def enter(self, version: Version) -> None:
        """numba is about to enter the version in its tables, or has done so: let callers find the code to link."""
        before = self.current.get(version.arguments)
        if before is not None and before is not version:
            self.set_aside(before)
        result = version.result
        context = self.dispatcher.targetctx
        if result.entry_point not in context._defns:
            context.insert_user_function(result.entry_point, result.fndesc, [result.library])
        self.current[version.arguments] = version
        self._drop()

    def _remove(self, arguments: tuple[Any, ...], result: Any) -> None:
        dispatcher = self.dispatcher
        if dispatcher.overloads.get(arguments) is result:
            del dispatcher.overloads[arguments]
            self._rebuild()
        dispatcher.targetctx._defns.pop(result.entry_point, None)

    def take_out(self, version: Version) -> None:
        """Take the version out of numba's tables, for good."""
        self._remove(version.arguments, version.result)
        if self.current.get(version.arguments) is version:
            del self.current[version.arguments]

    def replace(self, version: Version, outermost: Version) -> None:
        """Close a version, which gives it another entry."""
        is_used = self.current.get(version.arguments) is version
        self._remove(version.arguments, version.result)
        version.close(outermost)
        if is_used:
            self._insert(version)

    def set_aside(self, version: Version) -> None:
        """Take the version out of numba's tables, and keep it."""
        self.take_out(version)
        if version in self.aside:
            return
        self.aside.append(version)

    def _drop(self) -> None:
        """Keep no more versions aside than asked for. A call that is running keeps its version."""
        while len(self.aside) > self.keep:
            dropped = self.aside.pop(0)
            dropped.rely(None)
            if dropped.makes_generators:
                self._lingering.append(dropped)

    # --- what is refused ---------------------------------------------------------------------------------------------

    def stay_plain(self, error: DepwatchError) -> None:
        """Let numba compile it without us from now on, if that is what to do about a refusal; or raise the refusal."""
        if self.on_refusal == "raise":
            raise error
        self.plain = str(error)

    def list_plain(self) -> None:
        """Numba has compiled it: list it at the end of the process."""
        assert self.plain is not None
        note_function(self.dispatcher, self.plain)

    # --- which version may run ----------------------------------------------------------------------------------------

    def from_aside(self, requested: Any) -> Version | None:
        """A version from aside that is right for what is so now. numba asks us before it compiles."""
        for version in reversed(self.aside):
            if version.requested == requested and not version.renew() and version.may_run:
                self.aside.remove(version)
                self._counts("put_back")
                return version
        return None

    def resolve(self, version: Version) -> Any:
        """The code to run where this version was asked for: its own, if all is as it was, another one's, or new code.

        Raises what numba raises if there is none, and Changed if that is what a policy says.
        """
        with global_compiler_lock:
            drain()
            if version.is_open:
                raise Unwatchable(
                    f"{self.name} calls back a function that is being compiled, and was called by code that runs while "
                    "numba compiles; call it when that is done"
                )
            if version.may_run:
                return version.result
            start = time.perf_counter()
            changed = version.renew()
            if version.may_run:
                self._counts("renewed")
                version.breaks.mend("renewed", time.perf_counter() - start)
                return version.result
            version.note_unseen(changed)
            if refused := [read for read in changed if read.key in version.raising]:
                raise Changed(
                    f"{self.name} was compiled when {'; '.join(described(read) for read in refused)}: its policy "
                    "is to raise; undo the change, or leave the policy out to compile again"
                )
            present = self.current.get(version.arguments)
            if present is version or (present is not None and not present.may_run):
                self.set_aside(present)
            return self._compile(version)

    def _compile(self, broken: Version) -> Any:
        dispatcher = self.dispatcher
        arguments, return_type = broken.requested
        may_compile = dispatcher._can_compile  # not if it was given signatures: it must have these, and no others
        dispatcher._can_compile = True
        try:
            dispatcher.compile(arguments if return_type is None else numba_typing.signature(return_type, *arguments))
        except BaseException:
            if not may_compile and broken in self.aside:
                self.aside.remove(broken)
                self._insert(broken)
            raise
        finally:
            dispatcher._can_compile = may_compile
        return dispatcher.overloads[broken.arguments]

    def put_back(self, requested: Any) -> bool:
        """Put a version from aside into numba's tables, if one is right for what is so now."""
        start = time.perf_counter()
        version = self.from_aside(requested)
        if version is not None:
            self._insert(version)
            version.breaks.mend("put back", time.perf_counter() - start)
        return version is not None

    def ready(self, arguments: tuple[Any, ...]) -> None:
        """A caller is about to be compiled with the code for these types linked in: let that be code that may run."""
        version = self.current.get(arguments)
        if version is not None and not version.may_run and not version.is_open:
            self.resolve(version)

    def may_link(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the code for these types may be linked into a caller as it is."""
        version = self.current.get(arguments)
        return version is None or version.may_run or version.is_open

    def explain(self, internals: bool) -> str:
        """What the code in use has built in and what it loads, by version, and what broke it last."""
        if self.plain is not None:
            return f"{self.name} stays plain numba: {self.plain}"
        drain()
        lines = [f"{self.name}: {', '.join(f'{number} {name}' for name, number in self.stats._asdict().items())}"]
        for arguments, breaks in self.breaks.items():
            version = self.current.get(arguments)
            if version is None:
                lines.append(f"  ({', '.join(map(str, arguments))}): does not compile now")
            else:
                lines.append(f"  {version.result.signature}: {'may run' if version.may_run else 'broken'}")
                if not version.may_run:
                    version.note_unseen(version.reads)
                lines += [f"    loads {cell.name!r} ({cell.type_name})" for cell in version.cells]
                lines += [f"    has built in: {read}" for read in version.reads if internals or not read.is_internal]
            lines += [f"    {each.told(version is not None and version.may_run)}" for each in breaks]
        return "\n".join(lines)


_in_all: Final[Counter[str]] = Counter()
_functions: Final[weakref.WeakSet[Function]] = weakref.WeakSet()


def _counted(counts: Counter[str]) -> tuple[int, int, int]:
    return counts["compiled"], counts["put_back"], counts["renewed"]


def stats_in_all() -> Stats:
    """What has happened to all functions of the process."""
    return Stats(*_counted(_in_all), sum(len(function.aside) for function in _functions))


def forget(dispatcher: Any, arguments: tuple[Any, ...]) -> None:
    """Take code that numba compiled without us out of its tables, for good."""
    result = dispatcher.overloads.pop(arguments, None)
    if result is None:
        return
    _unwatched_code.append(result)
    dispatcher.targetctx._defns.pop(result.entry_point, None)
    dispatcher._clear()
    for kept in dispatcher.overloads.values():
        dispatcher._insert([kind._code for kind in kept.signature.args], kept.entry_point, kept.objectmode)


def keep_for_good(versions: Iterable[Version]) -> None:
    """They are linked into code that cannot be taken back, and is plain numba for that: their cells must stay."""
    _linked_for_good.update(versions)


def function_of(dispatcher: Any) -> Function | None:
    """The watched function behind a dispatcher, or None."""
    found = getattr(dispatcher, "_depwatch", None)
    return found if isinstance(found, Function) else None


def attach(dispatcher: Any, function: Function, pipeline_class: type, is_followed: Any, use_store: Any) -> None:
    """Make a dispatcher compile with this pipeline, and ask the function what may be linked into callers."""
    kind = type(dispatcher)
    get_call_template, compile_anew, use_numbas_cache = kind.get_call_template, kind.compile, kind.enable_caching
    owner = weakref.ref(dispatcher)

    def for_callers(args: Any, kws: Any) -> Any:
        itself = owner()
        assert itself is not None
        if not is_followed() and function.on_refusal == "raise":
            raise Unwatchable(
                f"{function.name} is called by code that numba compiles in a way that cannot be taken back (@cfunc, "
                "@vectorize, @guvectorize, a stencil): that would go on with what is compiled now; call it from @njit "
                "code"
            )
        arguments = tuple(itself.fold_argument_types(args, kws)[1])
        for each in [arguments] if itself._can_compile else [*function.current]:
            function.ready(each)
        template, *rest = get_call_template(itself, args, kws)
        # Of all signatures numba takes the one that fits best, which may be another (`*args`; a number as a wider one).
        template.cases = [
            result.signature
            for key, result in itself.overloads.items()
            if not result.objectmode and (key == arguments or function.may_link(key))
        ]
        if not is_followed():
            keep_for_good(function.current.values())
        return template, *rest

    def enable_caching() -> None:
        itself = owner()
        assert itself is not None
        use_numbas_cache(itself)
        use_store(itself)

    def compile_or_put_back(sig: Any) -> Any:
        itself = owner()
        assert itself is not None
        args, return_type = sigutils.normalize_signature(sig)
        arguments = tuple(args)
        with global_compiler_lock:
            if (
                arguments in itself.overloads
                or not itself._can_compile
                or not function.put_back((arguments, return_type))
            ):
                return compile_anew(itself, sig)
            return itself.overloads[arguments].entry_point

    dispatcher._depwatch = function
    dispatcher.compile = compile_or_put_back
    dispatcher._compiler.pipeline_class = pipeline_class
    dispatcher._compiler._failed_cache = _NeverFails()
    dispatcher.get_call_template = for_callers
    dispatcher.enable_caching = enable_caching
