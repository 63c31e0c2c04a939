"""An example: a function whose constant globals are compiled in, for as long as all that it reads is as it was."""

import types

import depwatch


def specialize(function):
    found, recorder = depwatch.discover(function), depwatch.Recorder(function.__qualname__)
    recorder.read_all(found)
    mine = [read for read in found.reads if read.kind == "global" and read.owner is function]
    constants = {read.name: read.value for read in mine if type(read.value) in (int, float, str)}
    return depwatch.install(function, bake(function, constants), recorder.commit())


def bake(function, constants):
    """Stands for an optimizer: code that finds its constants without a look into the globals."""
    return types.FunctionType(function.__code__, {**function.__globals__, **constants}, argdefs=function.__defaults__)
