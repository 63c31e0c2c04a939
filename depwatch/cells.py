"""Patch points in memory: words and bytes that depwatch keeps current and native code reads."""

from typing import Final, Literal, final

from depwatch import _core
from depwatch.errors import Released

type CellKind = Literal["object", "f64", "i64"]
KINDS: Final = ("object", "f64", "i64")


class _Cell:
    __slots__ = ("_reference", "name")

    def __init__(self, name: str, reference: _core.CellReference) -> None:
        self.name: Final = name
        self._reference: Final = reference

    def _live(self) -> _core.CellReference:
        if self._reference.released:
            raise Released(f"the cell of {self.name!r} was released with its handle; its memory may be gone")
        return self._reference

    def _release(self) -> None:
        self._reference.release()


@final
class ValueCell(_Cell):
    """A word that holds the value now: a borrowed PyObject*, a double or an int64, by kind.

    Read the guard byte first (1: the word is current). A borrowed PyObject* must be increfed before anything that can
    run Python. The memory stays until the handle is released and drained, and never moves.
    """

    __slots__ = ("kind",)

    def __init__(self, name: str, kind: CellKind, reference: _core.CellReference) -> None:
        super().__init__(name, reference)
        self.kind: Final = kind

    @property
    def address(self) -> int:
        """Address of the 8-byte word. Raises Released."""
        return self._live().word_address

    @property
    def guard_address(self) -> int:
        """Address of the byte that is 0 while the word is not the value: deleted, or of another type."""
        return self._live().guard_address

    @property
    def value(self) -> object:
        """What the word holds now; depwatch.UNKNOWN while the guard is down."""
        return self._live().word


@final
class GuardCell(_Cell):
    """A byte that is 1 while the value is the one that was read, and 0 from the moment it is another."""

    __slots__ = ("value",)

    def __init__(self, name: str, value: object, reference: _core.CellReference) -> None:
        super().__init__(name, reference)
        self.value: Final = value  # what is assumed

    @property
    def address(self) -> int:
        """Address of the byte. Raises Released."""
        return self._live().guard_address

    @property
    def holds(self) -> bool:
        return bool(self._live().guard)
