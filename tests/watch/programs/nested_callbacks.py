import sys

from beside import AFTER, BEFORE, DICT, FUNCTION, TYPE, add_others, log, others

import depwatch

which = {"BEFORE": BEFORE, "AFTER": AFTER}[sys.argv[1]]
chain = [{"X": 0} for _ in range(5)]
last = {"X": 0}
defaults = [(0,), (1,)]


class Class:
    x = 0


def function(a=0):
    pass


function.__defaults__ = defaults[0]
depths = []


def on_dict(event, changed, key, value):
    depths.append(value)
    for this, following in zip(chain, chain[1:]):
        if this is changed:
            following["X"] = value
            return
    Class.x = value


def on_type(event, cls, key, value):
    function.__defaults__ = defaults[depths[-1]]


def on_function(event, changed, key, value):
    last["X"] = value[0]


add_others(which, (DICT, on_dict), (TYPE, on_type), (FUNCTION, on_function))
for each in chain:
    others.watch(DICT, which, each)
others.watch(TYPE, which, Class)
others.watch(FUNCTION, which, function)

recorders = [depwatch.Recorder(str(i), 60000) for i in range(8)]
for recorder, namespace in zip(recorders, [*chain, last]):
    recorder.read_global(namespace, "X")
recorders[6].read_type_attr(Class, "x")
recorders[7].read_function(function, "defaults")
handles = [
    recorder.commit(
        on_invalidate=lambda handle: log.append(("invalidated", handle.name)),
        on_resume=lambda handle: log.append(("resumed", handle.name)),
    )
    for recorder in recorders
]
for _ in range(20):
    chain[0]["X"] = 1
    assert [handle.broken for handle in handles] == [1] * 8
    assert (last, Class.x, function.__defaults__) == ({"X": 1}, 1, (1,))
    depwatch.drain()
    assert sorted(log) == [("invalidated", str(i)) for i in range(8)], log
    log.clear()
    chain[0]["X"] = 0
    assert all(handle.valid for handle in handles)
    assert (last, Class.x, function.__defaults__) == ({"X": 0}, 0, (0,))
    depwatch.drain()
    assert sorted(log) == [("resumed", str(i)) for i in range(8)], log
    log.clear()
assert others.events(DICT, which) == 200 and len(depths) == 200
