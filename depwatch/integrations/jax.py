"""jax.jit that is never stale: it traces again at the first call after something that the function reads has changed.

    from depwatch.integrations.jax import jit

    @jit                     # in place of jax.jit, with all its options
    def step(x):
        return x * config.SCALE

docs/jax.md says what is watched, what is refused, and why.
"""

import collections
import functools
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, final

try:
    import jax
    import numpy as np
except ImportError as error:
    raise ImportError("depwatch.integrations.jax needs JAX: pip install depwatch[jax]") from error

import depwatch
from depwatch.integrations.unseen import OnUnseen, Policy, UnseenWarning, checks_more, is_of_program

__all__ = ["UnseenWarning", "explain", "jit", "watch"]

TRIES: Final = 3  # to read while other threads change what is read
_STATE: Final = "__depwatch_jit__"  # the attribute of the function that a program calls
_JAX: Final = frozenset({"jax", "jaxlib"})
_JITTED: Final = type(jax.jit(lambda: None))
_MUTABLE: Final = (list, set, bytearray, memoryview, collections.deque, np.ndarray)
# Values of unknown class are tracers and arrays: their operators are JAX's own.
_TRUSTED: Final = ("class",)


def _find_evict() -> Callable[[Any], None] | None:
    """What forgets the traces of one function. Private: without it, jax.clear_caches() forgets those of all."""
    try:
        from jax._src.util import _caches, weakref_lru_cache

        weakref_lru_cache(lambda function: None).evict_weakref(_find_evict)
        list(_caches)
    except (ImportError, AttributeError, TypeError):
        return None

    def evict(function: Any) -> None:
        for each in list(_caches):
            if hasattr(each, "evict_weakref"):
                each.evict_weakref(function)

    return evict


_evict: Callable[[Any], None] | None = _find_evict()


def jit(
    function: Any = None, /, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = (), **options: Any
) -> Any:
    """jax.jit, with all its options, for a function that never goes stale.

    It looks into the function, and all that it calls, at the first call, and at the first call after a change it
    traces and compiles again; a change that was undone costs nothing. on_unseen, ignore: what to do about what nothing
    reports changes of, such as arrays that can be written to: as of depwatch.integrations.functools.lru_cache.

    The result has lower, trace, eval_shape, clear_cache and __wrapped__. A plain jax.jit, scan or grad around it that
    was traced before a change is not ours, and goes on with the old trace: use this jit, or watch(), for the outermost.
    With DEPWATCH=0 in the environment this is jax.jit. Cost: some 0.1 microseconds a call. Raises TypeError, ValueError.
    """
    if function is None:
        return functools.partial(jit, on_unseen=on_unseen, ignore=ignore, **options)
    if not callable(function):
        raise TypeError(f"jit takes a function, not {function!r}")
    if isinstance(function, _JITTED):
        raise TypeError(f"{function!r} is jitted already: use watch()")
    policy = Policy(on_unseen, ignore)
    return jax.jit(function, **options) if _is_off() else _entry(function, policy, options, None)


def watch(jitted: Any, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = ()) -> Any:
    """A function that calls what jax.jit has made, and lets it trace again after a change. Use it in its place.

    Cost: some microseconds a call, as it looks before and after each. Raises TypeError.
    """
    if not isinstance(jitted, _JITTED):
        raise TypeError(f"watch takes what jax.jit returns, not {jitted!r}")
    policy = Policy(on_unseen, ignore)
    return jitted if _is_off() else _entry(jitted.__wrapped__, policy, {}, jitted)


def explain(function: Any) -> str:
    """What the code of a watched function was traced from, and what has changed since. Raises TypeError."""
    state = _state_of(function)
    if state is None:
        raise TypeError(f"{function!r} is no function of depwatch.integrations.jax.jit or watch")
    version = state.version
    name, times = getattr(function, "__qualname__", "function"), f"dropped {state.changes} times"
    if version is None or version.gone:
        return f"{name}: {times}; no call has looked into it since"
    return f"{name}: {times}\n{depwatch.explain(version.handle)}"


def _is_off() -> bool:
    return os.environ.get("DEPWATCH") == "0"


def _state_of(function: Any) -> "State | None":
    state = vars(function).get(_STATE) if type(function) is types.FunctionType else None
    return state if type(state) is State and state.entry() is function else None


def _is_jax(function: types.FunctionType) -> bool:
    return str(function.__globals__.get("__name__")).partition(".")[0] in _JAX


def _is_of_jax(value: object) -> bool:
    return str(type(value).__module__).partition(".")[0] in _JAX


