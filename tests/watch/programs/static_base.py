import gc
import sys

import counting

import depwatch


class Class:
    x = 1


def read():
    recorder = depwatch.Recorder("r", 60000)
    recorder.read_type_attr(Class, "x")
    return recorder.commit()


may_leave = int(sys.argv[1])  # whether a class may leave a static base
counting.take_slots(1)
gc.freeze()
if may_leave:
    before = depwatch.stats()
    try:
        read()
    except depwatch.Unwatchable as error:
        assert "no type watcher slot is free" in str(error), error
        del error
    else:
        raise AssertionError("not refused")
    after = depwatch.stats()
    assert (after["objects"], after["facets"]) == (before["objects"], before["facets"]), after
    Class.x = 2
    assert depwatch.drain() == 0 and depwatch.stats()["events"] == before["events"]
    Class.x = 1
    counting.give_slots(1)
handle = read()
assert depwatch.stats()["type_slots"] == may_leave
Class.x = 2
assert handle.broken == 1
