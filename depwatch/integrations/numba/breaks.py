"""Breaks: why compiled code may not run, and what it cost to have code that may."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from depwatch.notice import Break

KEPT: Final = 5  # for each set of argument types, the last ones


class Broken:
    """Something that code has built in and that changed."""

    __slots__ = ("mended", "new", "old", "text", "when", "where")

    def __init__(self, text: str, old: str | None, new: str | None, where: str | None) -> None:
        self.text: Final = text
        self.old: Final = old
        self.new: Final = new
        self.where: Final = where
        self.when: Final = time.time()
        self.mended: str | None = None  # how it went on, and what that cost

    def told(self, undone: bool) -> str:
        """A line of explain()."""
        when = time.strftime("%H:%M:%S", time.localtime(self.when))
        what = f"{self.text} changed" if self.old is None else f"{self.text}: {self.old} -> {self.new or 'gone'}"
        where = f", {self.where}" if self.where else ""
        return f"broke at {when}: {what}{where}; {self.mended or ('undone' if undone else 'the next call mends it')}"


class Breaks:
    """The last breaks of the code for one set of argument types, and how they were mended."""

    def __init__(self) -> None:
        self._kept: Final[deque[Broken]] = deque(maxlen=KEPT)

    def __iter__(self) -> Any:
        return iter(self._kept)

    def note(self, breaks: Iterable[Break]) -> None:
        """What depwatch tells of a handle that is not valid any more."""
        for each in breaks:
            where = None if each.filename is None else f"{each.filename}:{each.lineno}"
            self._kept.append(Broken(each.text, each.old, each.new, where))

    def note_unseen(self, text: str, old: str, new: str) -> None:
        """What the code itself has noticed, unless it is told of already."""
        if not any(each.mended is None and each.text == text for each in self._kept):
            self._kept.append(Broken(text, old, new, None))

    def mend(self, how: str, seconds: float) -> None:
        """The code of these may run again, or other code does."""
        for each in self._kept:
            if each.mended is None:
                each.mended = f"{how} in {1000 * seconds:.1f} ms"
