"""What the numba tests share: programs with globals of their own, and a log of what numba compiles."""

import contextlib
import itertools
import sys
import textwrap
import types
from unittest import mock

import pytest
from numba.core import event
from numba.core.lowering import BaseLower

from depwatch.integrations import numba as watched

NUMBERS = itertools.count()
registered = []


class Program(types.ModuleType):
    """Source code as a module of its own, so that tests can change its globals and no test sees another's."""

    def __init__(self, source, **names):
        super().__init__(f"program_{next(NUMBERS)}")
        registered.append(self.__name__)
        sys.modules[self.__name__] = self  # numba looks there, or a function of it could not call itself
        while len(registered) > 4:
            del sys.modules[registered.pop(0)]
        self.njit = watched.njit
        vars(self).update(names)
        exec(compile(textwrap.dedent(source), "program", "exec"), vars(self))

    def stats(self, *names):
        """(compiled, put back, renewed) of these functions."""
        return [tuple(watched.stats(getattr(self, name)))[:3] for name in names]


@contextlib.contextmanager
def nobody_calls_by_address():
    """numba leaves out the wrapper by which C code calls a function: a fifth of the time of compiling it."""
    with mock.patch.object(BaseLower, "create_cfunc_wrapper", lambda lower: None):
        yield


class Compilations(event.Listener):
    """The names of the functions that numba has really compiled, in the order in which it began."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if not function.__module__.startswith("numba."):  # what it compiles for itself
            self.names.append(function.__name__)

    def on_end(self, event):
        pass

    def taken(self):
        names = self.names[:]
        self.names.clear()
        return names


@pytest.fixture
def compilations():
    """What numba begins to compile; one that is put back begins too, and is over at once."""
    with_names = Compilations()
    event.register("numba:compile", with_names)
    yield with_names
    event.unregister("numba:compile", with_names)
