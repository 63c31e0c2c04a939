import sys

import depwatch

sys.excepthook = lambda kind, error, traceback: print(kind.__name__, flush=True)
X = 1
recorder = depwatch.Recorder("exit")
recorder.read_global(globals(), "X")
handle = recorder.commit(on_invalidate=lambda handle: print("told", flush=True))
X = 2
raise eval(sys.argv[1])
