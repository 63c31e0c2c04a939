"""A drain inside another extension's callback: after depwatch heard of a change, and before it is made.

Python that such a callback runs (or the unraisable hook, when it fails) lets the pending drain come there. What a drain
looks up at that moment is what was there before, and no further event tells of the write.
"""

from pathlib import Path

import pytest

from support import python

PROGRAMS = Path(__file__).with_name("programs")

# What changes, and how it is undone. The names are 1 before: see READS below.
WRITES = {
    "deleted": ("del namespace['X']", "namespace['X'] = 1"),
    "added over a builtin": ("namespace['B'] = 2", "del namespace['B']"),
    "cleared": ("namespace.clear()", "namespace.update(X=1, Y=1, __builtins__=builtins)"),
    "filled by a copy": ("empty.update({'B': 3, 'Z': 3})", "empty.clear()"),
    "deleted from a class": ("del Base.x", "Base.x = 1"),
    "added over a base's": ("Derived.x = 2", "del Derived.x"),
    "deleted, then stored": ("del namespace['X']", "namespace['X'] = 2", "namespace['X'] = 1"),
    "deleted, put back, stored": ("del namespace['X']", "namespace['X'] = 1", "namespace['X'] = 2"),
    "stored": ("namespace['X'] = 2", "namespace['X'] = 1", "Base.x = 2", "Base.x = 1"),
}
CALLBACKS = ["pass", "depwatch.drain()", "raise RuntimeError('of another')"]


@pytest.mark.parametrize("which", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_drain_before_the_write_does_not_take_the_old_value_for_the_new_one(others, callback, which):
    printed = python(PROGRAMS / "drain_before_the_write.py", which, callback, repr(WRITES))
    assert printed.split("\n") == [""] * (len(WRITES) + 1)
