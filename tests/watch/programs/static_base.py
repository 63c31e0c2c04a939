import ctypes
import gc
import weakref

import counting

import depwatch


class Class(BufferError):
    x = 1


def table_of(cls):
    (table,) = (each for each in gc.get_referrers(weakref.ref(cls)) if type(each) is dict and id(cls) in each)
    return ctypes.py_object(table)


def read():
    recorder = depwatch.Recorder("r", 60000)
    recorder.read_type_attr(Class, "x")
    return recorder.commit()


table = table_of(Class)
counting.take_slots(1)
ctypes.pythonapi.PyObject_GC_UnTrack(table)
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
ctypes.pythonapi.PyObject_GC_Track(table)
found = read()
assert depwatch.stats()["type_slots"] == 0
found.release()
ctypes.pythonapi.PyObject_GC_UnTrack(table)


class Class(EOFError):
    x = 1


ctypes.pythonapi.PyObject_GC_UnTrack(table_of(Class))
counting.give_slots(1)
handle = read()
assert depwatch.stats()["type_slots"] == 1
Class.x = 2
assert handle.broken == 1
