import sys

from slots import check, counting, function, recorder, slots

import depwatch

kind = int(sys.argv[1])
name, read = {
    0: ("dict", lambda: recorder.read_global({"X": 1}, "X")),
    2: ("function", lambda: recorder.read_function(function, "code")),
    3: ("code", lambda: recorder.depend_on(check.__code__)),
}[kind]
counting.take_slots(kind)
try:
    read()
except depwatch.Unwatchable as error:
    assert f"{name} watcher slot" in str(error) and "8" in str(error), error
else:
    raise AssertionError("not refused")
assert slots() == [0, 0, 0, 0]
assert depwatch.stats()["objects"] == 0 and depwatch.stats()["facets"] == 0
counting.give_slots(kind)
read()
assert slots()[kind] == 1
