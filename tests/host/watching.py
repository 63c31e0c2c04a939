"""Running something while everything watched is logged."""

import gc
import types
from contextlib import contextmanager
from typing import NamedTuple

NULL = ...  # what is NULL in C


class Entry(NamedTuple):
    """One event; see struct Entry in hostwatch.c."""

    kind: str
    event: str
    object: int
    key: object
    value: object
    before: object
    used: int
    moved: int
    code: types.CodeType
    offset: int
    line: int
    references: int  # to what is there during the callback

    def short(self):
        """(event, key, new value, what is there during the callback); without what such an event never has."""
        match self.kind:
            case "D" if self.event in ("ADDED", "MODIFIED", "DELETED"):
                return (self.event, self.key, self.value, self.before)
            case "D":
                return (self.event, self.key, self.value, self.used)
            case "T":
                return ("TYPE", self.key, self.before)
            case "F":
                return (self.event, self.key, self.value, self.before)
        return (f"CODE_{self.event}", self.key)


class Watching:
    """One watcher of each kind. What is compiled by run() and module() is what function and code watchers log."""

    def __init__(self, hostwatch):
        self.c = hostwatch
        self.slots = {kind: hostwatch.add(kind) for kind in "DTFC"}

    def close(self):
        for kind, slot in self.slots.items():
            self.c.clear(kind, slot)

    def watch(self, *objects):
        """Watches dicts and types; returns the last."""
        for obj in objects:
            self.c.watch(self.slots["T" if isinstance(obj, type) else "D"], obj)
        return obj

    def unwatch(self, *objects):
        for obj in objects:
            self.c.unwatch(self.slots["T" if isinstance(obj, type) else "D"], obj)

    def watch_class(self, *classes):
        """Each class's dict and the class itself, which then has a version tag."""
        for cls in classes:
            self.watch(self.c.type_dict(cls), cls)
            self.c.assign_version_tag(cls)
        return cls

    @contextmanager
    def recording(self, kinds="D"):
        """The list becomes the log when the block ends: entries of these kinds.

        Nothing is collected meanwhile unless the block does it: what other tests left would be in the log.
        """
        log = []
        gc.disable()
        self.c.take()
        self.c.record(True)
        try:
            yield log
        finally:
            self.c.record(False)
            gc.enable()
            log += [entry for entry in map(Entry._make, self.c.take()) if entry.kind in kinds]

    def run(self, source, namespace, kinds="D"):
        """The short log of running source, without the function that exec() makes for the source itself."""
        code = compile(source, "<host>", "exec")
        with self.recording(kinds) as log:
            exec(code, namespace)
        return [entry.short() for entry in log if entry.key != "<module>"]


def module(source, **names):
    """A namespace in which source has run."""
    namespace = {"__name__": "host", **names}
    exec(compile(source, "<host>", "exec"), namespace)
    return namespace


def only_for(condition, *events):
    """The events, if the condition holds on this version."""
    return list(events) if condition else []
