"""Versions: the code of one function for one set of argument types, and what it was compiled under."""

import weakref
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

from numba.core import types as numba_types

from depwatch import DepwatchError, GuardedBuiltin, Handle, Recorder, Stale, guarded_builtin
from depwatch.integrations.numba.cells import Cell, Cells
from depwatch.integrations.numba.reads import Read, Reads, VariableRead
from depwatch.values import brief

if TYPE_CHECKING:
    from depwatch.integrations.numba.function import Function

UNSTABLE_AFTER: Final = (
    65535  # compiled code cannot do with an ordinary load: it must be watched however often it breaks
)


class Changed(DepwatchError):
    """Compiled code relies on something that has changed, and its policy is not to compile again."""


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
        words = {cell.address: cell.word for cell in self.cells}  # each once
        changed = None if quiet else self._changed
        self.entry: Final = guarded_builtin(result.entry_point, self._again, changed, words.values())
        self.result: Final = result._replace(entry_point=self.entry.function)
        weakref.finalize(self, own_cells.close).atexit = False

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What numba's tables know it by."""
        return tuple(self.result.signature.args)

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

    def renew(self) -> list[Read]:
        """Get a new handle if all is as it was compiled; otherwise return what is not."""
        for _ in range(10):
            recorder = Recorder(self.name, UNSTABLE_AFTER)
            try:
                changed: list[Read] = self.reads.record(recorder)
                if not changed:
                    self.rely(recorder.commit(owner=self))
                    return []
            except Stale:
                continue
            except DepwatchError:
                return list(self.reads)  # compiling again tells what is wrong
            finally:
                recorder.close()
            return changed
        return list(self.reads)

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


def version_of(result: Any) -> Version | None:
    """The version that a compile result of numba's belongs to; None if numba compiled it without us."""
    entry = getattr(result.entry_point, "__self__", None)
    owner = getattr(entry.slow, "__self__", None) if isinstance(entry, GuardedBuiltin) else None
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
