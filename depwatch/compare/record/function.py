"""What is known of a function of the program that is called often: of its code object in one namespace, and neither is
kept alive.

Few objects: the program's garbage collections visit them all.
"""

from .bytecode import Read
from .sites import Last


class Function:
    """A code object in one namespace; every closure made from it there is the same function."""

    __slots__ = ("called", "followed", "keys", "last", "name", "read")

    def __init__(self, called: object, name: str, read: Read) -> None:
        self.called = called  # by which the tap knows it
        self.name = name
        self.read = read  # what its code looks up
        self.last: Last = {}  # what was seen at its sites
        self.followed: frozenset[int] = frozenset()  # offsets of its look-ups and calls
        self.keys: tuple[object, ...] | None = None  # of what it depends on; None: that was not looked up yet
