"""A class that leaves a static base: found by what CPython says in C, whatever a program has made of the module gc."""

import textwrap

import pytest

from support import python

REPLACED = {
    "nothing": "pass",
    "gc.get_referrers": "gc.get_referrers = lambda *args: 5",
    "gc.get_referrers, which raises": "gc.get_referrers = None",
    "sys.modules['gc']": "sys.modules['gc'] = types.SimpleNamespace(get_referrers=lambda *args: 5)",
    "sys.modules['gc'] by None": "sys.modules['gc'] = None",
    "__import__": "builtins.__import__ = lambda *args: 5",
    "all of gc, by what counts": """
for name in dir(gc):
    if callable(getattr(gc, name)):
        setattr(gc, name, lambda *args: calls.append(1))
""",
}

SCRIPT = """
import builtins, gc, sys, types
import depwatch

calls = []

class Error(BufferError):
    x = 1

class Derived(Error):
    pass

def found():
    return next(vars(base)["__doc__"] for base in Derived.__mro__[2:] if "__doc__" in vars(base))

def replaced():
    REPLACED

replaced()
recorder = depwatch.Recorder("r")
value = recorder.read_type_attr(Derived, "__new__")
handle = recorder.commit()
before = depwatch.stats()
Error.__bases__ = (EOFError,)
print(handle.broken, depwatch.stats()["type_slots"], calls, end=" ")
Error.__bases__ = (BufferError,)
depwatch.drain()
print(handle.valid)
"""


@pytest.mark.parametrize("what", REPLACED)
def test_a_class_that_leaves_a_static_base_is_seen_whatever_was_replaced(what):
    replaced = textwrap.indent(REPLACED[what].strip(), "    ")
    assert python(SCRIPT.replace("    REPLACED", replaced)) == "1 0 [] True\n"


def test_no_key_of_the_program_is_compared_in_the_search():
    """The table of a static base is a dict among all dicts of the process."""
    printed = python("""
        import depwatch

        ran = []

        class Key:
            def __hash__(self):
                return hash(self.number)
            def __eq__(self, other):
                ran.append(other)
                return False

        class Error(BufferError):
            x = 1

        key = Key()
        key.number = id(Error)
        others = [{key: 1}, {0: 1, key: 2}, {id(Error): Error, key: 3}]
        ran.clear()
        recorder = depwatch.Recorder("r")
        recorder.read_type_attr(Error, "x")
        handle = recorder.commit()
        Error.__bases__ = (EOFError,)
        depwatch.drain()
        print(handle.valid, ran, depwatch.stats()["type_slots"])
        """)
    assert printed == "True [] 0\n"
