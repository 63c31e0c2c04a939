import itertools
import operator
import os

import depwatch

globals_ = {"X": 1}
recorder = depwatch.Recorder("r")
recorder.read_global(globals_, "X")
log = []
handle = recorder.commit(on_invalidate=lambda handle: log.append(os.getpid()))
# Store and fork in one C loop: no drain in between.
_, child = itertools.starmap(operator.call, [(operator.setitem, globals_, "X", 2), (os.fork,)])
for _ in range(1000):
    len(log)
good = log == [os.getpid()] and handle.broken == 1
if child == 0:
    os._exit(not good)
print(good, os.waitpid(child, 0)[1])
