"""Something else is done at each point at which the program's code can run inside an operation of depwatch.

Those points are the calls of what was given to depwatch (sequences, buffers, numbers, destructors, callbacks), and the
lines or bytecodes of depwatch's own Python, between two of which another thread or a signal handler can run.
"""

import gc
import sys
import types
from array import array
from pathlib import Path

import depwatch
from depwatch import _core
from support import at_once, namespace, same

PACKAGE = str(Path(depwatch.__file__).parent)


class Visits:
    """Counts the points, and does deed() at one of them. None: at no point."""

    def __init__(self, at=None, deed=None, every_bytecode=False):
        self.at, self.deed, self.every_bytecode = at, deed, every_bytecode
        self.n, self.counting, self.error = 0, False, None

    def __call__(self):
        if not self.counting:
            return
        self.n += 1
        if self.n == self.at:
            self.counting = False
            try:
                self.deed()
            except BaseException as error:  # it must not become that of the operation
                self.error = error
            self.counting = True

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = self.every_bytecode
        self()
        return self.trace

    def during(self, operation):
        """What the operation gives, or the error that it raises."""
        before = sys.gettrace()
        self.counting = True
        sys.settrace(self.trace)
        try:
            return operation()
        except (depwatch.DepwatchError, ValueError, TypeError) as error:
            return error
        finally:
            sys.settrace(before)
            self.counting = False

    def apart(self, operation):
        """What an operation gives that is a part of another one, and has no points of its own."""
        before = sys.gettrace()
        self.counting = False
        sys.settrace(None)
        try:
            return operation()
        finally:
            sys.settrace(before)
            self.counting = True


class Mortal:
    """A value that visits when it dies."""

    def __init__(self, visits):
        self.visits = visits

    def __del__(self):
        self.visits()


class Optimized(Mortal):
    """Code that does so."""

    def __call__(self, x=0):
        return 1


class Artifacts(list):
    """A sequence that visits when it is asked."""

    visits = staticmethod(lambda: None)

    def __len__(self):
        self.visits()
        return super().__len__()

    def __getitem__(self, index):
        self.visits()
        return super().__getitem__(index)


class Number(int):
    """An int that visits when it is asked what it is."""

    visits = staticmethod(lambda: None)

    def __index__(self):
        self.visits()
        return int(self)

    def __lt__(self, other):
        self.visits()
        return int(self) < other

    def __eq__(self, other):
        self.visits()
        return int(self) == other

    __hash__ = int.__hash__


class Word(str):
    """A str that visits when it is compared, hashed or formatted."""

    visits = staticmethod(lambda: None)

    def __str__(self):
        self.visits()
        return str.__str__(self)

    def __format__(self, specification):
        self.visits()
        return str.__format__(self, specification)

    def __eq__(self, other):
        self.visits()
        return str.__eq__(self, other)

    def __hash__(self):
        self.visits()
        return str.__hash__(self)


class Buffer:
    """A buffer that visits when it is looked at."""

    def __init__(self, visits, numbers):
        self.visits, self.numbers = visits, numbers

    def __buffer__(self, flags):
        self.visits()
        return memoryview(self.numbers)

    def __release_buffer__(self, view):
        self.visits()


class OddKey:
    """A key of a dict that is no name."""

    def __init__(self, visits):
        self.visits = visits

    def __hash__(self):
        self.visits()
        return 12345

    def __eq__(self, other):
        self.visits()
        return self is other


class Meta(type):
    """A metaclass that visits when its classes are asked what they are."""

    visits = staticmethod(lambda: None)

    def __instancecheck__(cls, instance):
        Meta.visits()
        return super().__instancecheck__(instance)

    def __getattribute__(cls, name):
        Meta.visits()
        return super().__getattribute__(name)

    def __eq__(cls, other):
        Meta.visits()
        return cls is other

    def __hash__(cls):
        Meta.visits()
        return 1


def given(kind, visits, value):
    """An argument of that class which visits."""
    made = kind(value)
    made.visits = visits
    return made


