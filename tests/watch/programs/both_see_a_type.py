from beside import AFTER, BEFORE, DICT, TYPE, Logging, both

import depwatch

before, after = both(TYPE)
tables = Logging(DICT, BEFORE), Logging(DICT, AFTER)
logs = []
import gc

gc.disable()  # or the end of the first round's classes may come in the second, which is watched as well
for depended_on in (False, True):

    class Base:
        x = 1

    class Other:
        x = 1

    class Derived(Base):
        pass

    table = depwatch._core.dict_of_type(Base)
    if depended_on:
        recorder = depwatch.Recorder("type")
        recorder.read_type_attr(Derived, "x")
        handle = recorder.commit()
    for other in (before, after):
        other.watch(Base)
        other.watch(Derived)
    for other in tables:
        other.watch(table)
    for change in (
        lambda: setattr(Base, "x", 2),
        lambda: setattr(Derived, "y", 1),
        lambda: setattr(Base, "x", 1),
        lambda: setattr(Derived, "__bases__", (Other,)),
        lambda: setattr(Other, "x", 3),
        lambda: setattr(Derived, "__bases__", (Base,)),
        lambda: delattr(Base, "x"),
    ):
        change()
        Derived.__dict__, getattr(Derived, "x", None), getattr(Base, "x", None)  # asks for a version tag anew
    if depended_on:
        assert handle.broken == 1
        handle.release()
        depwatch.drain()
    Base.x = 4
    logs.append([other.taken() for other in (before, after, *tables)])
assert logs[0] == logs[1]
assert logs[0][0] == logs[0][1] and logs[0][2] == logs[0][3]
assert ("MODIFIED", None, None) in logs[0][0]
assert logs[0][2] == [("MODIFIED", "x", 2), ("MODIFIED", "x", 1), ("DELETED", "x", None), ("ADDED", "x", 4)]
