"""A look-up that is refused leaves nothing behind: neither references nor facets."""

import gc
import sys
import weakref

import pytest

import depwatch
from support import namespace


class Marker:
    pass


class Odd:
    """Has the hash of "X", and says of itself whether it equals it."""

    def __hash__(self):
        return hash("X")

    def __eq__(self, other):
        return self is other


class Raising(Odd):
    __hash__ = Odd.__hash__

    def __eq__(self, other):
        if isinstance(other, str):
            raise ValueError("not comparable")
        return self is other


def in_globals(key, marker):
    space = {key: 1, "__builtins__": {"X": 2}, "marker": marker}
    return space, lambda recorder: recorder.read_global(space, "X")


def in_builtins(key, marker):
    names = {"marker": marker, key: 1, "Y": 2}
    space = namespace(names)
    return space, lambda recorder: recorder.read_global(space, "X")


def in_a_class(key, marker):
    owner = type("Owner", (), {"marker": marker})
    gc.get_referents(owner.__dict__)[0][key] = 1
    derived = type("Derived", (owner,), {})
    return derived, lambda recorder: recorder.read_type_attr(derived, "X")


def subscribed(key, marker):
    space, _ = in_globals(key, marker)
    return space, lambda recorder: depwatch.subscribe(print, space, "X")


@pytest.mark.parametrize("key", [Odd, Raising])
@pytest.mark.parametrize("place", [in_globals, in_builtins, in_a_class, subscribed])
def test_what_is_refused_is_not_kept(place, key):
    before = depwatch.stats()
    marker = Marker()
    gone = weakref.ref(marker)
    owner, read = place(key(), marker)
    del marker
    references = sys.getrefcount(owner)
    for _ in range(3):
        recorder = depwatch.Recorder("r")
        with pytest.raises((depwatch.Unwatchable, ValueError)):
            read(recorder)
        recorder.close()
        depwatch.drain()
    assert sys.getrefcount(owner) == references
    del owner, read, recorder
    gc.collect()
    depwatch.drain()
    assert gone() is None
    after = depwatch.stats()
    assert (after["objects"], after["facets"]) == (before["objects"], before["facets"])
