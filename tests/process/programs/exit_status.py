import os
import sys

import depwatch

X = 1
recorder = depwatch.Recorder("exit")
recorder.read_global(globals(), "X")
handle = recorder.commit(on_invalidate=lambda handle: None)
X = 2
exec(sys.argv[1])
