"""All that a client may do, with DEPWATCH=0: it goes on as without depwatch."""

import sys
from array import array

import depwatch
from depwatch import UNKNOWN

RATE = 1.5


def price(amount=1, *, times=2):
    return RATE


class Shape:
    sides = 4


def hear(*_):
    raise AssertionError("nothing is told")


def refused(call, *arguments):
    try:
        call(*arguments)
    except depwatch.Unwatchable as error:
        return "depwatch is switched off (DEPWATCH=0 in the environment)" in str(error)
    return False


def compile_one():
    recorder = depwatch.Recorder("price")
    assert recorder.read_global(price, "RATE") == RATE
    assert recorder.read_type_attr(Shape, "sides") == Shape.sides
    assert recorder.read_attr(sys, "path") is sys.path
    assert recorder.read_function(price, "code", "existence") == (price.__code__, price)
    for thing in ({}, price, Shape, sys, price.__code__):
        recorder.depend_on(thing)
    cells = recorder.value_cell(price, "RATE", "f64"), recorder.guard_cell(Shape, "sides")
    for wrong, call in (
        (NameError, lambda: recorder.read_global(price, "NO")),
        (AttributeError, lambda: recorder.read_type_attr(Shape, "no")),
        (TypeError, lambda: recorder.value_cell(price, "RATE", "i64")),
    ):
        try:
            call()
        except wrong:
            continue
        raise AssertionError(wrong)
    return recorder.commit("code", on_invalidate=hear, on_resume=hear, on_retire=hear), *cells


for value in (1.5, 2.5, 1.5):
    RATE = value
    handle, cell, guard = compile_one()
    assert (handle.valid, handle.retired, handle.artifact) == (False, True, "code")
    assert (cell.value, guard.holds) == (UNKNOWN, False)
    assert depwatch.explain(handle).endswith(" is switched off (DEPWATCH=0 in the environment): nothing is watched")
    entry = depwatch.install(price, hear, handle)
    assert (price(), entry.installed, entry.active, entry.original()) == (value, False, False, value)
    assert (entry.function, entry.handle, entry.remove()) == (price, handle, False)
    handle.release()

recorder = depwatch.Recorder("many")
handles = recorder.commit_many(array("Q", [0, 0, 0]), array("I"))
assert [handles[i].valid for i in range(2)] == [False, False]
assert not depwatch.invalidate([price, Shape, globals()], "by hand")
subscription = depwatch.subscribe(hear, globals(), "RATE")
depwatch.set_lifecycle_callback(hear)
RATE = 3.5
price.__defaults__ = (2,)
print(depwatch.drain(), depwatch.dependents(price), refused(depwatch.id_of, price))
subscription.cancel()
handles.release()
print({name: n for name, n in depwatch.stats().items() if n and not name.startswith("drain")})
