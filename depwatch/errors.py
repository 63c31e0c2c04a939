"""What can go wrong. Messages name the value, the limit and the remedy."""


class DepwatchError(Exception):
    """Base of every error that is depwatch's own; wrong arguments raise TypeError or ValueError."""


class Unwatchable(DepwatchError):
    """CPython does not report every change of this, so nothing may rely on it; the message says why."""


class Unstable(DepwatchError):
    """This facet has broken so often that building on it does not pay: load it at run time, or use a value cell."""


class Stale(DepwatchError):
    """Something that was read while compiling changed before commit: compile again."""


class Released(DepwatchError):
    """The recorder was committed already, or the handle or cell was released."""
