import sys

import depwatch

X = 1
recorder = depwatch.Recorder("before")
recorder.read_global(globals(), "X")
handle = recorder.commit()
for name in [name for name in sys.modules if name.split(".")[0] == "depwatch"]:
    del sys.modules[name]
import depwatch as again

X = 2
print(again is depwatch, handle.broken, again.stats()["handles"])
X = 1
recorder = again.Recorder("after")
recorder.read_global(globals(), "X")
second = recorder.commit()
X = 3
print(handle.broken, second.broken, again.drain(), depwatch.drain())