class World:
    """What an operation works on, beside others that rely on the same; and what is true."""

    def __init__(self, visits):
        self.visits = visits
        Meta.visits = staticmethod(visits)
        self.globals = namespace(A=Mortal(visits), B=1, F=1.5)
        self.globals[OddKey(visits)] = 0
        self.module = types.ModuleType("module")
        self.module.A = 1
        self.cls = Meta("Class", (), {"A": 1})
        self.function = types.FunctionType((lambda x=0: B).__code__, self.globals, "function", (0,))  # noqa: F821
        self.told = []  # of our own, by those who may not come twice
        self.live = {}  # handle -> what it was made for: {name: value} of globals
        self.all_may_retire = False  # else none but our own: what the operation works on
        self.handle = self.commit("own", "A", "B")
        self.handles = self.commit_many("own many", "A", "B")
        self.subscriptions = []  # all that are made here: each keeps this world until it is cancelled
        self.subscription = self.subscribe("own listener", "A", "B")
        self.recorder = self.begun("own open", "B")
        installed = self.commit("installed", "B")
        self.entry = depwatch.install(self.function, Optimized(visits), installed)
        self.other_handles = [self.commit(f"other {i}", "A", "B") for i in range(3)]
        self.other_many = self.commit_many("other many", "A", "B")
        self.other_subscription = self.subscribe("other listener", "A")
        self.other_recorder = self.begun("other open", "A")
        depwatch.drain()

    def call(self, name):
        def called(argument):
            self.visits()
            self.told.append((name, argument))

        return called

    def subscribe(self, name, *facets):
        made = depwatch.subscribe(self.call(name), self.globals, *facets)
        self.subscriptions.append(made)
        return made

    def callbacks(self, name):
        return {f"on_{what}": self.call((name, what)) for what in ("invalidate", "resume", "retire")}

    def begun(self, name, *names):
        recorder = depwatch.Recorder(name, None)
        for each in names:
            recorder.read_global(self.function, each)
        return recorder

    def commit(self, name, *names):
        values = {each: self.globals[each] for each in names}
        handle = self.begun(name, *names).commit(**self.callbacks(name))
        self.live[handle] = values
        return handle

    def commit_many(self, name, *names):
        """One handle for each name, of artifacts that visit."""
        values = [self.globals[each] for each in names]
        artifacts = given(Artifacts, self.visits, names)
        handles = self.begun(name, *names).commit_many(
            array("Q", range(len(names) + 1)), array("I", range(len(names))), artifacts, **self.callbacks(name)
        )
        for i, value in enumerate(values):
            self.live[handles, i] = {names[i]: value}
        return handles

    # --- what is done in between ------------------------------------------------------------------------------------

    def drain(self):
        depwatch.drain()

    def end_all_others(self):
        """And others come, which get their numbers."""
        for each in (*self.other_handles, self.other_many):
            if not each.released:
                each.release()
        self.other_subscription.cancel()
        self.other_recorder.close()
        depwatch.drain()
        for i in range(6):
            self.commit(f"new {i}", "B")
        self.subscribe("new listener", "B")

    def end_it(self):
        """What the operation works on."""
        for each in (self.handle, self.handles, self.entry.handle):
            if not each.released:
                each.release()
        self.subscription.cancel()
        self.recorder.close()
        self.entry.remove()
        depwatch.drain()
        for i in range(6):
            self.commit(f"new {i}", "B")

    def retire_it(self):
        for each in (self.handle, self.handles, self.entry.handle):
            if not each.released:
                each.retire("in between")
        depwatch.drain()

    def change_it(self):
        """All values, and back; what depends on the whole of it is retired."""
        depwatch.invalidate([self.module], "in between")
        before = dict(self.globals)
        at_once((self.globals.update, {"A": 0, "B": 0}), (depwatch.drain,), (self.globals.update, before))
        self.cls.A, self.cls.A = 2, 1

    # --- what is true ------------------------------------------------------------------------------------------------

    def handles_now(self):
        """Those that are not released: {handle: values}."""
        found = {}
        for key, values in list(self.live.items()):
            try:
                handle = key[0][key[1]] if type(key) is tuple else key
            except depwatch.Released:
                continue
            if not handle.released:
                found[handle] = values
        return found

    def is_own(self, handle):
        return handle.name.startswith("own") or handle is self.entry.handle

    def check(self):
        """All handles say what is so, none has the byte of another, and the index is as it must be."""
        depwatch.drain()
        _core.check_index()
        found = self.handles_now()
        assert len({handle.id for handle in found}) == len(found)
        assert len({handle.broken_address for handle in found}) == len(found)
        for handle, values in found.items():
            broken = sum(not same(self.globals[name], value) for name, value in values.items())
            if handle.broken == 255:
                assert type(handle.reason) is str and (self.all_may_retire or self.is_own(handle)), handle
            else:
                assert handle.broken == broken, (handle, broken)
        for name, argument in self.told:
            if name[1:] == ("retire",):
                assert self.told.count((name, argument)) == 1, (name, argument)

    def end(self):
        """Each of those that are left is told of one more change; then none is left."""
        self.check()
        self.globals["A"] = self.globals["B"] = "other"
        for handle in self.handles_now():
            assert not handle.valid
        self.check()
        for each in {key[0] if type(key) is tuple else key for key in self.live}:
            if not each.released:
                each.release()
        for recorder in (self.recorder, self.other_recorder):
            recorder.close()
        for subscription in self.subscriptions:
            subscription.cancel()
        depwatch.drain()
        _core.check_index()
        assert self.handles_now() == {}


DEEDS = {
    "drain": World.drain,
    "all others end": World.end_all_others,
    "it ends": World.end_it,
    "it is retired": World.retire_it,
    "its values change": World.change_it,
}
UNTOUCHED = ("drain", "all others end")  # what the operation works on is as it was


def run(operation, visits, deed=None):
    """What it gives in a new world."""
    visits.counting = False
    world = World(visits)
    if deed is not None:
        visits.deed = lambda: deed(world)
    gc.disable()
    try:
        result = visits.during(lambda: operation(world))
        if visits.error is not None:
            raise visits.error
        world.end()
    finally:
        gc.enable()
    return result
