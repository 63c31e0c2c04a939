"""jax.jit that is never stale: it traces again at the first call after something that the function reads has changed.

    from depwatch.integrations.jax import jit

    @jit                     # in place of jax.jit, with all its options
    def step(x):
        return x * config.SCALE

docs/jax.md says what is watched, what is refused, and why.
"""

import contextlib
import functools
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
from depwatch.integrations.held import Held, attach, copy_of, give_parts, has_same_parts, is_off, state_of
from depwatch.integrations.unseen import OnUnseen, Policy, UnseenWarning, checks_more, mutable_in

__all__ = ["UnseenWarning", "explain", "jit", "watch"]

TRIES: Final = 3  # to read while other threads change what is read
_JITTED: Final = type(jax.jit(lambda: None))
_ARRAY: Final = {np.ndarray: "a NumPy array, which can be written to: make it a jax.Array by jnp.asarray()"}
_TRUSTED: Final = ("class",)  # values of unknown class are tracers and arrays: their operators are JAX's own


def _find_evict() -> Callable[[Any], None] | None:
    """What forgets the traces of one function. Private: without it, jax.clear_caches() forgets those of all."""
    try:
        from jax._src.util import _caches, weakref_lru_cache

        weakref_lru_cache(lambda function: None).evict_weakref(_find_evict)
    except (ImportError, AttributeError, TypeError):
        return None

    def evict(function: Any) -> None:
        for each in list(_caches):
            if hasattr(each, "evict_weakref"):
                each.evict_weakref(function)

    return evict


_evict: Callable[[Any], None] | None = _find_evict()


def jit(function: Any = None, /, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = (), **options: Any) -> Any:
    """jax.jit, with all its options, for a function that never goes stale.

    It looks into the function, and all that it calls, at the first call, and at the first call after a change it
    traces and compiles again; a change that was undone costs nothing. on_unseen, ignore: what to do about what nothing
    reports changes of, such as arrays that can be written to: as of depwatch.integrations.functools.lru_cache.

    The result has lower, trace, eval_shape, clear_cache and __wrapped__. A plain jax.jit, scan or grad around it that
    was traced before a change is not ours, and goes on with the old trace: use this jit, or watch(), for the outermost.
    With DEPWATCH=0 in the environment this is jax.jit. Cost: some 0.1 microseconds a call. Raises TypeError,
    ValueError.
    """
    if function is None:
        return functools.partial(jit, on_unseen=on_unseen, ignore=ignore, **options)
    if not callable(function):
        raise TypeError(f"jit takes a function, not {function!r}")
    if isinstance(function, _JITTED):
        raise TypeError(f"{function!r} is jitted already: use watch()")
    policy = Policy(on_unseen, ignore)
    return jax.jit(function, **options) if is_off() else _entry(function, policy, options, None)


def watch(jitted: Any, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = ()) -> Any:
    """A function that calls what jax.jit has made, and lets it trace again after a change. Use it in its place.

    Cost: some microseconds a call, as it looks before and after each. Raises TypeError.
    """
    if not isinstance(jitted, _JITTED):
        raise TypeError(f"watch takes what jax.jit returns, not {jitted!r}")
    policy = Policy(on_unseen, ignore)
    return jitted if is_off() else _entry(jitted.__wrapped__, policy, {}, jitted)


def explain(function: Any) -> str:
    """What the code of a watched function was traced from, and what has changed since. Raises TypeError."""
    state = state_of(function, State)
    if state is None:
        raise TypeError(f"{function!r} is no function of depwatch.integrations.jax.jit or watch")
    told, version = f"{function.__qualname__}: dropped {state.changes} times", state.version
    if version is None or version.gone:
        return f"{told}; no call has looked into it since"
    return f"{told}\n{depwatch.explain(version.handle)}"


def _is_of_program(value: object) -> bool:
    return type(value) is types.FunctionType and not _is_of_jax(value)


def _is_of_jax(value: object) -> bool:
    """By where a function was written, and where a class was."""
    place = value.__globals__.get("__name__") if type(value) is types.FunctionType else type(value).__module__
    return str(place).partition(".")[0] in ("jax", "jaxlib")


