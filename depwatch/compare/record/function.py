"""What is known of a function of the program that is called often: of its code object in one namespace, and neither is
kept alive.

Few objects: the program's garbage collections visit them all.
"""

from dataclasses import dataclass, field

import depwatch

from . import _tap
from .bytecode import Use
from .recorded import Recorded
from .sites import Last, Site


@dataclass(slots=True, eq=False)
class Function:
    """A code object in one namespace; every closure made from it there shares its handle."""

    called: object  # by which the tap knows it
    name: str
    uses: tuple[Use, ...]
    sites: tuple[Site, ...]
    last: Last = field(default_factory=dict)  # what was seen at the sites
    seen: tuple[int, int] | None = (
        None  # when it was resolved: lines that had run, id of the first argument's type, or of itself
    )
    keys: tuple[object, ...] = ()  # of what it depends on
    # the real handle
    handle: depwatch.Handle | None = None
    recorded: list[tuple[_tap.Facet, Recorded]] | None = None
    hot: bool = False
    dropped: bool = False  # the handle is invalid, and was counted as dropped
    bereft: bool = False  # the handle went because an object died: no change, it is made anew at the next call
