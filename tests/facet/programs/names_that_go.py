"""Prints how much depwatch's index grew while names came and went. In a process of its own: what is remembered of a
name depends on the least limit of all handles ever."""

import sys
import types

import depwatch

place, first = sys.argv[1:]
owner = {"dict": dict, "class": lambda: type("Owner", (), {}), "module": lambda: types.ModuleType("module")}[place]()
store, delete = (dict.__setitem__, dict.__delitem__) if place == "dict" else (setattr, delattr)
read = {"dict": "read_global", "class": "read_type_attr", "module": "read_attr"}[place]


def commit(name):
    recorder = depwatch.Recorder("r")
    getattr(recorder, read)(owner, name)
    return recorder.commit()


store(owner, "stays", 1)
stays = commit("stays")
depwatch.drain()
before = depwatch.stats()
for i in range(100):
    name = f"name{i}"
    store(owner, name, 1)
    handle = commit(name)
    store(owner, name, 2)
    depwatch.drain()  # it broke: remembered while the name is there
    for step in (handle.release, lambda name=name: delete(owner, name))[:: 1 if first == "release" else -1]:
        step()
        depwatch.drain()
after = depwatch.stats()
print([after[name] - before[name] for name in ("facets", "objects", "dependencies")], stays.valid)
