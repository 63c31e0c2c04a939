import sys

from beside import AFTER, BEFORE, Logging, depwatch_takes_its_slots, others

import depwatch

which = {"BEFORE": BEFORE, "AFTER": AFTER}[sys.argv[1]]
if which == BEFORE:
    seen = [Logging(kind, BEFORE) for kind in range(4)]
depwatch_takes_its_slots()
if which == AFTER:
    seen = [Logging(kind, AFTER) for kind in range(4)]


def function():
    pass


class Class:
    x = 1


namespace = {"X": 1}
recorder = depwatch.Recorder("all")
recorder.read_global(namespace, "X")
recorder.read_type_attr(Class, "x")
recorder.read_function(function, "defaults")
handle = recorder.commit()
for other, obj in zip(seen, (namespace, Class, function, function.__code__)):
    other.watch(obj)
for other, obj in zip(seen, (namespace, Class, function, function.__code__)):
    other.unwatch(obj)
    others.remove(other.kind, other.n)
namespace["X"] = Class.x = 2
function.__defaults__ = (1,)
assert handle.broken == 3
assert [other.taken() for other in seen] == [[], [], [], []]
namespace["X"] = Class.x = 1
function.__defaults__ = None
assert handle.valid
