import sys

import depwatch


class Meta(type):
    def mro(cls):
        recorder = depwatch.Recorder("r")
        try:
            eval(sys.argv[1], {"depwatch": depwatch, "recorder": recorder, "cls": cls})
        except depwatch.Unwatchable as error:
            assert "MRO" in str(error) or "mro" in str(error), error
        return super().mro()


class C(metaclass=Meta):
    x = 1


C.x = 2
depwatch.drain()
print("alive")
