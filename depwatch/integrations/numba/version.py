"""Versions: the code of one function for one set of argument types, and what it was compiled under."""

import weakref
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

from depwatch import DepwatchError, Handle, Recorder, Stale
from depwatch.integrations.numba import cells
from depwatch.integrations.numba.cells import Cell, Cells
from depwatch.integrations.numba.entry import Entry, WordCheck
from depwatch.integrations.numba.reads import EMPTY, Read, Reads, VariableRead, contents
from depwatch.values import brief

if TYPE_CHECKING:
    from depwatch.integrations.numba.function import Function

UNSTABLE_AFTER: Final = (
    65535  # compiled code cannot do with an ordinary load: it must be watched however often it breaks
)
CONTENTS_OF_CELL: Final = 16  # where a closure cell (PyCellObject) has what is in it


class Changed(DepwatchError):
    """Compiled code relies on something that has changed, and its policy is not to compile again."""


class _Held:
    """A handle, exchanged for another when what was changed is as it was; released when the version is freed."""

    handle: Handle | None = None

    def exchange(self, handle: Handle | None) -> None:
        before, self.handle = self.handle, handle
        if before is not None and not before.released:
            before.release()


def free(held: _Held, own_cells: Cells) -> None:
    held.exchange(None)
    own_cells.close()


class Version:
    """Compiled code and the handle that says whether it may run.

    It may run again, without compiling, as soon as all that it has built in is as it was.
    """

    def __init__(
        self,
        function: "Function",
        result: Any,
        requested: Any,
        reads: Reads,
        own_cells: Cells,
        callees: Iterable["Version"],
        templates: Iterable[Any],
        quiet: bool,
    ) -> None:
        self.function: Final = weakref.ref(function)
        self.name: Final = function.name
        self.requested: Final = requested  # (argument types, return type or None), as numba was asked for
        self.callees: Final = tuple(callees)  # linked in: their cells and environments must stay as long as this code
        self.templates: Final = tuple(templates)  # of the @overloads that it uses: they keep what they have compiled
        self.reads: Final = reads
        self.raising: Final[set[Hashable]] = {
            read.key for version in self.callees for read in version.reads if read.key in version.raising
        }
        if function.policy == "error":
            self.raising.update(read.key for read in reads)
        self.cells: Final[list[Cell]] = [*own_cells, *(cell for version in self.callees for cell in version.cells)]
        cell_bytes, cell_words = cells.checks(self.cells)
        self.variables: Final[list[VariableRead]] = [read for read in reads if isinstance(read, VariableRead)]
        self._contents: list[object] = []  # owned: what the entry compares with
        words = [WordCheck(id(read.cell) + CONTENTS_OF_CELL, 0, 0) for read in self.variables]
        self.entry: Final = Entry(result.entry_point, cell_bytes, cell_words, words, quiet, self._again, self._changed)
        self.entry.function.__self__.owner = self
        self.result: Final = result._replace(entry_point=self.entry.function)
        self._held: Final = _Held()
        weakref.finalize(self, free, self._held, own_cells).atexit = False

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What numba's tables know it by."""
        return tuple(self.result.signature.args)

    @property
    def handle(self) -> Handle | None:
        return self._held.handle

    @property
    def may_run(self) -> bool:
        return self.entry.may_run

    @property
    def must_stay(self) -> bool:
        """Whether somebody may be in the code. Nobody tells when the last generator that it made is done."""
        return self.entry.running > 0 or self.result.signature.return_type.__class__.__name__ == "Generator"

    def rely(self, handle: Handle | None) -> None:
        """Run from now on as long as this handle is valid; None: not at all."""
        # An equal number may be another object now: code does not care, but the entry compares addresses.
        before, self._contents = self._contents, [contents(read.cell) for read in self.variables]
        self.entry.expect([0 if value is EMPTY else id(value) for value in self._contents])
        del before
        self.entry.look_at(None if handle is None else handle.broken_address)
        self._held.exchange(handle)

    def renew(self) -> list[Read]:
        """Get a new handle if all is as it was compiled; otherwise return what is not."""
        for _ in range(10):
            recorder = Recorder(self.name, UNSTABLE_AFTER)
            try:
                changed: list[Read] = self.reads.record(recorder)
                if not changed:
                    self.rely(recorder.commit())
                    return []
            except Stale:
                continue
            except DepwatchError:
                return list(self.reads)  # compiling again tells what is wrong
            finally:
                recorder.close()
            return changed
        return list(self.reads)

    def _again(self, arguments: tuple[Any, ...]) -> object:
        """What the entry calls when the code may not run: find code that may, and call that."""
        function = self.function()
        if function is None:
            raise Changed(f"{self.name} was compiled under assumptions that broke, and its dispatcher is gone")
        return function.resolve(self).entry.function(*arguments)

    def _changed(self, _: object) -> object:
        broken = [cell for cell in self.cells if not cell.holds]
        names = ", ".join(f"{cell.name!r}, which is not of type {cell.type_name} any more" for cell in broken)
        raise Changed(
            f"while {self.name} was running somebody changed {names or 'a global that it reads'}: the compiled code "
            "cannot go on with that, and its result is dropped; change types between calls only"
        )

    def __repr__(self) -> str:
        return f"<Version {self.name}{self.result.signature}, {'may run' if self.may_run else 'broken'}>"


def version_of(result: Any) -> Version | None:
    """The version that a compile result of numba's belongs to; None if numba compiled it without us."""
    owner = getattr(getattr(result.entry_point, "__self__", None), "owner", None)
    return owner if isinstance(owner, Version) else None


def described(read: Read) -> str:
    now = Recorder("a look")
    try:
        value = read.record(now)
    except Exception:
        return f"{read} was {brief(read.value)} and is gone"
    finally:
        now.close()
    return f"{read} was {brief(read.value)} and is {brief(value)}"
