"""functools.cache and lru_cache without stale results: they go when anything that they were computed from has changed.

    from depwatch.integrations.functools import cache

    @cache                   # in place of functools'; also lru_cache(maxsize=128, typed=False)
    def price(x):
        return x * RATE      # after RATE = ... the next call computes; after RATE is put back, the results are there

docs/functools.md says what is watched, what is refused, and why.
"""

import contextlib
import functools
import inspect
import threading
import types
import weakref
from collections.abc import Callable, Collection
from typing import Any, Final, final

import depwatch
from depwatch.integrations.held import Held, attach, copy_of, give_parts, has_same_parts, is_off, state_of
from depwatch.integrations.unseen import OnUnseen, Policy, UnseenWarning, checks_more, types_of

__all__ = ["UnseenWarning", "cache", "explain", "lru_cache"]

TRIES: Final = 3  # to read while other threads change what is read
_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def cache(function: Any = None, /, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = ()) -> Any:
    """functools.cache whose results go when anything that they were computed from has changed: lru_cache(None)."""
    decorate = lru_cache(None, on_unseen=on_unseen, ignore=ignore)
    return decorate if function is None else decorate(function)


def lru_cache(
    maxsize: Any = 128, typed: bool = False, *, on_unseen: OnUnseen = "raise", ignore: Collection[str] = ()
) -> Any:
    """functools.lru_cache whose results go at the first call after something that the function reads has changed.

    It looks into the function, and all that it calls, at the first call. on_unseen: what to do about what nothing
    reports changes of: "raise" Unwatchable, which names it; "warn"; or "ignore". ignore: names; what a line reads that
    uses one of them is taken on trust, and changes of the name itself are none.

    The result has functools' cache_info(), cache_clear(), cache_parameters() and __wrapped__, and explain().
    With DEPWATCH=0 in the environment this is functools.lru_cache.
    Cost: a hit some 20 ns more than functools'; a microsecond for each result that is computed; the first call after a
    change some 10 microseconds for each name that is read. Raises TypeError, ValueError.
    """
    Policy(on_unseen, ignore)
    if callable(maxsize) and isinstance(typed, bool):
        function, maxsize = maxsize, 128
        return _cached(function, maxsize, typed, Policy(on_unseen, ignore))
    if not (maxsize is None or isinstance(maxsize, int)):
        raise TypeError(f"maxsize must be an int, None or the function, not {maxsize!r}")
    return lambda function: _cached(function, maxsize, typed, Policy(on_unseen, ignore))


def explain(function: Any) -> str:
    """What the results of a cached function rest on, and why they went last. Raises TypeError."""
    state = state_of(function, Cache)
    if state is None:
        raise TypeError(f"{function!r} is no function of depwatch.integrations.functools.cache or lru_cache")
    return state.explain()


def _cached(function: Any, maxsize: int | None, typed: bool, policy: Policy) -> Any:
    if type(function) is not types.FunctionType:
        raise TypeError(
            f"only Python functions can be looked into, and {function!r} is none: cache a function that calls it"
        )
    if function.__code__.co_flags & _SUSPENDS:
        raise TypeError(
            f"{function.__qualname__} is a generator or coroutine: its results can be used once; cache a function "
            "that returns a tuple of them"
        )
    if is_off():
        return functools.lru_cache(maxsize, typed)(function)
    entry = copy_of(function)
    functools.update_wrapper(entry, function)
    state = Cache(function, entry, maxsize, typed, policy)
    return attach(
        entry,
        state,
        cache_info=state.cache_info,
        cache_clear=state.cache_clear,
        cache_parameters=lambda: {"maxsize": state.maxsize, "typed": typed},
        explain=state.explain,
    )


