import atexit
import sys
import types


def use(namespace, say):
    import depwatch

    recorder = depwatch.Recorder("late")
    recorder.read_global(namespace, "X")
    recorder.guard_cell(namespace, "X")
    handle = recorder.commit(on_invalidate=lambda handle: None, on_retire=lambda handle: None)
    subscription = depwatch.subscribe(lambda event: None, namespace)
    namespace["X"] += 1
    assert handle.broken
    namespace["X"] -= 1  # heals no more after the end of depwatch, as nothing is kept for it
    depwatch.drain()
    depwatch.explain(handle)
    handle.release()
    if say:
        print("used", flush=True)


class Late:
    def __del__(self, use=use, error=Exception):
        try:
            use({"X": 1}, False)
        except error:
            pass  # what it needs is gone


atexit.register(use, {"X": 1}, True)
import depwatch

use({"X": 1}, True)
early = types.ModuleType("early")
sys.modules["aaa"] = early
early.late = Late()
depwatch.late = Late()


class Class:
    late = Late()


def function(late=Late()):
    pass


cycle = [Late()]
cycle.append(cycle)
late = Late()
