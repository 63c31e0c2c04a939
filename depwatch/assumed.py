"""All that a function's code can read, assumed to stay as it is: discovery, reads and commit in one."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, final, get_args, override

from depwatch._core import Handle
from depwatch.discovery import Found, discover
from depwatch.discovery.reads import DEEPEST, Cause, Follow
from depwatch.errors import Released, Stale, Unwatchable
from depwatch.notice import explain
from depwatch.recorder import Recorder
from depwatch.refusing import count_refusal
from depwatch.values import brief

type Allowed = Literal["refused"] | Cause

ALLOWED: Final[tuple[str, ...]] = ("refused", *get_args(Cause.__value__))
TRIES: Final = 3  # for what changes between discovery and commit
_NAMED: Final = 5  # in one message


@final
class Assumed:
    """What assume() returns.

    handle: of all reads; another one after each renew() that had to read again. found: what was discovered. Closure
    cells, the classes of instances and what a functools.partial holds change without an event: `valid` compares them,
    the handle's byte does not.
    The handle is released when this object dies.
    """

    __slots__ = ("__weakref__", "_allowed", "_function", "_lock", "_options", "_state", "_unstable_after")

    def __init__(
        self, function: Callable[..., Any], allowed: frozenset[str], unstable_after: int | None, options: dict[str, Any]
    ) -> None:
        self._function: Final = function
        self._allowed: Final = allowed
        self._unstable_after: Final = unstable_after
        self._options: Final = options
        self._lock: Final = threading.RLock()  # a destructor that runs in renew() may renew
        self._state: tuple[Found, Handle] = self._read()

    @property
    def handle(self) -> Handle:
        return self._state[1]

    @property
    def found(self) -> Found:
        return self._state[0]

    @property
    def valid(self) -> bool:
        """Whether all that was found is as it was. A change that was undone is none."""
        found, handle = self._state
        return _is_valid(handle) and (not (found.cells or found.checks) or found.same_unwatched())

    def renew(self) -> bool:
        """Discover and read again where it is not valid; True if that was needed.

        Where it is valid, as after a change that was undone, this costs no more than to look. The old handle is
        released. Raises like assume(), and leaves what there was: not valid.
        """
        with self._lock:
            if self.valid:
                return False
            before = self.handle
            self._state = self._read()
            _let_go(before)
            return True

    def explain(self) -> str:
        """Why it is or is not valid, by name. Raises Released."""
        found, handle = self._state
        cells = [f"{cell!r} is not what it was" for cell in found.cells if not cell.holds()]
        return "\n".join((explain(handle), *cells))

    def release(self) -> None:
        """It is not valid from now on. Does nothing the second time; renew() begins anew."""
        _let_go(self.handle)

    def _read(self) -> tuple[Found, Handle]:
        for left in reversed(range(TRIES)):
            found = discover(self._function, **self._options)
            try:
                _check_seen(found, self._allowed)
            except Unwatchable as refusal:
                count_refusal(brief(found.function), refusal)
                raise
            recorder = Recorder(brief(found.function), self._unstable_after)
            try:
                recorder.read_all(found)
                return found, recorder.commit()
            except Stale:
                recorder.close()
                if not left:
                    raise
            except BaseException:
                recorder.close()
                raise
        raise AssertionError("not reached")

    def __del__(self) -> None:
        if hasattr(self, "_state"):  # else __init__ raised
            _let_go(self._state[1])

    @override
    def __repr__(self) -> str:
        state = "valid" if self.valid else "not valid"
        return f"<assumed {brief(self.found.function)}: {len(self.found.reads)} reads, {state}>"


def _is_valid(handle: Handle) -> bool:
    try:
        return handle.valid
    except Released:  # by another thread, too
        return False


def _let_go(handle: Handle) -> None:
    with contextlib.suppress(Released):
        handle.release()


def assume(
    function: Callable[..., Any],
    *,
    follow: Follow = "default",
    argument_types: Sequence[type] = (),
    lines: Iterable[int] | None = None,
    depth: int = DEEPEST,
    allow: Iterable[Allowed] | Literal["all"] = (),
    unstable_after: int | None = None,
) -> Assumed:
    """Assume that all that the code of a function can read stays as it is: discover(), read_all() and commit().

    allow: what may go unwatched: "refused" (reads that are Unwatchable) and the causes of opaque look-ups of kind
    "world" ("class", "instance", "item", ...; see Opaque), or "all". Where there is anything else that cannot be
    watched, Unwatchable is raised, naming it. Opaque look-ups of kind "arguments" are the caller's: key by arguments.
    unstable_after: as of Recorder. The others: as of discover().

    Cost: that of discover(), and some 2 microseconds a read. Raises Unwatchable; Unstable; Stale, if other threads
    change what is read three times in a row; TypeError, ValueError.
    """
    allowed = frozenset(ALLOWED) if type(allow) is str and allow == "all" else frozenset(_each_allowed(allow))
    options = {
        "follow": follow,
        "argument_types": tuple(argument_types),
        "lines": None if lines is None else frozenset(lines),
        "depth": depth,
    }
    return Assumed(function, allowed, unstable_after, options)


def _each_allowed(allow: Iterable[str]) -> Iterable[str]:
    for each in (allow,) if type(allow) is str else allow:
        if type(each) is not str or each not in ALLOWED:
            shown = repr(each) if type(each) is str else brief(each)
            raise ValueError(f'allow has {shown}; it must be "all", or a tuple of: {", ".join(ALLOWED)}')
        yield each


def _check_seen(found: Found, allowed: frozenset[str]) -> None:
    """Raises Unwatchable for what was found that nothing will report changes of."""
    lost = [(f"{read} ({reason})", "refused") for read, reason in found.refused]
    lost += [
        (f"{each.text} in line {each.line} of {each.code.co_name}", each.cause)
        for each in found.opaque
        if each.kind == "world"
    ]
    named = [(text, cause) for text, cause in lost if cause not in allowed]
    if named:
        texts = [text for text, _ in named[:_NAMED]]
        more = [f"{len(named) - _NAMED} more"] if len(named) > _NAMED else []
        causes = tuple(dict.fromkeys(cause for _, cause in named))
        types = "say the classes of its arguments by argument_types, or " if "class" in causes else ""
        raise Unwatchable(
            f"{brief(found.function)} reads what nothing reports changes of: {'; '.join((*texts, *more))}; "
            f"{types}take on yourself that it stays as it is by allow={causes!r}"
        )