@final
class Version(Held):
    """Results, and the one handle of all that they were computed from."""

    def __init__(self, state: "Cache", kinds: frozenset[tuple[type, ...]]) -> None:
        """Looks into the function for calls with arguments of these classes. Raises Unwatchable; Stale."""
        self.kinds: Final = kinds
        self.state: Final = state
        given = [depwatch.discover(state.function, argument_types=each) for each in kinds]
        found = [state.policy.judged(each) for each in given]
        super().__init__(found, state.recorded(found))
        self.compares = any(each.cells or checks_more(each) for each in self.found)
        self.known: Final[set[tuple[type, ...]]] = set()  # classes of arguments without keywords that are among kinds
        self.memo: Final = functools.lru_cache(state.maxsize, state.typed)(self.compute)

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        """A call whose result is not there: functools' C code keeps what this returns, after it has returned."""
        state, function = self.state, self.state.function
        classes = tuple(map(type, args))
        if kwargs or classes not in self.known:
            kinds = types_of(function, args, kwargs)
            if kinds not in self.kinds:  # of other classes: other methods may be read
                state.renew(self.kinds | {kinds}, self)
                return state.slow(*args, **kwargs)
            if not kwargs:
                self.known.add(classes)
        breaks = self.breaks()
        if breaks is None:
            return state.slow(*args, **kwargs)
        result = function(*args, **kwargs)
        if self.breaks() != breaks:  # also where it was undone: the result may rest on either
            state.retire(self, self.why() or "something changed while a result was computed, and changed back")
        return result

    def entrance(self) -> Callable[..., Any]:
        """What a call runs while the handle is valid: functools' C code, after a look at what changes unreported."""
        if not self.compares:
            return self.memo
        memo, cells = self.memo, [(cell.cell, cell.value) for each in self.found for cell in each.cells]
        if any(map(checks_more, self.found)) or any(value is depwatch.MISSING for _, value in cells):
            return lambda *args, **kwargs: memo(*args, **kwargs) if self.valid else self.leave(args, kwargs)

        def entrance(*args: Any, **kwargs: Any) -> Any:
            holds = True
            try:
                for cell, value in cells:
                    if cell.cell_contents is not value:
                        holds = False
            except ValueError:  # it is empty
                holds = False
            if holds:
                return memo(*args, **kwargs)
            return self.leave(args, kwargs)

        return entrance

    def leave(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.state.retire(self, self.why() or "a closure cell, or the class of an object, changed")
        return self.state.slow(*args, **kwargs)


@final
class Cache:
    """What is behind one cached function. Refers to the function that the program calls weakly, or that never died."""

    def __init__(
        self, function: types.FunctionType, entry: types.FunctionType, maxsize: int | None, typed: bool, policy: Policy
    ) -> None:
        self.function: Final[Any] = function
        self.maxsize: Final = None if maxsize is None else max(0, maxsize)
        self.typed: Final = typed
        self.policy: Final = policy
        self.cleared = ""  # why results went last
        self.changes = 0
        self._entry: Final = weakref.ref(entry)
        self._version: Version | None = None
        self._lock: Final = threading.Lock()
        self._before = (0, 0)  # hits and misses of the versions that are gone
        self._empty: Final = functools.lru_cache(maxsize, typed)(function).cache_info()
        recorder = depwatch.Recorder(f"calls of {function.__qualname__}")
        self._always: Final = recorder.commit(owner=entry)  # valid until the function dies
        self._installed: depwatch.Entry | None = None
        self._run(self.slow)

    @property
    def entry(self) -> Any:
        return self._entry()

    def slow(self, *args: Any, **kwargs: Any) -> Any:
        """What a call runs while there are no results that hold."""
        version = self._version
        if version is None or not version.valid:
            version = self.renew(frozenset({types_of(self.function, args, kwargs)}), version)
            if version is None:
                return self.function(*args, **kwargs)
        return version.memo(*args, **kwargs)

    def renew(self, kinds: frozenset[tuple[type, ...]], old: Version | None) -> Version | None:
        """A version for what is so now. None, and the call computes, while another thread (or this one, further out)
        makes one, and where other threads change what is read again and again."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._version is not old:
                return self._version
            why = None if old is None else old.why()  # before other values are recorded
            self.synchronize()
            for _ in range(TRIES):
                try:
                    new = Version(self, kinds)
                except depwatch.Stale:
                    continue
                if old is not None:
                    self.retire(old, why or "a call brought arguments of other classes")
                self._run(depwatch.guarded(new.handle, new.entrance(), self.slow))
                self._version = new
                return new
            return None
        finally:
            self._lock.release()

    def retire(self, version: Version, why: str) -> None:
        """Its results go; calls that compute in it go on, and nobody sees what they leave there."""
        if not version.retire():
            return
        self.cleared = why
        self.changes += 1
        info = version.memo.cache_info()
        self._before = (self._before[0] + info.hits, self._before[1] + info.misses)

    def recorded(self, found: list[depwatch.Found]) -> depwatch.Handle:
        """One handle of all that was found, and of what other cached functions that were found among it wrap."""
        with depwatch.Recorder(self.function.__qualname__, unstable_after=None) as recorder:
            for each in found:
                recorder.read_all(each)
                for read in each.reads:
                    other = state_of(read.owner, Cache) if read.kind == "function" and read.name == "code" else None
                    if other is not None:
                        recorder.read_function(other.function, "code", "defaults", "kwdefaults")
                        if other.synchronize():
                            raise depwatch.Stale(f"{other.function.__qualname__} has got another code")
            return recorder.commit(owner=self.entry)

    def synchronize(self) -> bool:
        """Whether the function has other code or defaults now; what the program calls gets the same."""
        entry = self.entry
        if entry is None or has_same_parts(entry, self.function):
            return False
        self._run(None)
        give_parts(entry, self.function)
        self._run(self.slow)
        return True

    def _run(self, optimized: Callable[..., Any] | None) -> None:
        """Let calls run this. Between two of them a call runs the function's own code, which is right."""
        if self._installed is not None:
            self._installed.remove()
        entry = self.entry
        if optimized is not None and entry is not None:
            # Another thread was faster; or it is the getter of a property, of which CPython 3.14 runs the own code.
            with contextlib.suppress(ValueError, depwatch.Unwatchable):
                self._installed = depwatch.install(entry, optimized, self._always)

    def cache_info(self) -> Any:
        """functools' own; hits and misses since cache_clear(), of results that are gone, too."""
        version = self._version
        hits, misses = self._before
        if version is None or version.gone:
            return self._empty._replace(hits=hits, misses=misses)
        info = version.memo.cache_info()
        return info._replace(hits=info.hits + hits, misses=info.misses + misses)

    def cache_clear(self) -> None:
        version = self._version
        if version is not None:
            version.memo.cache_clear()
        self._before = (0, 0)

    def explain(self) -> str:
        """What the results rest on now, and why they went last."""
        version = self._version
        lines = [f"{self.function.__qualname__}: {self.cache_info()}"]
        if self.cleared:
            lines.append(f"results went {self.changes} times, last as {self.cleared}")
        if version is None or version.gone:
            return "\n".join((*lines, "no call has looked into it since"))
        return "\n".join((*lines, depwatch.explain(version.handle)))
