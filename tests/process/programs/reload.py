import importlib

import depwatch

X = 1
recorder = depwatch.Recorder("before")
recorder.read_global(globals(), "X")
handle = recorder.commit()
importlib.reload(depwatch)
X = 2
print(handle.broken, depwatch.stats()["handles"])
