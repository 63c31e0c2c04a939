# Each part registers something that changes what is watched when the interpreter ends, or lives on until then. Every
# order is tried in a child of its own, which has imported nothing yet and ends as a program does.
import os
import sys


def depwatch_part():
    import depwatch

    def compiled(name):
        recorder = depwatch.Recorder(name)
        recorder.read_global(namespace, name)
        recorder.read_type_attr(Class, "x")
        recorder.guard_cell(eval(f"lambda: {name}", namespace), name)
        return recorder.commit(on_invalidate=told.append, on_retire=told.append)

    kept.extend(compiled(name) for name in ("X", "len"))
    kept.append(depwatch.subscribe(told.append, namespace))
    kept.append(depwatch.subscribe(told.append, Class, "x"))


def threading_part():
    import threading

    threading._register_atexit(change)
    threading.Thread(target=change).start()


def logging_part():
    import logging

    class Handler(logging.Handler):
        def close(self):
            change()
            super().close()

    logging.getLogger().addHandler(Handler())


def multiprocessing_part():
    from multiprocessing import util

    util.Finalize(None, change, exitpriority=5)


def atexit_part():
    import atexit

    atexit.register(change)


def ctypes_part():
    import ctypes

    callback = ctypes.CFUNCTYPE(None)(change)
    callback()
    kept.append(callback)


def finalize_part():
    import weakref

    weakref.finalize(Class, change)
    weakref.finalize(owner, change)


def others_part():
    import others

    for kind, obj in enumerate((namespace, Class, change, change.__code__)):
        others.add(kind, 0)
        others.watch(kind, 0, obj)


parts = [
    depwatch_part,
    threading_part,
    logging_part,
    multiprocessing_part,
    atexit_part,
    ctypes_part,
    finalize_part,
    others_part,
]
orders = [(parts[i:] + parts[:i])[:: -1 if i % 2 else 1] for i in range(len(parts))]
orders += [[parts[i * j % 11 % 8] for j in range(1, 9)] for i in (3, 5, 7)]  # some twice and some not at all

for order in orders:
    child = os.fork()
    if child == 0:
        break
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 3:
        print([part.__name__ for part in order], status, flush=True)
else:
    print(len(orders), "orders")
    sys.exit(0)

namespace, kept, told, changes = {"X": 0, "__builtins__": __builtins__}, [], [], 0


class Owner:
    pass


owner = Owner()


class Class:
    x = 0
    owner = owner


def change(default=None):
    global changes
    changes += 1
    namespace["X"] = changes
    namespace["len"] = len
    del namespace["len"]
    Class.x = changes
    change.__defaults__ = (changes,)


class AtTheEnd:
    def __init__(self):
        self.change, self.namespace = change, namespace

    def __del__(self):
        try:
            self.change()
        except (TypeError, AttributeError, NameError):
            pass  # module globals are None by now
        self.namespace["X"] = self
        self.namespace.clear()


at_the_end = AtTheEnd()
Class.at_the_end = AtTheEnd()
for part in order:
    part()
change()
sys.exit(3)
