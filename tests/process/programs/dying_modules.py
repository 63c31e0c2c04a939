import sys
import types

import depwatch

SOURCE = """if True:
    class Base:
        attribute = 1
    class Other:
        attribute = 2
    class Class(Base):
        pass
    def function(a=1, *, b=2):
        return a
    X = Y = 1
"""

modules = {}


class Meddler:
    def __init__(self, number):
        self.number = number

    def __del__(self, modules=modules, code=(lambda a=1: a).__code__):
        for name, other in list(modules.items()):
            other["X"] = self.number
            other.pop("Y", None)
            if other.get("Class") is not None and other.get("Other") is not None:
                other["Class"].attribute = self.number
                other["Class"].__bases__ = (other["Other"],)
            if other.get("function") is not None:
                other["function"].__defaults__ = (self.number,)
                other["function"].__code__ = code
                other["function"].__kwdefaults__ = {"b": self.number}


for number in range(4):
    module = types.ModuleType(f"module{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE, vars(module))
    modules[module.__name__] = vars(module)
    recorder = depwatch.Recorder(module.__name__)
    for name in ("X", "Y", "Class", "len"):
        recorder.read_global(vars(module), name)
    recorder.read_type_attr(module.Class, "attribute")
    recorder.read_function(module.function, "code", "defaults", "kwdefaults", "existence")
    recorder.value_cell(module, "X", "i64")
    recorder.guard_cell(module.Class, "attribute")
    module.handle = recorder.commit(on_invalidate=lambda handle: None, on_retire=lambda handle: None)
    whole = depwatch.Recorder("whole")
    for owner in (module, module.Class, module.function, module.function.__code__):
        whole.depend_on(owner)
    module.whole = whole.commit()
    module.meddler = Meddler(number)
    module.Class.meddler = Meddler(number + 10)
    module.function.__kwdefaults__["meddler"] = Meddler(number + 20)
