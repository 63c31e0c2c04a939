import sys

import depwatch

sys.unraisablehook = lambda problem: print(type(problem.exc_value).__name__, problem.exc_value.code)
X = 1
recorder = depwatch.Recorder("exit")
recorder.read_global(globals(), "X")
handle = recorder.commit(on_invalidate=lambda handle: sys.exit(4))
first = depwatch.subscribe(lambda event: sys.exit(5), globals(), "X")
second = depwatch.subscribe(lambda event: print("the others are told"), globals(), "X")
X = 2
depwatch.drain()
print("goes on", handle.broken)
