"""The exceptions of depwatch. Their messages name the value, the limit and the remedy."""


class DepwatchError(Exception):
    """Base of all errors that only depwatch raises. Wrong arguments raise TypeError or ValueError."""

    counted = False  # whether stats() has it


class Unwatchable(DepwatchError):
    """CPython does not report every change of this value, so no code may rely on it; the message says why."""


class Unstable(DepwatchError):
    """This value has changed too often to rely on it: load it at run time, or use a value cell."""


class Stale(DepwatchError):
    """A value that was read while compiling changed before the commit: compile again."""


class Released(DepwatchError):
    """A recorder was used after its commit, or a handle or cell after its release."""
