import sys

import depwatch

RATE = 1.25
LOG = []


class Shape:
    sides = 3


def price(x):
    return x * RATE


def on_invalidate(handle):
    LOG.append(depwatch.explain(handle).splitlines()[1].rsplit(":", 1)[-1].partition(";")[0])


def on_resume(handle):
    LOG.append("again")


def never(handle):
    raise AssertionError("not reached")


def build():
    recorder = depwatch.Recorder("price")
    recorder.read_global(price, "RATE")
    recorder.read_type_attr(Shape, "sides")
    return recorder.commit(on_invalidate=on_invalidate, on_resume=on_resume, on_retire=never)


handle = build()
for i in range(5):
    RATE = 1.5
    assert handle.broken == 1
    depwatch.drain()
    RATE = 1.25
    assert handle.valid
    depwatch.drain()
Shape.sides = 4
assert handle.broken == 1
print(price(4), LOG, depwatch.explain(handle).splitlines()[1].rsplit(":", 1)[-1])
print(type(sys.gettrace()).__name__, sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID))
