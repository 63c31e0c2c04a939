"""Runs a program under CPython 3.15, and writes what each price of its JIT is: OUT LIBRARY PROGRAM ARGUMENTS.

LIBRARY is timed.c, compiled, and PYTHON_JIT 1; or it is `none`, for what calls take without the JIT.
"""

import _opcode
import atexit
import ctypes
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FunctionType
from typing import Any

from calls import Call, Calls, per_call, warm  # beside this file
from program import run  # beside this file

MOST = 1 << 18  # as in timed.c
GIVEN_UP = "_LOAD_GLOBAL_MODULE"  # what a trace does where the namespace is given up; else it has the value in it


class Made(ctypes.Structure):
    _fields_ = [
        ("ns", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("bits", ctypes.c_uint32),
        ("uops", ctypes.c_uint32),
        ("code", ctypes.c_uint64),
    ]


class Dropped(ctypes.Structure):
    _fields_ = [("ns", ctypes.c_uint32), ("executors", ctypes.c_uint32), ("dropped", ctypes.c_uint32)]


def rows[Kind: ctypes.Structure](library: ctypes.PyDLL, name: str, kind: type[Kind]) -> list[Kind]:
    count = ctypes.c_uint32.in_dll(library, f"n_{name}").value
    return list((kind * MOST).in_dll(library, name)[:count])


def end(out: str, calls: Calls, library: ctypes.PyDLL | None) -> None:
    found: dict[str, Any] = {"calls": []}
    if library is not None:
        found["made"] = [[row.code, row.ns, row.bits] for row in rows(library, "made", Made)]
        library.drop_all()
        found["dropped"] = [[row.ns, row.executors, row.dropped] for row in rows(library, "dropped", Dropped)]
        found |= {"guards": [], "guard": []}
    calls.end()  # drops all executors
    write(out, found)  # if a call that is made again ends the process
    timed = []
    for name, function, call in calls.again():
        with suppress(Exception):  # what another call has changed makes it raise now
            warm(call)
            if library is None or any(executors(function)):
                found["calls"].append((name, per_call(call)))
                timed.append((name, function, call))
    write(out, found)
    if library is not None:
        for one in timed:
            with suppress(Exception):
                time_guards(library, *one, found)
    write(out, found)


def time_guards(library: ctypes.PyDLL, name: str, function: FunctionType, call: Call, found: Any) -> None:
    """Once CPython has given up the namespace, a trace loads and compares what it had built in."""
    warm(call)
    found["guards"].append((name, sum(uop.startswith(("_GUARD", "_CHECK")) for uop in uops(function))))
    taken = []
    for given_up in (0, 1):
        library.change(ctypes.py_object(function.__globals__), given_up)
        warm(call)
        taken.append((per_call(call), uops(function)))
    (ns, before), (ns_given_up, after) = taken
    loads = after.count(GIVEN_UP) - before.count(GIVEN_UP)
    loops = any(uop.startswith("_JUMP_TO_TOP") for uop in before + after)  # how often a guard runs is not known
    if loads > 0 and not loops:
        found["guard"].append((name, (ns_given_up - ns) / loads))


def executors(function: FunctionType) -> Iterator[Any]:
    code = function.__code__
    for offset in range(0, len(code.co_code), 2):
        try:
            executor = _opcode.get_executor(code, offset)
        except ValueError:  # none there
            continue
        if executor is not None and executor.is_valid():
            yield executor


def uops(function: FunctionType) -> list[str]:
    return [uop[0] for trace in executors(function) for uop in trace]


def write(out: str, found: Any) -> None:
    with open(out, "w", encoding="utf-8") as file:
        json.dump(found, file)


def main(out: str, hooks: str, *command: str) -> None:
    library = None
    if hooks != "none":
        library = ctypes.PyDLL(hooks)
        if library.begin() != 0:
            sys.exit("this CPython exports no _PyOptimizer_Optimize, or its code cannot be changed")
    calls = Calls()
    atexit.register(end, out, calls, library)
    calls.begin()
    run([*command])


if __name__ == "__main__":
    import under_jit  # once more: the program runs in __main__, where its names would take the place of ours

    under_jit.main(*sys.argv[1:])
