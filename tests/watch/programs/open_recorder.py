import counting

import depwatch


def function():
    pass


namespace = {"X": 1}
recorder = depwatch.Recorder("r")
recorder.read_global(namespace, "X")
for kind in range(4):
    counting.take_slots(kind)
for _ in range(3):
    try:
        recorder.read_function(function, "code")
    except depwatch.Unwatchable:
        pass
    else:
        raise AssertionError("not refused")
namespace["Y"] = 1
handle = recorder.commit()
namespace["X"] = 2
assert handle.broken == 1
handle.release()
depwatch.drain()
assert (depwatch.stats()["handles"], depwatch.stats()["dependencies"]) == (0, 0)
