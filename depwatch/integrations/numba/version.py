"""Versions: the code of one function for one set of argument types, and what it was compiled under."""

import functools
import weakref
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

from numba.core import types as numba_types

from depwatch import DepwatchError, GuardedBuiltin, Handle, Recorder, Stale, _core, guarded_builtin
from depwatch.integrations.numba.breaks import Breaks
from depwatch.integrations.numba.cells import Cell
from depwatch.integrations.numba.reads import EMPTY, Read, VariableRead
from depwatch.values import brief

if TYPE_CHECKING:
    from depwatch.integrations.numba.blocks import Block
    from depwatch.integrations.numba.compilation import Compilation
    from depwatch.integrations.numba.store import Loaded


class Changed(DepwatchError):
    """Compiled code relies on something that has changed, and its policy is not to compile again."""


class Version:
    """Compiled code and the handle that says whether it may run.

    It may run again, without compiling, as soon as all that it has built in is as it was.
    """

    def __init__(
        self, compilation: "Compilation | Loaded", result: Any, requested: Any, callees: Iterable["Version"]
    ) -> None:
        function, own_cells = compilation.function, compilation.cells
        self.function: Final = weakref.ref(function)
        self.name: Final = function.name
        self.requested: Final = requested  # (argument types, return type or None), as numba was asked for
        self.callees = tuple(callees)  # linked in: their cells and environments must stay as long as this code
        self.is_checked: Final = not compilation.quiet  # whether a cell may get another type while the code runs
        self.is_stored = False  # on the disk, or it was tried
        self.why_not_stored: str | None = None  # if that is known from what is linked in
        self.quiet: Final[bool] = compilation.calls_quietly and all(callee.quiet for callee in self.callees)
        self.reads: Final = compilation.reads
        self.raising: Final[set[Hashable]] = {
            read.key for version in self.callees for read in version.reads if read.key in version.raising
        }
        if function.policy == "error":
            self.raising.update(read.key for read in self.reads)
        callees_blocks = (block for version in self.callees for block in version.blocks)
        self.blocks: Final[tuple[Block, ...]] = (*compilation.blocks, *callees_blocks)
        self.cells: list[Cell] = [*own_cells, *(cell for version in self.callees for cell in version.cells)]
        self._fast: Final = result.entry_point
        self.is_open = False  # calls back what is not compiled yet: it may not run, whatever it has read so far
        self.entry = self._new_entry()
        self.result = result._replace(entry_point=self.entry.function)
        weakref.finalize(self, own_cells.close).atexit = False

    def _new_entry(self) -> GuardedBuiltin:
        words = {cell.symbol: cell.word for cell in self.cells}  # each once
        changed = self._changed if self.is_checked else None
        return guarded_builtin(self._fast, self._again, changed, words.values())

    def close(self, outermost: "Version") -> None:
        """The version that it calls back is there, and has all that the two and what is between them read."""
        self.callees = (*self.callees, outermost)
        self.raising.update(outermost.raising)
        self.cells = [*self.cells, *outermost.cells]
        self.entry = self._new_entry()
        self.result = self.result._replace(entry_point=self.entry.function)
        self.is_open = False

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What numba's tables know it by."""
        return tuple(self.result.signature.args)

    @property
    def breaks(self) -> Breaks:
        """What broke it and others for the same types."""
        function = self.function()
        return Breaks() if function is None else function.breaks[self.arguments]

    @property
    def handle(self) -> Handle | None:
        return self.entry.handle

    @property
    def may_run(self) -> bool:
        return self.entry.active

    @property
    def makes_generators(self) -> bool:
        """A generator is in the code until it is done, and nobody tells when; a call keeps the code by itself."""
        return isinstance(self.result.signature.return_type, numba_types.Generator)

    def rely(self, handle: Handle | None) -> None:
        """Run from now on as long as this handle is valid, and the variables are as compiled; None: not at all."""
        before = self.entry.handle
        self.entry.rely(handle, [(read.cell, read.assumed()) for read in self.reads if isinstance(read, VariableRead)])
        if before is not None:
            before.release()

    def _record(self) -> list[Read]:
        """Rely on all that is built in, and return what is not as it was compiled. Raises Stale, Unwatchable."""
        with Recorder(self.name, None) as recorder:
            changed: list[Read] = self.reads.record(recorder)
            if not changed:
                version = weakref.ref(self)
                self.rely(recorder.commit(on_invalidate=functools.partial(_note_break, version), owner=self))
            return changed

    def try_to_rely(self) -> bool:
        """Whether the code may run, for all that is so now. Raises Unwatchable."""
        try:
            return not self._record() and self.may_run
        except Stale:
            return False

    def renew(self) -> list[Read]:
        """Get a new handle if all is as it was compiled; otherwise return what is not."""
        for _ in range(10):
            try:
                return self._record()
            except Stale:
                continue
            except DepwatchError:
                break  # compiling again tells what is wrong
        return list(self.reads)

    def note_unseen(self, changed: Iterable[Read]) -> None:
        """Note what broke this and no handle tells: variables of enclosing functions, and types of cells."""
        breaks = self.breaks
        for read in changed:
            if isinstance(read, VariableRead) and not _core.same_value(now := read.now(), read.value):
                breaks.note_unseen(str(read), brief(read.value), "gone" if now is EMPTY else brief(now))
        for cell in self.cells:
            if not cell.holds:
                breaks.note_unseen(repr(cell.name), f"of type {cell.type_name}", cell.now())

    def _again(self, *arguments: Any, **keywords: Any) -> object:
        """What the entry calls when the code may not run: find code that may, and call that."""
        function = self.function()
        if function is None:
            raise Changed(f"{self.name} was compiled under assumptions that broke, and its dispatcher is gone")
        return function.resolve(self).entry_point(*arguments, **keywords)

    def _changed(self, _: object) -> object:
        broken = [cell for cell in self.cells if not cell.holds]
        names = ", ".join(f"{cell.name!r}, which is not of type {cell.type_name} any more" for cell in broken)
        raise Changed(
            f"while {self.name} was running somebody changed {names or 'a global that it reads'}: the compiled code "
            "cannot go on with that, and its result is dropped; change types between calls only"
        )

    def __repr__(self) -> str:
        return f"<Version {self.name}{self.result.signature}, {'may run' if self.may_run else 'broken'}>"


def _note_break(version: "weakref.ref[Version]", handle: Handle) -> None:
    broken = version()
    function = None if broken is None else broken.function()
    is_used = broken is not None and function is not None and function.current.get(broken.arguments) is broken
    if broken is not None and is_used and not handle.released:
        broken.breaks.note(handle.broken_facets())


def version_of(result: Any) -> Version | None:
    """The version that a compile result of numba's belongs to; None if numba compiled it without us."""
    entry = getattr(result.entry_point, "__self__", None)
    owner = getattr(entry.slow, "__self__", None) if isinstance(entry, GuardedBuiltin) else None
    return owner if isinstance(owner, Version) else None


def described(read: Read) -> str:
    now = Recorder("a look", None)
    try:
        value = read.record(now)
    except Exception:
        return f"{read} was {brief(read.value)} and is gone"
    finally:
        now.close()
    return f"{read} was {brief(read.value)} and is {brief(value)}"
