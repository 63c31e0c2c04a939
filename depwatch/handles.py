"""Handles: many pieces of optimized code that were committed together. Each becomes an object when it is asked for."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final, final, overload

from depwatch import _core
from depwatch.errors import Released
from depwatch.handle import Callback, Handle, PatchPoint, check_reason


class SharedCells:
    """The cells of handles that were committed together: released with the last of those."""

    __slots__ = ("_cells", "_users")

    def __init__(self, cells: Sequence[PatchPoint], users: int) -> None:
        self._cells: Final = tuple(cells)
        self._users = users

    def _release(self) -> None:
        if self._users == 1:
            for cell in self._cells:
                cell._release()
        self._users -= 1  # last: a signal handler may interrupt the above, which is then done again


@final
class Handles(Sequence[Handle]):
    """What Recorder.commit_many made, in its order. Kept until every one is released.

    ids: the handle IDs, ascending, an array of uint32. Indexing gives the Handle, the same object each time; one that
    nobody asked for costs its byte, its facets and an entry in a dict.
    """

    __slots__ = ("__weakref__", "_artifacts", "_cells", "_made", "_reasons", "_released", "callbacks", "ids", "name")

    def __init__(
        self,
        name: str,
        artifacts: Sequence[Any] | None,
        cells: SharedCells,
        callbacks: dict[str, Callback],
    ) -> None:
        self.name: Final = name
        self.ids: array[int] = array("I")  # until they are committed
        self.callbacks: Final = callbacks  # by state: "invalid", "valid", "retired"
        self._artifacts: Final = artifacts
        self._cells: Final = cells
        self._made: Final[dict[int, Handle]] = {}  # by index
        self._reasons: Final[dict[int, str]] = {}  # why they were retired, by index, of those never asked for
        self._released = False

    def __repr__(self) -> str:
        return f"<{len(self.ids)} Handles {self.name!r}{', released' if self._released else ''}>"

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Handle: ...
    @overload
    def __getitem__(self, index: slice) -> list[Handle]: ...
    def __getitem__(self, index: int | slice) -> Handle | list[Handle]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self.ids)))]
        number = self.ids[index]  # raises IndexError
        index %= len(self.ids)
        if index not in self._made:
            self._check_live()
            artifact = None if self._artifacts is None else self._artifacts[index]
            handle = Handle(f"{self.name}[{index}]", artifact, (), self.callbacks)
            handle._id = number
            handle.reason = self._reasons.pop(index, None)
            self._made[index] = handle
        return self._made[index]

    def __del__(self) -> None:
        # Notice keeps those that may still run: all are retired, and nobody can ask any more for one never asked for.
        self._release_others()

    def _check_live(self) -> None:
        if self._released:
            raise Released(f"the handles of {self.name!r} were released; their bytes may serve others")

    def _release_others(self) -> None:
        """Release those that nobody has asked for. Idempotent."""
        if not self._released:
            self._released = True
            _core.release_all(array("I", [number for i, number in enumerate(self.ids) if i not in self._made]))

    @property
    def released(self) -> bool:
        """Whether release() was called."""
        return self._released

    @property
    def broken_addresses(self) -> array[int]:
        """Handle.broken_address of each, an array of uint64. Raises Released."""
        self._check_live()
        return _core.byte_addresses(self.ids)

    def retire(self, reason: str) -> None:
        """Retire for good all that are not. Cost: a microsecond each; their edges are purged at the next drain.

        Raises TypeError unless reason is a str; Released.
        """
        check_reason(reason)
        self._check_live()
        for number in self.ids:
            if not self._is_released(number) and _core.byte(number) != _core.RETIRED:
                _core.retire(number)
                self._retired(number, reason)

    def release(self) -> None:
        """Give all up: nothing runs their code any more. Bytes and cells are freed at the next drain.

        Raises Released the second time.
        """
        self._check_live()
        self._release_others()
        for handle in self._made.values():
            if not handle.released:
                handle.release()

    # --- what notice asks of whatever holds a handle ID: see Handle

    def _of(self, number: int) -> Handle:
        return self[bisect_left(self.ids, number)]

    def _has_entries(self, number: int) -> bool:
        made = self._made.get(bisect_left(self.ids, number))
        return made is not None and bool(made._entries)

    def _is_released(self, number: int) -> bool:
        made = self._made.get(bisect_left(self.ids, number))
        return self._released if made is None else made.released

    def _retired(self, number: int, reason: str) -> None:
        index = bisect_left(self.ids, number)
        if index in self._made:
            self._made[index].reason = reason
        else:
            self._reasons[index] = reason

    def _purged(self) -> None:
        self._cells._release()