def _entry(function: Any, policy: Policy, options: dict[str, Any], jitted: Any) -> Any:
    if _is_of_program(function):
        entry: Any = copy_of(function)
    else:

        def entry(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    functools.update_wrapper(entry, function)
    state = State(function, entry, policy, options, jitted)
    by_name = {name: functools.partial(state.by_name, name) for name in ("lower", "trace", "eval_shape")}
    return attach(entry, state, clear_cache=state.clear, **by_name)


def _functions_in(value: Any, seen: dict[int, Any]) -> Iterable[Any]:
    """The functions of the program that JAX's wrappers, such as grad(f), jit(f) and custom_jvp, have in them."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if type(value) is types.FunctionType and _is_of_jax(value):
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
class Version(Held):
    """One traced and compiled function, and the handle of all that it was traced from."""

    def __init__(self, state: "State") -> None:
        """Looks into the function. Raises Unwatchable; Stale."""
        self.state: Final = state
        self.jitted_inside: Final[dict[int, Any]] = {}
        found = self._look()
        super().__init__(found, self._recorded(found))
        self.forget()
        self.jitted: Final = jax.jit(self._traced(), **state.options) if state.jitted is None else state.jitted

    def _recorded(self, founds: list[depwatch.Found]) -> depwatch.Handle:
        """One handle of all that was found, and of what other watched functions that were found among it wrap."""
        with depwatch.Recorder(getattr(self.state.function, "__qualname__", "jit"), unstable_after=None) as recorder:
            for found in founds:
                recorder.read_all(found)
                for read in found.reads:
                    if type(read.value) is dict and read.kind != "function":
                        recorder.depend_on(read.value)
                    other = state_of(read.owner, State) if read.kind == "function" else None
                    if other is not None and other.is_copy:
                        recorder.read_function(other.function, "code", "defaults", "kwdefaults")
                        if not has_same_parts(read.owner, other.function):
                            other.renew_entry(other.slow)
                            raise depwatch.Stale(f"{read.owner.__qualname__} has got another code")
            return recorder.commit(owner=self.state.entry())

    def _look(self) -> list[depwatch.Found]:
        founds: list[depwatch.Found] = []
        seen: dict[int, Any] = {}
        waiting = list(_functions_in(self.state.function, seen))
        while waiting:
            found = depwatch.discover(waiting.pop())
            # A cell with a function of JAX, or a type variable, in it is JAX's.
            cells = tuple(c for c in found.cells if not _is_of_jax(c.value) and type(c.value).__module__ != "typing")
            values = [read.value for read in found.reads] + [cell.value for cell in found.cells]
            for value in values:
                waiting += _functions_in(value, seen) if _is_of_jax(value) else ()
            mutable = mutable_in(found, _is_of_jax, _ARRAY)
            founds.append(self.state.policy.judged(found, _TRUSTED, cells, _own(values), mutable))
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

    def entrance(self) -> Callable[..., Any]:
        """What a call runs while the handle is valid: JAX's own C++ object, where nothing changes unreported."""
        for found in self.found:
            values = [read.value for read in found.reads if type(read.value) is not types.FunctionType]
            if found.cells or checks_more(found, len({id(each) for each in values if _is_of_jax(each)})):
                return self.compared
        return self.jitted if self.state.jitted is None else self.compared

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
        self.is_copy: Final = _is_of_program(function)  # and the entry has the code of the function
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
        return self.current().compared(*args, **kwargs)

    def by_name(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.current().jitted, name)(*args, **kwargs)

    def current(self) -> Version:
        """The version for what is so now."""
        with self._lock:
            version = self.version
            if version is not None and version.valid:
                return version
            for _ in range(TRIES - 1):
                with contextlib.suppress(depwatch.Stale):
                    new = Version(self)
                    break
            else:
                new = Version(self)
            if version is not None:
                self.retire(version)
            self.version = new
            self.renew_entry(depwatch.guarded(new.handle, new.entrance(), self.slow))
            return new

    def renew_entry(self, optimized: Callable[..., Any]) -> None:
        """Let calls run this. What the program calls gets the code that its function has now."""
        entry = self.entry()
        if entry is not None:
            with self._lock:
                self._installed.remove()
                if self.is_copy and not has_same_parts(entry, self.function):
                    give_parts(entry, self.function)
                self._installed = depwatch.install(entry, optimized, self._always)

    def retire(self, version: Version) -> None:
        self.changes += version.retire()

    def clear(self) -> None:
        with self._lock:
            if self.version is not None:
                self.retire(self.version)


def _own(values: list[Any]) -> frozenset[str]:
    """How discovery names JAX's own objects, whose insides JAX keeps: not where something else has such a name."""
    names = [{f"<{type(each).__name__} object>" for each in values if _is_of_jax(each) is own} for own in (True, False)]
    return frozenset(names[0] - names[1])