def _entry(function: Any, policy: Policy, options: dict[str, Any], jitted: Any) -> Any:
    if type(function) is types.FunctionType and not _is_jax(function):
        entry = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )  # so that discovery looks through it
        entry.__kwdefaults__ = function.__kwdefaults__ and dict(function.__kwdefaults__)
    else:
        entry = lambda *args, **kwargs: function(*args, **kwargs)  # noqa: E731
    functools.update_wrapper(entry, function)
    state = State(function, entry, policy, options, jitted)
    vars(entry)[_STATE] = state
    attributes: Any = entry
    for name in ("lower", "trace", "eval_shape"):
        setattr(attributes, name, functools.partial(state.by_name, name))
    attributes.clear_cache = state.clear
    return entry


def _functions_in(value: Any, seen: dict[int, Any]) -> Iterable[Any]:
    """The functions of the program that JAX's wrappers, such as grad(f), jit(f) and custom_jvp, have in them."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if type(value) is types.FunctionType and _is_jax(value):
        inside: Iterable[Any] = [cell.cell_contents for cell in value.__closure__ or ()]
    elif isinstance(value, _JITTED):
        inside = [value.__wrapped__]
    elif _is_of_jax(value):
        inside = getattr(value, "__dict__", {}).values()
    else:
        if isinstance(value, types.FunctionType | types.MethodType | functools.partial):
            yield value
        return
    for each in inside:
        if callable(each):
            yield from _functions_in(each, seen)


@final
class Version:
    """One traced and compiled function, and the handle of all that it was traced from."""

    def __init__(self, state: "State") -> None:
        """Looks into the function. Raises Unwatchable; Stale."""
        self.state: Final = state
        self.gone = False
        self.jitted_inside: Final[dict[int, Any]] = {}
        self.found: Final = self._look()
        with depwatch.Recorder(getattr(state.function, "__qualname__", "jit"), unstable_after=None) as recorder:
            for found in self.found:
                recorder.read_all(found)
                for read in found.reads:
                    if type(read.value) is dict and read.kind != "function":
                        recorder.depend_on(read.value)
                    if read.kind == "function" and (other := _state_of(read.owner)) is not None:
                        if type(other.function) is types.FunctionType:
                            recorder.read_function(other.function, "code", "defaults", "kwdefaults")
                            if other.function.__code__ is not read.owner.__code__:
                                other.renew_entry()
                                raise depwatch.Stale(f"{read.owner.__qualname__} has got another code")
            self.handle: Final = recorder.commit(owner=state.entry())
        self.forget()
        self.jitted: Final = jax.jit(self._traced(), **state.options) if state.jitted is None else state.jitted

    def _look(self) -> list[depwatch.Found]:
        founds: list[depwatch.Found] = []
        seen: dict[int, Any] = {}
        waiting = list(_functions_in(self.state.function, seen))
        while waiting:
            found = depwatch.discover(waiting.pop())
            cells = tuple(each for each in found.cells if not _is_own_cell(each.value))
            values = [read.value for read in found.reads] + [cell.value for cell in found.cells]
            for value in values:
                waiting += _functions_in(value, seen) if _is_of_jax(value) else ()
            founds.append(self.state.policy.judged(found, _TRUSTED, cells, _own(values), _mutable(found)))
        self.jitted_inside.update((key, each) for key, each in seen.items() if isinstance(each, _JITTED))
        return founds

    def forget(self) -> None:
        """Let JAX forget the traces of all that was found: of scan's bodies, callees that are jitted, and so on."""
        if _evict is None:
            jax.clear_caches()
            return
        for jitted in (*self.jitted_inside.values(), self.state.jitted):
            if jitted is not None:
                jitted.clear_cache()
        for found in self.found:
            _evict(found.given[0])
            for read in found.reads:
                if read.kind == "function" and read.name == "code":
                    _evict(read.owner)

    def _traced(self) -> Callable[..., Any]:
        function = self.state.function

        def traced(*args: Any, **kwargs: Any) -> Any:  # what JAX traces: runs once for each shape
            breaks = self.breaks()
            result = function(*args, **kwargs)
            if breaks is None or self.breaks() != breaks:
                self.state.retire(self)  # JAX keeps this trace: no other call is to find it
            return result

        return functools.update_wrapper(traced, function)

    def breaks(self) -> int | None:
        """How often anything has changed, undone or not; None where it is not as it was."""
        try:
            breaks = self.handle.breaks
            return breaks if self.valid else None
        except depwatch.Released:
            return None

    @property
    def valid(self) -> bool:
        try:
            return self.handle.valid and all(each.same_unwatched() for each in self.found)
        except depwatch.Released:
            return False

    def entrance(self) -> Callable[..., Any]:
        """What a call runs while the handle is valid: JAX's own C++ object, where nothing changes unreported."""
        if self.state.jitted is None and not any(each.cells or _checks_more(each) for each in self.found):
            return self.jitted  # type: ignore[no-any-return]
        return self.compared

    def compared(self, *args: Any, **kwargs: Any) -> Any:
        breaks = self.breaks()
        if breaks is None:
            self.state.retire(self)
            return self.state.slow(*args, **kwargs)
        result = self.jitted(*args, **kwargs)
        if self.breaks() != breaks:
            self.state.retire(self)
        return result


