import sys

from beside import AFTER, BEFORE, DICT, FUNCTION, TYPE, add_others, log, others

import depwatch

which = {"BEFORE": BEFORE, "AFTER": AFTER}[sys.argv[1]]


class Class:
    x = 0


def function():
    pass


def other():
    pass


def fail(event, changed, key, value):
    raise RuntimeError("of another")


unraisable = []
sys.unraisablehook = lambda problem: unraisable.append(str(problem.exc_value))
add_others(which, (DICT, fail), (TYPE, fail), (FUNCTION, fail))
namespace, code = {"X": 0}, function.__code__
others.watch(DICT, which, namespace)
others.watch(TYPE, which, Class)
others.watch(FUNCTION, which, function)
recorder = depwatch.Recorder("all", 60000)
recorder.read_global(namespace, "X")
recorder.read_type_attr(Class, "x")
recorder.read_function(function, "code")
handle = recorder.commit(on_invalidate=lambda handle: log.append(depwatch.explain(handle)), on_resume=log.append)
heard = depwatch.subscribe(lambda event: log.append((event.old, event.new)), namespace, "X")


def told():
    depwatch.drain()
    entries, log[:] = set(log), []
    return entries


namespace["X"] = 1
assert handle.broken == 1 and namespace == {"X": 1}
assert (0, 1) in told()
Class.x = 1
assert handle.broken == 2 and Class.x == 1
function.__code__ = other.__code__
assert handle.broken == 3 and function.__code__ is other.__code__
assert unraisable == ["of another"] * 3, unraisable
told()
namespace["X"] = 0
assert handle.broken == 2
Class.x = 0
assert handle.broken == 1
others.unwatch(FUNCTION, which, None)
function.__code__ = code
assert handle.valid and handle in told()
assert set(unraisable) == {"of another"}
heard.cancel()
