import atexit


@atexit.register
def after_depwatch():
    namespace["X"] = 3
    print("later", kept.broken, other.broken, depwatch.drain(), flush=True)


import depwatch

namespace = {"X": 1, "Y": 1}


def compiled(name):
    recorder = depwatch.Recorder(name)
    recorder.read_global(namespace, name)
    return recorder.commit(on_invalidate=lambda handle: print("told", handle.name, flush=True))


kept, other = compiled("X"), compiled("Y")


@atexit.register
def before_depwatch():
    namespace["Y"] = 2