@final
class State:
    """What is behind one watched function. Refers weakly to the function that the program calls."""

    def __init__(self, function: Any, entry: Any, policy: Policy, options: dict[str, Any], jitted: Any) -> None:
        self.function: Final[Any] = function
        self.policy: Final = policy
        self.options: Final = options
        self.jitted: Final = jitted  # of watch()
        self.entry: Final = weakref.ref(entry)
        self.version: Version | None = None
        self.changes = 0
        self._lock: Final = threading.RLock()  # a call that may not wait would have to run without being compiled
        self._always: Final = depwatch.Recorder("calls of a jitted function").commit(owner=entry)
        self._installed: depwatch.Entry = depwatch.install(entry, self.slow, self._always)

    def slow(self, *args: Any, **kwargs: Any) -> Any:
        """What a call runs while there is no code that may run."""
        return self.current().jitted(*args, **kwargs)

    def by_name(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.current().jitted, name)(*args, **kwargs)

    def current(self) -> Version:
        """The version for what is so now."""
        with self._lock:
            version = self.version
            if version is not None and version.valid:
                return version
            for left in reversed(range(TRIES)):
                try:
                    new = Version(self)
                    break
                except depwatch.Stale:
                    if not left:
                        raise
            if version is not None:
                self.retire(version)
            self.version = new
            self._installed.remove()
            self.renew_entry(depwatch.guarded(new.handle, new.entrance(), self.slow))
            return new

    def renew_entry(self, optimized: Callable[..., Any] | None = None) -> None:
        """Let calls run this. What the program calls gets the code that its function has now."""
        entry: Any = self.entry()
        if entry is None:
            return
        with self._lock:
            self._installed.remove()
            if type(self.function) is types.FunctionType and not _is_jax(self.function):
                if entry.__code__ is not self.function.__code__:
                    entry.__code__ = self.function.__code__
            self._installed = depwatch.install(entry, optimized or self.slow, self._always)

    def retire(self, version: Version) -> None:
        if not version.gone:
            version.gone = True
            version.handle.release()
            self.changes += 1

    def clear(self) -> None:
        """As jax.jit's clear_cache(): the next call traces and compiles again."""
        with self._lock:
            if self.version is not None:
                self.retire(self.version)


def _own(values: list[Any]) -> frozenset[str]:
    """How discovery names JAX's own objects, whose insides JAX keeps: not where something else has such a name."""
    names = [{f"<{type(each).__name__} object>" for each in values if _is_of_jax(each) is own} for own in (True, False)]
    return frozenset(names[0] - names[1])


def _is_own_cell(value: object) -> bool:
    """Whether a cell is JAX's: it has a function of JAX, or a type variable, in it."""
    return _is_jax(value) if type(value) is types.FunctionType else type(value).__module__ == "typing"


def _checks_more(found: depwatch.Found) -> bool:
    return checks_more(found, len({id(read.value) for read in found.reads if _is_of_jax(read.value)}))


def _mutable(found: depwatch.Found) -> list[tuple[str, str]]:
    """Names of what JAX copies into its code, and that can change inside, with what it is."""
    named = [(read.name, read.value) for read in found.reads if read.kind != "whole"]
    named += [(cell.name, cell.value) for cell in found.cells]
    return [(name, what) for name, value in named if (what := _changes_inside(value, name))]


def _changes_inside(value: Any, name: str) -> str:
    if isinstance(value, np.ndarray):
        return "a NumPy array, which can be written to: make it a jax.Array by jnp.asarray()"
    if isinstance(value, _MUTABLE):
        return f"a {type(value).__name__}"
    if type(value) is tuple or type(value) is dict:
        inside = (_changes_inside(each, name) for each in (value.values() if type(value) is dict else value))
        return "" if value is sys.modules else next(filter(None, inside), "")
    return f"an instance of {type(value).__qualname__}" if is_of_program(value) and not _is_of_jax(value) else ""
