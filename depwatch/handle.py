"""Handles: one piece of optimized code each, valid while every assumption that it was compiled under holds."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from depwatch import _core
from depwatch.cells import GuardCell, ValueCell
from depwatch.errors import Released
from depwatch.label import JumpLabel

if TYPE_CHECKING:
    from depwatch.entry import Entry

type PatchPoint = ValueCell | GuardCell | JumpLabel
type Callback = Callable[[Handle], object]


def check_reason(reason: str) -> None:
    if not isinstance(reason, str):
        raise TypeError(f"the reason must be a str, not {type(reason).__qualname__}")


@final
class Handle(_core.HandleReference):
    """A committed piece of optimized code. Made by Recorder.commit; kept until release()."""

    __slots__ = ("__weakref__", "_cells", "_closing", "_entries", "artifact", "callbacks", "name", "reason")

    def __init__(
        self,
        name: str,
        artifact: Any,
        cells: Sequence[PatchPoint],
        callbacks: dict[str, Callback],
    ) -> None:
        self._closing = False  # no entry is added any more
        self._cells: Final = tuple(cells)
        self._entries: dict[Entry, None] | None = None  # that look at the byte: see depwatch/entry.py
        self.name: Final = name
        self.artifact: Any = artifact  # whatever commit() was given: the machine code, a dispatcher, ...
        self.callbacks: Final = callbacks  # by state: "invalid", "valid", "retired"
        self.reason: str | None = None  # why it was retired

    def __repr__(self) -> str:
        if self._id < 0:
            return f"<Handle {self.name!r}, not committed>"
        if self._released:
            return f"<Handle {self._id} {self.name!r}, released>"
        state = "valid" if self.valid else "retired" if self.retired else f"invalid, {self.broken} broken"
        return f"<Handle {self._id} {self.name!r}, {state}>"

    def _live(self) -> int:
        if self._released:
            raise self._gone()
        return self._id

    def _gone(self) -> Released:
        return Released(f"handle {self._id} ({self.name!r}) was released; its byte may serve another handle")

    @property
    def id(self) -> int:
        """The dense handle ID; it may be reused after release() and a drain."""
        return self._id

    @property
    def released(self) -> bool:
        return self._released

    @property
    def valid(self) -> bool:
        """Whether the code may run now. Raises Released."""
        return _core.byte(self._live()) == 0

    @property
    def broken(self) -> int:
        """How many assumptions do not hold now; 255 for a retired handle. Raises Released."""
        return _core.byte(self._live())

    @property
    def retired(self) -> bool:
        """Whether the code may never run again. Raises Released."""
        return self.broken == _core.RETIRED

    @property
    def broken_address(self) -> int:
        """Address of the byte `broken`: native code runs while it is 0. Good until release() and a drain."""
        return _core.byte_address(self._live())

    def retire(self, reason: str) -> bool:
        """Retire this handle for good; True the first time.

        Cost: one store now; edges are purged at the next drain. Raises TypeError unless reason is a str; Released.
        Source: Truffle, Assumption.invalidate(String).
        """
        check_reason(reason)
        first = not self.retired
        if first:
            self.reason = reason
            _core.retire(self._id)
        return first

    def release(self) -> None:
        """Give the handle up: nothing runs its code any more. Its entries are removed at once, its byte and cells are
        freed at the next drain.

        Raises Released the second time.
        """
        self._live()
        self._closing = True  # first: no entry may be added while those that are there go
        self._remove_entries()
        self._release()

    def _remove_entries(self) -> None:
        """Nobody looks at the byte any more: another handle may get it. Idempotent, and goes on where it was left."""
        for entry in list(self._entries or ()):  # each takes itself out
            entry.remove()

    # --- what notice asks of whatever holds a handle ID: a Handle, or the Handles that were made together

    def _has_entries(self, number: int) -> bool:
        return bool(self._entries)

    def _of(self, number: int) -> "Handle":
        return self

    def _is_released(self, number: int) -> bool:
        return self._released

    def _retired(self, number: int, reason: str) -> None:
        self.reason = reason

    def _purged(self) -> None:
        for cell in self._cells:
            cell._release()
