import sys
import types

import depwatch


class Meddler:
    def __init__(self, globals_):
        self.globals = globals_

    def __del__(self):
        self.globals["X"] = 2
        self.globals.pop("Y", None)
        self.globals.clear()


module = types.ModuleType("meddled")
module.X = module.Y = 1
sys.modules["meddled"] = module
for globals_ in (vars(module), globals()):
    globals_.update(X=1, Y=1)
    recorder = depwatch.Recorder("exit")
    recorder.read_global(globals_, "X")
    recorder.read_global(globals_, "Y")
    recorder.depend_on(globals_)
    globals_["HANDLE"] = recorder.commit(on_retire=lambda handle: None)
    globals_["MEDDLER"] = Meddler(globals_)
    depwatch.subscribe(lambda event: None, globals_, "X")
