"""Writes what each price is for the watched functions of which a call was kept: OUT CALLS, by numba_calls.py."""

import importlib
import json
import pickle
import sys
import time
from functools import partial
from itertools import repeat
from pathlib import Path
from types import FunctionType
from typing import Any

from calls import Call, many, per_call  # in corpus/jit
from numba import typeof
from numba.core.dispatcher import Dispatcher

from depwatch.integrations import numba as watched
from depwatch.integrations.numba.function import function_of
from depwatch.integrations.numba.version import Version

LONGEST = 20_000_000  # ns of a call in Python
SHORT = 5_000  # ns of a compiled call beside which the test in front of it can be seen
MOST = 60  # functions of a library
STORES, SAMPLES = 2000, 3

type Timed = tuple[str, Any, bytes]  # name, dispatcher, arguments of a call
type Rows = list[tuple[str, float]]  # name of a function, ns

found: dict[str, Rows] = {
    price: [] for price in ("recompile", "invalidation", "put_back", "entry", "cold_call", "patch", "guard")
}
left_out: dict[str, int] = {}


def time_one(name: str, dispatcher: Any, arguments: bytes) -> None:
    """Raises whatever compiling or calling it raises."""
    positional, named = pickle.loads(arguments)
    call = partial(dispatcher, *positional, **named)
    call()
    function = function_of(dispatcher)
    if function is None or function.plain is not None or not function.current:
        leave_out("plain numba, as depwatch refuses it")
        return
    version = function.current.get(tuple(map(typeof, positional)), next(reversed(function.current.values())))
    many(call, 10)
    hot = per_call(call)
    time_cold(name, partial(dispatcher.py_func, *positional, **named), hot)
    if hot < SHORT and not named and version.arguments == tuple(map(typeof, positional)):
        time_entry(name, version, positional)
    if not named:
        time_flag(name, dispatcher, positional, hot)
    time_change(name, dispatcher, call, hot)


def time_cold(name: str, python: Call, hot: float) -> None:
    begun = time.perf_counter_ns()
    try:
        python()
    except Exception:  # it calls what there is for compiled code alone
        leave_out("its Python function does not run")
        return
    if time.perf_counter_ns() - begun > LONGEST:
        leave_out(f"a call in Python takes more than {LONGEST // 1_000_000} ms")
    else:
        found["cold_call"].append((name, per_call(python) - hot))


def time_entry(name: str, version: Version, positional: Any) -> None:
    """The test in front of the code, which asks at each call whether it may run."""
    guarded, plain = partial(version.entry.function, *positional), partial(version._fast, *positional)
    found["entry"].append((name, longer(guarded, plain)))


def longer(one: Call, other: Call) -> float:
    """By how many ns a call of the one takes longer: the least of samples that are taken in turn."""
    taken = [(per_call(one), per_call(other)) for _ in repeat(None, SAMPLES)]
    return min(ns for ns, _ in taken) - min(ns for _, ns in taken)


def time_flag(name: str, dispatcher: Any, positional: Any, hot: float) -> None:
    """In front of the function a flag is tested, as `if DEBUG` does: its library's functions have next to no cell."""
    space = dispatcher.py_func.__globals__ | {"TARGET": dispatcher, "FLAG": 1}
    names = ", ".join(f"a{number}" for number in range(len(positional)))
    flagged = f"def flagged({names}): return TARGET({names}) if FLAG > 0 else TARGET({names})"
    exec(flagged, space)
    loaded, built_in = (
        partial(watched.njit(space["flagged"], policy=policy), *positional) for policy in (None, "bulk")
    )
    loaded()
    plain = dict(space)
    taken = [(stores(space), stores(plain)) for _ in repeat(None, SAMPLES)]
    found["patch"].append((name, min(ns for ns, _ in taken) - min(ns for _, ns in taken)))
    if hot < SHORT:
        built_in()
        found["guard"].append((name, longer(loaded, built_in)))


def stores(space: dict[str, Any]) -> float:
    begun = time.thread_time_ns()
    for _ in repeat(None, STORES):
        space["FLAG"] = 2
        space["FLAG"] = 1
    return (time.thread_time_ns() - begun) / (2 * STORES)


def time_change(name: str, dispatcher: Any, call: Call, hot: float) -> None:
    """Another code object that does the same, as after a reload: dropped in the store, compiled at the next call."""
    function = dispatcher.py_func
    first = function.__code__
    second = first.replace(co_consts=(*first.co_consts, time.time_ns()))  # that no former run has left on the disk
    twin = FunctionType(first, {})
    compiled = watched.stats(dispatcher).compiled
    begun = time.perf_counter_ns()
    twin.__code__ = second
    plain = time.perf_counter_ns() - begun
    begun = time.perf_counter_ns()
    function.__code__ = second
    dropped = time.perf_counter_ns() - begun
    begun = time.thread_time_ns()
    call()
    recompiled = time.thread_time_ns() - begun - hot
    if watched.stats(dispatcher).compiled == compiled + 1:
        found["invalidation"].append((name, dropped - plain))
        found["recompile"].append((name, recompiled))
    else:
        leave_out("compiled not one version after a change")
    function.__code__ = first
    begun = time.perf_counter_ns()
    call()
    back = time.perf_counter_ns() - begun - hot
    if watched.stats(dispatcher).put_back:
        found["put_back"].append((name, back))


def leave_out(why: str) -> None:
    left_out[why] = left_out.get(why, 0) + 1


def dispatchers(calls: Path) -> list[Timed]:
    """Name, dispatcher and a call of functions that numba compiles, one each from a first to a last."""
    those = []
    for (module, qualname), arguments in pickle.loads(calls.read_bytes()).items():
        one: Any = importlib.import_module(module)
        for part in qualname.split("."):
            one = getattr(one, part, None)
        if isinstance(one, Dispatcher):
            those.append((f"{module}.{qualname}", one, arguments))
    return those[:: max(1, -(-len(those) // MOST))]


def main(out: Path, calls: Path) -> None:
    watched.patch()
    for name, dispatcher, arguments in dispatchers(calls):
        try:
            time_one(name, dispatcher, arguments)
        except Exception as error:  # whatever a library raises: it is said, and the next one is timed
            leave_out(f"raises {type(error).__name__}")
            print(f"{name}: {error!r}"[:300], file=sys.stderr)
        out.write_text(json.dumps(found | {"left_out": left_out}))


main(Path(sys.argv[1]), Path(sys.argv[2]))
