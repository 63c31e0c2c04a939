import sys

from beside import AFTER, BEFORE, DICT, add_others, others

import depwatch

which = {"BEFORE": BEFORE, "AFTER": AFTER}[sys.argv[1]]
called = []


def callback(event, changed, key, value):
    called.append(event)
    exec(sys.argv[2])


sys.unraisablehook = lambda problem: called.append(str(problem.exc_value))
add_others(which, (DICT, callback))


def stale(writes):
    class Base:
        x = 1

    class Derived(Base):
        pass

    builtins, empty = {"B": 1, "Z": 1}, {"__builtins__": vars(__import__("builtins"))}
    namespace = {"X": 1, "Y": 1, "__builtins__": builtins}
    READS = {
        "X": lambda: namespace.get("X"),
        "B": lambda: namespace.get("B", 1),
        "Z": lambda: empty.get("Z", 1),
        "x": lambda: getattr(Derived, "x", None),
    }
    recorders = {name: depwatch.Recorder(name, 60000) for name in READS}
    recorders["X"].read_global(namespace, "X")
    recorders["B"].read_global(namespace, "B")
    vars(__import__("builtins"))["Z"] = 1
    recorders["Z"].read_global(empty, "Z")
    recorders["x"].read_type_attr(Derived, "x")
    handles = {name: recorder.commit() for name, recorder in recorders.items()}
    classes = (depwatch._core.dict_of_type(each) for each in (Base, Derived))
    watched = [namespace, empty, *classes]
    for each in watched:
        others.watch(DICT, which, each)
    found = []
    for source in writes:
        exec(source, locals())
        for when in (source, "a drain after " + source):
            found += [
                f"after {when}, {name} is {READS[name]()}, and what was compiled with 1 may run"
                for name, handle in handles.items()
                if handle.valid and READS[name]() != 1
            ]
            depwatch.drain()
    for each in watched:
        others.unwatch(DICT, which, each)
    for handle in handles.values():
        handle.release()
    return found


for name, writes in eval(sys.argv[3]).items():
    called.clear()
    print(*stale(writes), sep="\n")
    assert len(called) >= len(writes), name
