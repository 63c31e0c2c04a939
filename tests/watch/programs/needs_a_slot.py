import sys

import counting

import depwatch


class Base:
    x = 1


class Derived(Base):
    pass


def keywords(*, a=1):
    pass


namespace = {"X": 1}
kind = int(sys.argv[1])
name = ("dict", "type", "function", "code")[kind]
needs = eval(sys.argv[2])
held = counting.take_slots(kind)
for source in needs:
    recorder = depwatch.Recorder("r")
    before = depwatch.stats()
    try:
        eval(source)
    except depwatch.Unwatchable as error:
        message = str(error)
        assert f"no {name} watcher slot is free" in message and "CPython has 8" in message, message
        assert "use depwatch before those extensions load" in message, message
        del error
    else:
        raise AssertionError(source + " was not refused")
    recorder.close()
    after = depwatch.stats()
    assert after[f"{name}_slots"] == 0
    assert (after["objects"], after["facets"]) == (0, 0), (source, after)
# What it could have told if it was half-watched.
namespace["X"] = Base.x = 2
Derived.y = 1
keywords.__kwdefaults__["a"] = 2
keywords.__defaults__ = (1,)
assert depwatch.drain() == 0 and depwatch.stats()["events"] == 0
counting.give_slots(kind)
for source in needs:
    recorder = depwatch.Recorder("r")
    eval(source)
    assert recorder.commit().valid, source
    assert depwatch.stats()[f"{name}_slots"] == 1
# It keeps its slot when all the others are taken.
assert counting.take_slots(kind) == held - 1
recorder = depwatch.Recorder("r")
eval(needs[0])
assert recorder.commit().valid
