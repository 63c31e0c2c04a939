"""A function whose constant globals are compiled in, for as long as all that it reads is as it was."""

import types
from collections.abc import Callable
from typing import Any

import depwatch


def specialize(function: Callable[..., Any]) -> depwatch.Entry:
    """Let every call of the function run optimized code, until one of the values that it was made from changes."""
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is no Python function")
    found, recorder = depwatch.discover(function), depwatch.Recorder(function.__qualname__)
    recorder.read_all(found)
    mine = [read for read in found.reads if read.kind == "global" and read.owner is function]
    constants = {read.name: read.value for read in mine if type(read.value) in (int, float, str)}
    return depwatch.install(function, bake(function, constants), recorder.commit())


def bake(function: types.FunctionType, constants: dict[str, Any]) -> types.FunctionType:
    """Stands for an optimizer: code that finds its constants without a look into the globals."""
    names = {**function.__globals__, **constants}
    baked = types.FunctionType(function.__code__, names, argdefs=function.__defaults__, closure=function.__closure__)
    baked.__kwdefaults__ = function.__kwdefaults__
    return baked


if __name__ == "__main__":
    RATE = 2

    def price(x: int) -> int:
        return x * RATE

    entry = specialize(price)
    print(price(10), entry.active)
    RATE = 3  # from here on price() runs its own code
    print(price(10), entry.active)
    RATE = 2  # as it was: the optimized code runs again
    print(price(10), entry.active)
    entry.remove()
