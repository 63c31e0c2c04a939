import depwatch


class Value:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("destroyed", self.name, flush=True)


class Type:
    attribute = Value("attribute")


VALUE = Value("global")
OLD = [Value("replaced")]


def function(default=Value("default")):
    return VALUE


recorder = depwatch.Recorder("exit")
recorder.read_global(function, "VALUE")
recorder.read_global(function, "OLD")
recorder.read_type_attr(Type, "attribute")
recorder.read_function(function, "code", "defaults", "existence")
cell = recorder.value_cell(function, "VALUE", "object")
recorder.guard_cell(function, "OLD")
handle = recorder.commit(on_retire=print, on_invalidate=lambda handle: None)
kept = depwatch.subscribe(lambda event: None, globals())
OLD = None
