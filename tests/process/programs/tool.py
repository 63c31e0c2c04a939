# change() is what the tools call at each of their events, those of depwatch's own Python code included. Each handle is
# to be right at once, wherever that is. work() does all that tools can be told of.
import contextlib
import sys
import threading

import depwatch


class Base:
    x = 0


class Derived(Base):
    pass


def function(a=0):
    return a


ZERO, ONE = (0,), (1,)
function.__defaults__ = ZERO
namespace = {"X": 0}
told, wrong, events, handles = [], [], set(), {}
calls = changes = 0
now = {
    "global": lambda: namespace["X"],
    "attribute": lambda: Base.x,
    "defaults": lambda: function.__defaults__[0],
}


def compiled(name):
    recorder = depwatch.Recorder(name, 60000)
    if name == "global":
        value = recorder.read_global(namespace, "X")
    elif name == "attribute":
        value = recorder.read_type_attr(Derived, "x")
    else:
        value = recorder.read_function(function, "defaults")[0][0]
    return recorder.commit(value, on_invalidate=told.append, on_resume=told.append)


def compile_anew():
    for name in now:
        try:
            fresh = compiled(name)
        except depwatch.Stale:
            continue
        old, handles[name] = handles.get(name), fresh
        if old is not None:
            old.release()


def change(event, stride=29):
    # Not at each event: a drain that makes more changes than it tells of would never end.
    global calls, changes
    events.add(event)
    calls += 1
    if calls % stride:
        return
    changes += 1
    value = changes // 3 % 2
    if changes % 3 == 0:
        namespace["X"] = value
    elif changes % 3 == 1:
        Base.x = value
    else:
        function.__defaults__ = ONE if value else ZERO
    for name, handle in list(handles.items()):
        is_as_compiled = now[name]() == handle.artifact
        if not handle.released and not handle.retired and handle.valid != is_as_compiled:
            wrong.append((changes, event, name))


def work():
    def generate(n):
        for i in range(n):
            yield i

    for i in generate(3):
        with contextlib.suppress(ValueError):
            [].index(i) if i else len("text")
        sorted([3, 1, 2], key=lambda x: -x)
        compile_anew()
        depwatch.drain()
        [depwatch.explain(handle) for handle in handles.values()]
    while i < 5:
        i += 1


def check(*needed):
    assert events >= set(needed), events
    assert changes >= 20, changes  # a drain is C: only what calls it and what it calls is traced
    assert wrong == [], wrong[:5]
    for value in (0, 1):
        namespace["X"] = Base.x = value
        function.__defaults__ = ONE if value else ZERO
        depwatch.drain()
        for handle in handles.values():
            assert handle.retired or handle.valid == (handle.artifact == value), handle
    compile_anew()
    told.clear()
    namespace["X"] = 2
    assert handles["global"].broken == 1
    depwatch.drain()
    assert told == [handles["global"]]
