"""What watched numba code costs: calls, loops, changes undone and compiled for; against plain numba in the same run."""

from __future__ import annotations

import argparse
import gc
import math
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

# This file is called numba, and its directory comes first where Python looks for modules.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
import numba  # noqa: E402
import numpy as np  # noqa: E402

from depwatch.integrations import numba as watched  # noqa: E402

sys.path.insert(1, str(Path(__file__).resolve().parent))
from measure import HERE, Row, Spread, compare, finish, interleave  # noqa: E402

CALLS = """
X, KIND = 3, "a"
def nothing(x): return x
def cell(x): return x * X
def text(x): return x + len(KIND)
def closure_around(y):
    def closure(x): return x * y
    return closure
closure = closure_around(3)
"""
EIGHT = "A, B, C, D, E, F, G, H = range(8)\ndef f(x): return x + A + B + C + D + E + F + G + H"

LOOPS = """
import math
SCALE, OFFSET, STRIKE, RISK_FREE, VOLATILITY, MATURITY = 3.0, 2.5, 100.0, 0.03, 0.25, 2.0
FLAG = True

def multiply(a):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * SCALE + OFFSET
    return total

def integers(n):
    total = 0
    for i in range(n):
        total += (i ^ STEP) & 7
    return total

STEP = 3

def normal(x):
    return 0.5 * (1.0 + math.erf(x / 1.4142135623730951))

def black_scholes(prices, out):
    for i in range(prices.shape[0]):
        root = VOLATILITY * math.sqrt(MATURITY)
        one = (math.log(prices[i] / STRIKE) + (RISK_FREE + 0.5 * VOLATILITY * VOLATILITY) * MATURITY) / root
        out[i] = prices[i] * normal(one) - STRIKE * math.exp(-RISK_FREE * MATURITY) * normal(one - root)
"""


def program(source: str, jit: Callable[[Any], Any], *names: str) -> types.ModuleType:
    """Source code as a module, with these of its functions compiled."""
    module = types.ModuleType("benchmarked")
    sys.modules["benchmarked"] = module  # numba looks there while it compiles
    exec(compile(source, "benchmarked", "exec"), vars(module))
    for name in names:
        setattr(module, name, jit(getattr(module, name)))
    return module


def per_call(function: Any, *arguments: Any, calls: int = 5000) -> Callable[[], float]:
    """A sampler: ns a call."""
    repeat = range(calls)
    function(*arguments)

    def one(function: Any, argument: Any) -> None:
        for _ in repeat:
            function(argument)

    def many(function: Any, *arguments: Any) -> None:
        for _ in repeat:
            function(*arguments)

    run = one if len(arguments) == 1 else many

    def sample() -> float:
        start = time.thread_time_ns()
        run(function, *arguments)
        return (time.thread_time_ns() - start) / calls

    return sample


def bulk(function: Any) -> Any:
    return watched.njit(function, policy="bulk")


def calls(samples: int) -> list[Row]:
    rows = []
    for name, what in (
        ("nothing", "that reads nothing"),
        ("text", "that has a str built in"),
        ("cell", "that loads a cell"),
        ("closure", "of a closure"),
    ):
        plain, ours = program(CALLS, numba.njit, name), program(CALLS, watched.njit, name)
        samplers = {"plain": per_call(getattr(plain, name), 2), "ours": per_call(getattr(ours, name), 2)}
        taken = interleave(samplers, 6 * samples)
        rows.append(compare(f"a call {what}", "ns", taken["ours"], taken["plain"], 1.02, note="base: plain numba"))
    return rows


def eight_globals(samples: int) -> list[Row]:
    """What has to be paid where globals are compared at each call, as Triton does, in Python."""
    plain, ours = program(EIGHT, numba.njit, "f"), program(EIGHT, bulk, "f")
    names = tuple("ABCDEFGH")
    expected = [vars(plain)[name] for name in names]
    inner, namespace = plain.f, vars(plain)

    def checked(x: int) -> Any:
        for name, value in zip(names, expected, strict=True):
            if namespace.get(name) != value:
                raise RuntimeError(name)
        return inner(x)

    taken = interleave(
        {"plain": per_call(plain.f, 1), "checked": per_call(checked, 1), "ours": per_call(ours.f, 1)}, 3 * samples
    )
    return [
        compare("a call, 8 globals watched", "ns", taken["ours"], taken["plain"], 1.02, note="base: plain numba"),
        compare("  8 globals compared in Python at each call", "ns", taken["checked"], taken["plain"], None),
    ]


