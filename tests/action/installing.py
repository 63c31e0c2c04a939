"""What the tests of install() share: a function, code that takes its place, and a handle for that."""

import depwatch
from support import namespace


def make():
    def function(a, b=1, *, c=2):
        return ("own", a, b, c)

    return function


def optimized(*args, **kwargs):
    return ("optimized", args, kwargs)


def reading_x(log):
    """A handle that relies on X in handle.artifact."""
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("code")
    recorder.read_global(globals_, "X")
    return log.commit(recorder, globals_)


OWN, OPTIMIZED = ("own", 1, 1, 2), ("optimized", (1,), {})
