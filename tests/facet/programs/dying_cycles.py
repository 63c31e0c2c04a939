import gc

import depwatch

gc.set_threshold(1)


class Cycle:
    def __init__(self):
        self.me = self
        self.globals = {"X": self}


for i in range(300):
    cycle = Cycle()
    recorder = depwatch.Recorder("r")
    recorder.read_global(cycle.globals, "X")
    handle = recorder.commit()
    assert handle.valid
    cycle.globals["X"] = i
    assert not handle.valid
    del cycle
gc.collect()
depwatch.drain()
del handle
assert depwatch.stats()["handles"] == 0, depwatch.stats()