def loops(samples: int) -> list[Row]:
    rows = []
    data, out = np.linspace(50.0, 150.0, 10_000), np.empty(10_000)
    cases: tuple[tuple[str, str, tuple[Any, ...], float], ...] = (
        ("multiply", "a float multiplied, another added, an element", (data,), 1.7),
        ("integers", "an int, an iteration of two operations", (10_000,), 1.7),
        ("black_scholes", "Black-Scholes, four floats, an element", (data, out), 1.05),
    )
    for name, what, arguments, bound in cases:
        names = ("normal", name) if name == "black_scholes" else (name,)
        modules = {
            "plain": program(LOOPS, numba.njit, *names),
            "ours": program(LOOPS, watched.njit, *names),
            "bulk": program(LOOPS, bulk, *names),
        }
        taken = interleave(
            {key: per_call(getattr(module, name), *arguments, calls=20) for key, module in modules.items()}, 3 * samples
        )
        each = {key: [ns / 10_000 for ns in found] for key, found in taken.items()}
        rows.append(compare(f"cells in a loop: {what}", "ns", each["ours"], each["plain"], bound, "base: plain numba"))
        rows.append(compare('  the same with policy="bulk"', "ns", each["bulk"], each["plain"], 1.05))
    return rows


def without_gil(samples: int) -> list[Row]:
    """Where other threads may store meanwhile, each load is made: the worst that a loop can have."""

    def without(jit: Callable[..., Any], **options: Any) -> Callable[[Any], Any]:
        return lambda function: jit(function, nogil=True, **options)

    rows = []
    for name, what, argument in (
        ("multiply", "a float multiplied, another added, an element", np.linspace(50.0, 150.0, 10_000)),
        ("integers", "an int, an iteration of two operations (vectorized without the cell)", 10_000),
    ):
        plain = program(LOOPS, without(numba.njit), name)
        ours = program(LOOPS, without(watched.njit), name)
        taken = interleave(
            {
                "plain": per_call(getattr(plain, name), argument, calls=20),
                "ours": per_call(getattr(ours, name), argument, calls=20),
            },
            3 * samples,
        )
        each = {key: [ns / 10_000 for ns in found] for key, found in taken.items()}
        rows.append(compare(f"cells in a nogil loop: {what}", "ns", each["ours"], each["plain"], 1.7))
    return rows


