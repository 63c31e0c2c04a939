"""What is known of a function of the program that is called often: of its code object, which is not kept alive.

Few objects: the program's garbage collections visit them all.
"""

import weakref
from dataclasses import dataclass
from types import CodeType

import depwatch

from . import _tap
from .bytecode import Use
from .recorded import Recorded


@dataclass(slots=True, eq=False)
class Function:
    """A code object; every closure made from it shares its handle."""

    code: weakref.ref[CodeType]
    name: str
    uses: tuple[Use, ...]
    seen: tuple[int, int] | None = None  # when it was resolved: lines that had run, id of the first argument's type
    keys: tuple[object, ...] = ()  # of what it depends on
    # the real handle
    handle: depwatch.Handle | None = None
    recorded: list[tuple[_tap.Facet, Recorded]] | None = None
    hot: bool = False
    dropped: bool = False  # the handle is invalid, and was counted as dropped
    bereft: bool = False  # the handle went because an object died: no change, it is made anew at the next call
