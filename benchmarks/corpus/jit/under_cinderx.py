"""Runs a program under CinderX, and writes what each price is there, function by function: OUT WHAT PROGRAM ARGUMENTS.

WHAT: `code`, of the functions that CinderX compiles by itself; or `calls`, of those whose calls are made again. While
it is seen which these are, CinderX compiles nothing.
"""

import atexit
import dis
import json
import sys
import time
from contextlib import suppress
from itertools import repeat
from types import FunctionType
from typing import Any

import cinderx.jit as jit  # type: ignore[import-not-found]  # where CinderX is installed
from calls import Call, Calls, per_call, warm  # beside this file
from program import run  # beside this file

CALLS = 50  # after which a function is compiled, as in a replay
MOST = 400  # functions that are compiled again, one each from a first to a last
STORES = 2000  # pairs of them, timed at once
SAMPLES = 5
GUARDS = ("Guard", "GuardIs", "GuardType", "DeoptPatchpoint")

type Rows = list[tuple[str, float]]  # name of a function, ns


def time_code() -> dict[str, Rows]:
    functions = jit.get_compiled_functions()
    jit.pause()
    found: dict[str, Rows] = {"recompile": [], "invalidation": [], "patch": [], "guards": []}
    for function in functions[:: max(1, len(functions) // MOST)]:
        dropped, compiled = again(function)
        if compiled:
            found["invalidation"].append((name_of(function), dropped))
            found["recompile"].append((name_of(function), compiled))
        found["guards"].append((name_of(function), sum(guards(function))))
        for name in global_names(function)[:1]:
            found["patch"].append((name_of(function), patched(function, name)))
    return found


def time_calls(calls: Calls) -> dict[str, Rows]:
    calls.end()
    found: dict[str, Rows] = {"cold_call": [], "deopt": []}
    for name, function, call in calls.again():
        with suppress(Exception):  # what another call has changed makes it raise now
            warm(call)  # the interpreter specialises its bytecode, and CinderX compiles what is specialised
            cold = per_call(call)
            if jit.force_compile(function):
                warm(call)
                hot = per_call(call)
                found["cold_call"].append((name, cold - hot))
                if (left := time_deopt(function, call)) is not None:
                    found["deopt"].append((name, left - hot))
    return found


def time_deopt(function: FunctionType, call: Call) -> float | None:
    """ns a call where what it calls by a global is another function now, which does the same; None: it calls none."""
    space = function.__globals__
    for name in global_names(function):
        original = space[name]
        if type(original) is FunctionType:
            space[name] = copy(original)
            try:
                return per_call(call)
            finally:
                space[name] = original
    return None


def copy(function: FunctionType) -> FunctionType:
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def again(function: Any) -> tuple[int, int]:
    """ns to take its code away, and to compile it anew; 0, 0: CinderX does not."""
    begun = time.thread_time_ns()
    if not jit.force_uncompile(function):
        return 0, 0
    dropped = time.thread_time_ns()
    compiled = jit.force_compile(function)
    return (dropped - begun, time.thread_time_ns() - dropped) if compiled else (0, 0)


def guards(function: Any) -> list[int]:
    counts = jit.get_function_hir_opcode_counts(function) or {}
    return [counts.get(guard, 0) for guard in GUARDS]


def global_names(function: FunctionType) -> list[str]:
    """That its code loads, and its module has."""
    names = {each.argval for each in dis.get_instructions(function.__code__) if each.opname == "LOAD_GLOBAL"}
    return sorted(names & function.__globals__.keys())


def patched(function: FunctionType, name: str) -> float:
    """ns of a store to a global that compiled code has a cell of, less one to a like dict that nobody watches."""
    space, value = function.__globals__, function.__globals__[name]
    plain, other = dict(space), object()
    try:
        taken = [(stores(space, name, other, value), stores(plain, name, other, value)) for _ in repeat(None, SAMPLES)]
        return min(ns for ns, _ in taken) - min(ns for _, ns in taken)
    finally:
        space[name] = value


def stores(space: dict[str, Any], name: str, other: object, value: object) -> float:
    begun = time.perf_counter_ns()
    for _ in repeat(None, STORES):
        space[name] = other
        space[name] = value
    return (time.perf_counter_ns() - begun) / (2 * STORES)


def name_of(function: FunctionType) -> str:
    code = function.__code__
    return f"{code.co_qualname} {code.co_filename}:{code.co_firstlineno}"


def end(out: str, calls: Calls | None) -> None:
    found = time_code() if calls is None else time_calls(calls)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(found, file)


def main(out: str, what: str, *command: str) -> None:
    calls = None
    jit.enable()
    if what == "calls":
        calls = Calls()
        calls.begin()
    else:
        jit.background_compile(False)  # else what is in the queue when the program ends is not compiled
        jit.compile_after_n_calls(CALLS)
    atexit.register(end, out, calls)
    run([*command])


if __name__ == "__main__":
    import under_cinderx  # once more: the program runs in __main__, where its names would take the place of ours

    under_cinderx.main(*sys.argv[1:])