def seconds_of(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def granular(samples: int) -> list[Row]:
    ours, plain = program(CALLS, watched.njit, "cell"), program(CALLS, numba.njit, "cell")
    plain.cell(2), ours.cell(2)
    state = {"value": 0}

    def store_and_call() -> float:
        namespace, function = vars(ours), ours.cell
        first = state["value"]
        state["value"] += 1000
        start = time.perf_counter_ns()
        for value in range(first, first + 1000):
            namespace["X"] = value
            function(2)
        return (time.perf_counter_ns() - start) / 1000

    def recompile() -> float:
        plain.X = state["value"] = state["value"] + 1
        return seconds_of(plain.cell.recompile) * 1e9

    ns = [store_and_call() for _ in range(samples)]
    recompiled = [recompile() for _ in range(max(3, samples // 5))]
    taken = Spread.of([r / n for r, n in zip(recompiled, ns, strict=False)])
    assert watched.stats(ours.cell).compiled == 1
    return [
        Row("a global changed, a cell follows: store and call, right", "ns", Spread.of(ns), bound=1000),
        Row("  recompile() of plain numba", "ms", Spread.of([each / 1e6 for each in recompiled])),
        Row("  that many times as long", "×", taken, note="wanted: 10,000 or more"),
    ]


def sharing(samples: int, functions: int) -> list[Row]:
    """Two programs: one function that loads X, and many."""
    one = program(CALLS, watched.njit, "cell")
    one.cell(1)
    many = program("X = 3", watched.njit)
    for i in range(functions):
        exec(f"def f{i}(x): return x * X", vars(many))
        setattr(many, f"f{i}", watched.njit(getattr(many, f"f{i}")))
        getattr(many, f"f{i}")(1)

    def stores(module: types.ModuleType) -> Callable[[], float]:
        namespace = vars(module)

        def sample() -> float:
            start = time.thread_time_ns()
            for value in range(5000):
                namespace["X"] = value
            return (time.thread_time_ns() - start) / 5000

        return sample

    taken = interleave({"many": stores(many), "one": stores(one)}, samples)
    case = f"a store to a global that {functions:,} compiled functions load"
    return [compare(case, "ns", taken["many"], taken["one"], 1.2, note="base: one function")]


CHAIN = """
KIND, OTHER = "a", "b"
def leaf(x): return x + len(KIND)
def middle(x): return leaf(x) * 2
def outer(x): return middle(x) + 1
def bystander(x): return x + len(OTHER)
"""


def changes(samples: int) -> list[Row]:
    names = ("leaf", "middle", "outer", "bystander")
    ours = program(CHAIN, watched.njit, *names)
    functions = [getattr(ours, name) for name in names]

    def call() -> None:
        for function in functions:
            function(1)

    def compiled() -> int:
        return sum(watched.stats(function).compiled for function in functions)

    call()
    rows, before = [], compiled()

    def patched() -> None:
        with mock.patch.object(ours, "KIND", "other"):
            pass
        call()

    us = [seconds_of(patched) * 1e6 for _ in range(10 * samples)]
    rows.append(Row("bulk: mock.patch of a global, undone, 4 functions called", "µs", Spread.of(us), bound=200))
    rows.append(Row("  versions compiled for that", "", Spread.of([compiled() - before]), bound=0))

    first, before = ours.KIND, compiled()

    def there_and_back() -> tuple[float, float]:
        ours.KIND = "other"
        there = seconds_of(call)
        ours.KIND = first
        return there, seconds_of(call)

    there, _ = there_and_back()
    rows.append(Row("bulk: a new value, 4 functions called, 3 compiled", "ms", Spread.of([there * 1e3])))
    rows.append(Row("  versions compiled for that", "", Spread.of([compiled() - before]), bound=3))
    before = compiled()
    us = [each / 3 * 1e6 for _ in range(2 * samples) for each in there_and_back()]
    rows.append(Row("bulk: kept code put back after the change, a function", "µs", Spread.of(us)))
    rows.append(Row("  versions compiled for that", "", Spread.of([compiled() - before]), bound=0))

    plain = program(CHAIN, numba.njit, *names)
    for name in names:
        getattr(plain, name)(1)
    ms = [seconds_of(lambda: [getattr(plain, name).recompile() for name in names[:3]]) * 1e3 for _ in range(5)]
    rows.append(Row("  recompile() of these 3 with plain numba, by hand", "ms", Spread.of(ms)))
    return rows


def invalidated(samples: int, functions: int) -> list[Row]:
    """What a store costs that takes the right to run from many functions, and gives it back."""
    module = program('KIND = "a"', watched.njit)
    other = program('KIND = "a"', watched.njit)
    for i in range(functions):
        exec(f"def f{i}(x): return x + len(KIND)", vars(module))
        function = watched.njit(getattr(module, f"f{i}"))
        function(1)
        setattr(module, f"f{i}", function)

    def sample(namespace: dict[str, Any]) -> Callable[[], float]:
        first, second = namespace["KIND"], "other"

        def take() -> float:
            start = time.thread_time_ns()
            for _ in range(1000):
                namespace["KIND"] = second
                namespace["KIND"] = first
            return (time.thread_time_ns() - start) / 2000

        return take

    taken = interleave({"many": sample(vars(module)), "none": sample(vars(other))}, samples)
    each = [(a - b) / functions for a, b in zip(taken["many"], taken["none"], strict=True)]
    return [
        Row(f"bulk: {functions:,} functions lose or get back the right to run, each", "ns", Spread.of(each), bound=100)
    ]


def compiling(samples: int) -> list[Row]:
    kept = []  # or the one would be compiled into memory that the other has let go

    def compile_with(jit: Callable[[Any], Any]) -> float:
        module = program(CHAIN, jit, "leaf", "middle", "outer")
        kept.append(module)
        gc.collect()  # what the cases before left
        start = time.thread_time_ns()
        module.outer(1)
        return (time.thread_time_ns() - start) / 1e6

    taken = interleave(
        {"ours": lambda: compile_with(watched.njit), "plain": lambda: compile_with(numba.njit)}, max(3, samples // 4)
    )
    return [compare("compiling 3 functions", "ms", taken["ours"], taken["plain"], None, note="base: plain numba")]


def from_disk(samples: int, functions: int) -> list[Row]:
    """The first calls of functions with cache=True, each time in a process of its own."""
    script = str(HERE / "programs" / "numba_cached.py")

    def first_calls(kind: str, folder: str, hits: int) -> float:
        done = subprocess.run(
            [sys.executable, script, kind, str(functions + 1)],
            env=os.environ | {"NUMBA_CACHE_DIR": folder},
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, found = done.stdout.split()
        assert int(found) == hits, done.stdout
        return float(seconds) * 1e3 / functions

    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as plain:
        first_calls("watched", ours, 0), first_calls("plain", plain, 0)

        def compiled() -> float:
            with tempfile.TemporaryDirectory() as empty:
                return first_calls("watched", empty, 0)

        taken = interleave(
            {
                "loaded": lambda: first_calls("watched", ours, functions),
                "plain": lambda: first_calls("plain", plain, functions),
                "compiled": compiled,
            },
            max(3, samples // 4),
        )
    return [
        compare("a function from the disk", "ms", taken["loaded"], taken["compiled"], 0.1, note="base: compiling it"),
        compare("  the same", "ms", taken["loaded"], taken["plain"], 2, note="base: from plain numba's cache"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench numba", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument(
        "--quick", action="store_true", help="few samples, no JSON: shows that it works, not what it costs"
    )
    options = parser.parse_args()
    samples, functions = (5, 20) if options.quick else (41, 1000)
    assert math.isclose(program(LOOPS, watched.njit, "normal").normal(0.0), 0.5)
    rows = calls(samples) + eight_globals(samples) + loops(samples) + without_gil(samples) + granular(samples)
    rows += changes(samples) + compiling(samples) + invalidated(samples, functions // 10)
    rows += sharing(samples, functions) + from_disk(samples, functions // 50 + 1)
    return finish("numba", "What watched numba code costs", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
