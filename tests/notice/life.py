"""What the tests of the lifecycle callback share: a callback that logs what it is told of a test's own functions."""

import itertools
import types

import depwatch
from depwatch import DestroyedFunction, FunctionAttribute, FunctionEvent

NUMBERS = itertools.count()


class Life(list):
    """What was told of the functions of one test: (event, qualified name), and of MODIFIED (attribute, new value) too.

    The file of their code tells them from all others: pytest makes some, and lets go of what earlier tests had made.
    """

    def __init__(self, file=None):
        self.file = file or f"<life {next(NUMBERS)}>"

    def is_own(self, function):
        code = function.code if type(function) is DestroyedFunction else function.__code__
        return code.co_filename == self.file

    def hear(self, event, function, attribute, new_value):
        if not self.is_own(function):
            return
        name = function.qualname if type(function) is DestroyedFunction else function.__qualname__
        if event is FunctionEvent.MODIFIED:
            self.append((event.name, name, attribute.name, new_value))
            return
        assert (attribute, new_value) == (FunctionAttribute.NOT_APPLICABLE, None)
        self.append((event.name, name))

    def whole(self, event, function, attribute, new_value):
        if self.is_own(function):
            self.append((event, function, attribute, new_value))

    def told(self):
        """Everything up to now, with what drains cause."""
        while depwatch.drain():
            pass
        entries = list(self)
        self.clear()
        return entries

    def module(self, source, **names):
        """A namespace in which source has run. The function that exec() makes for the source itself is told too."""
        exec(compile(source, self.file, "exec"), names)
        return names

    def pop(self, source):
        """The functions that source defines, in no namespace any more."""
        names = self.module(source)
        return [names.pop(name) for name in list(names) if name != "__builtins__"]


TWO = "def f(a, b=1, *, x=2): pass\ndef other(): pass"
MAKE = "def make(): return lambda: 0"
MADE = "make.<locals>.<lambda>"


def code_of_made(make):
    (code,) = (each for each in make.__code__.co_consts if type(each) is types.CodeType)
    return code


def created(*names):
    return [("CREATED", name) for name in names]


def destroyed(*names):
    return [("DESTROYED", name) for name in names]
