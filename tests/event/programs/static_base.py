"""A class leaves a static base whose table of subclasses is hard to find: it is refused, or its handle is not stale."""

import gc
import sys
import weakref

import depwatch

registry = {0: []}  # older than the table
gc.collect()


class Error(BufferError):
    pass


class Derived(Error):
    pass


if sys.argv[1] == "frozen":
    gc.freeze()
else:
    registry[id(Error)] = weakref.ref(Error)
    gc.collect()


def found():
    return next(vars(base)["__new__"] for base in Derived.__mro__ if "__new__" in vars(base))


try:
    recorder = depwatch.Recorder("r")
    value = recorder.read_type_attr(Derived, "__new__")
    handle = recorder.commit()
except depwatch.Unwatchable:
    print("fine")
else:
    Error.__bases__ = (EOFError,)
    assert found() is not value
    print("stale" if handle.valid else "fine")
