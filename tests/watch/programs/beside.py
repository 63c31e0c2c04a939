"""Another extension has watchers too: BEFORE has its slots before depwatch takes any, AFTER gets them after that."""

import others

import depwatch

DICT, TYPE, FUNCTION, CODE = range(4)
BEFORE, AFTER = 0, 1
NAMES = (
    ("ADDED", "MODIFIED", "DELETED", "CLONED", "CLEARED", "DEALLOCATED"),
    ("MODIFIED",),
    ("CREATE", "DESTROY", "CODE", "DEFAULTS", "KWDEFAULTS", "QUALNAME"),
    ("CREATE", "DESTROY"),
)


class Logging:
    # What one other watcher saw; code is told by its name.
    def __init__(self, kind, n):
        self.kind, self.n = kind, n
        self.slot = others.add(kind, n)

    def watch(self, obj):
        others.watch(self.kind, self.n, obj)

    def unwatch(self, obj):
        others.unwatch(self.kind, self.n, obj)

    def taken(self):
        named = [(NAMES[self.kind][event], key, value) for event, key, value in others.take(self.kind, self.n)]
        return [
            (name, key, getattr(value, "co_name", value))
            for name, key, value in named
            if name != "QUALNAME"  # which only 3.15 reports
        ]


def depwatch_takes_its_slots():
    def function():
        pass

    recorder = depwatch.Recorder("slots")
    recorder.read_global({"X": 1}, "X")
    recorder.read_function(function, "code")
    recorder.depend_on(function.__code__)
    recorder.close()


def freeze(namespace, *names):
    recorder = depwatch.Recorder("frozen", 60000)
    for name in names:
        recorder.read_global(namespace, name)
    return recorder.commit()


def both(kind):
    before = Logging(kind, BEFORE)
    depwatch_takes_its_slots()
    return before, Logging(kind, AFTER)


def add_others(which, *callbacks):
    if which == AFTER:
        depwatch_takes_its_slots()
    for kind, callback in callbacks:
        others.add(kind, which, callback)
    if which == BEFORE:
        depwatch_takes_its_slots()


log = []
