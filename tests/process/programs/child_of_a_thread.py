import ctypes
import os
import threading
import warnings

import depwatch

namespace = {"X": 1}
recorder = depwatch.Recorder("r")
recorder.read_global(namespace, "X")
told, of_cpython = [], []
handle = recorder.commit(on_invalidate=lambda handle: told.append(os.getpid()))
pending = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda unused: of_cpython.append(1) or 0)


def fork():
    child = os.fork()
    if child == 0:
        ctypes.pythonapi.Py_AddPendingCall(pending, None)
        namespace["X"] = 2
        broken = handle.broken
        for _ in range(1000):
            len(told)
        by_itself = len(told)
        depwatch.drain()
        print(len(of_cpython), by_itself, broken, told == [os.getpid()], flush=True)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), handle.valid)


warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
thread = threading.Thread(target=fork)
thread.start()
thread.join()
