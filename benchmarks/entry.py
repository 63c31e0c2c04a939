"""What install(), discover() and assume() cost: calls through an entry, past it and after it, beside plain ones."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import depwatch
from discover import costs
from measure import Row, Spread, compare, finish, interleave, load_noop

CALLS = 20_000  # in one sample
noop = load_noop()
FORWARDER = "base: a C function that forwards and tests nothing"
# By callgrind on 3.15, instructions a call: the forwarder 428, of which 3 are its own; the entry 476, of which 30 are
# depwatch's: that the entry is the function's, two bytes, a reference, the call. The other 446 are CPython's: 21 more
# than for the forwarder, which is no function with an entry.
LIMIT = FORWARDER + "; on 3.15 of 476 instructions 26 more are depwatch's and 21 CPython's"

# Each variant has functions and a loop of its own: CPython specialises calls for the function that they call.
PROGRAM = """
RATE = 1
def f(x): return x
def optimized(x): return x
def loop(n):
    for _ in range(n): CALL
def empty(n):
    for _ in range(n): pass
class C:
    def m(self, x): return x
o = C()
"""


def program(call: str = "f(1)", **more: Any) -> dict[str, Any]:
    names: dict[str, Any] = dict(more)
    exec(PROGRAM.replace("CALL", call), names)
    names["loop"](CALLS)  # specialised, before anything is installed
    return names


def handle_of(names: dict[str, Any]) -> depwatch.Handle:
    recorder = depwatch.Recorder("entry")
    recorder.read_global(names, "RATE")
    return recorder.commit()


def installed(names: dict[str, Any], optimized: Any = None, function: str = "f") -> depwatch.Entry:
    target = names["C"].m if function == "m" else names[function]
    return depwatch.install(target, optimized or names["optimized"], handle_of(names))


def ns_a_call(loop: Callable[[int], None], empty: Callable[[int], None]) -> Callable[[], float]:
    """A sampler: ns of CPU time a call, the loop itself taken off."""

    def sample() -> float:
        start = time.thread_time_ns()
        loop(CALLS)
        middle = time.thread_time_ns()
        empty(CALLS)
        ended = time.thread_time_ns()
        return max(1, (middle - start) - (ended - middle)) / CALLS

    return sample


def variant(names: dict[str, Any]) -> Callable[[], float]:
    return ns_a_call(names["loop"], names["empty"])


def calls(samples: int) -> list[Row]:
    plain, direct = program(), program("optimized(1)")
    entered, passed, removed, swapped = program(), program(), program(), program()
    entry = installed(entered)
    broken = installed(passed)
    passed["RATE"] = 2
    installed(removed).remove()
    swapped["f"].__code__ = swapped["optimized"].__code__
    builtin, abs_directly = program(), program("absolute(1)", absolute=abs)
    native = installed(builtin, abs)
    forwarded = program("callable_(1)", callable_=noop.forward(abs))
    assert (entry.active, broken.active, broken.installed, native.active) == (True, False, True, True)
    taken = interleave(
        {
            "plain": variant(plain),
            "direct": variant(direct),
            "entered": variant(entered),
            "passed": variant(passed),
            "removed": variant(removed),
            "swapped": variant(swapped),
            "builtin": variant(builtin),
            "abs": variant(abs_directly),
            "forwarded": variant(forwarded),
        },
        samples,
    )
    return [
        Row("a plain call f(1) of a Python function, specialised by CPython", "ns", Spread.of(taken["plain"])),
        compare(
            "through an entry, to a Python function", "ns", taken["entered"], taken["direct"], None, "base: direct"
        ),
        compare("through an entry, to a built-in", "ns", taken["builtin"], taken["abs"], None, "base: direct"),
        compare("  beside a C function that tests nothing", "ns", taken["builtin"], taken["forwarded"], 1.15, LIMIT),
        compare("  beside a plain call of f", "ns", taken["builtin"], taken["plain"], 1.3, "base: plain"),
        compare("entry whose handle is not valid", "ns", taken["passed"], taken["plain"], None, "base: plain"),
        compare("after remove()", "ns", taken["removed"], taken["plain"], None, "base: plain"),
        compare(
            "after f.__code__ = ..., without depwatch", "ns", taken["swapped"], taken["plain"], None, "base: plain"
        ),
    ]


def guarded(samples: int) -> list[Row]:
    """guarded() beside a C function that forwards and tests nothing."""

    def through(callable_: Any) -> Callable[[], float]:
        return variant(program("callable_(1)", callable_=callable_))

    names = program()
    recorder = depwatch.Recorder("entry")
    recorder.read_global(names, "RATE")
    for name in ("f", "optimized"):
        recorder.guard_cell(names, name)
    cells = recorder.commit()
    handle = handle_of(names)
    python, builtin = names["optimized"], abs
    taken = interleave(
        {
            "forwarded": through(noop.forward(python)),
            "guarded": through(depwatch.guarded(handle, python, names["f"])),
            "with cells": through(depwatch.guarded(cells, python, names["f"])),
            "forwarded abs": through(noop.forward(builtin)),
            "guarded abs": through(depwatch.guarded(handle, builtin, names["f"])),
        },
        samples,
    )
    return [
        Row("through a C function that forwards to a Python function", "ns", Spread.of(taken["forwarded"])),
        compare("through guarded(), to a Python function", "ns", taken["guarded"], taken["forwarded"], 1.15, FORWARDER),
        compare("  with two guard cells", "ns", taken["with cells"], taken["forwarded"], None, FORWARDER),
        compare(
            "through guarded(), to a built-in", "ns", taken["guarded abs"], taken["forwarded abs"], 1.15, FORWARDER
        ),
    ]


def methods(samples: int) -> list[Row]:
    plain, entered, removed = program("o.m(1)"), program("o.m(1)"), program("o.m(1)")
    entry = installed(entered, lambda self, x: x, "m")
    installed(removed, lambda self, x: x, "m").remove()
    assert entry.active
    taken = interleave({"plain": variant(plain), "entered": variant(entered), "removed": variant(removed)}, samples)
    return [
        compare("method o.m(1) through an entry", "ns", taken["entered"], taken["plain"], None, "base: plain"),
        compare("  after remove()", "ns", taken["removed"], taken["plain"], None, "base: plain"),
    ]


def many(samples: int) -> list[Row]:
    """Whether the look-up of the entry depends on how many there are."""
    alone = program()
    first = installed(alone)
    few = interleave({"one": variant(alone)}, samples)["one"]
    crowd = [program() for _ in range(2000)]
    entries = [installed(names) for names in crowd]
    rows = [
        Row("through an entry, the only one of the process", "ns", Spread.of(few)),
        Row("through an entry, one of 2001", "ns", Spread.of(interleave({"one": variant(alone)}, samples)["one"])),
    ]
    for entry in [first, *entries]:
        entry.handle.release()
    return rows


def classes() -> int:
    """How many there are in the process."""
    found, waiting = {object}, [object]
    while waiting:
        new = set(type.__subclasses__(waiting.pop())) - found
        found |= new
        waiting += new
    return len(found)


def installing(samples: int) -> list[Row]:
    names = program()
    handle = handle_of(names)

    def microseconds(*, remove: bool = False) -> float:
        start = time.thread_time_ns()
        entry = depwatch.install(names["f"], names["optimized"], handle)
        middle = time.thread_time_ns()
        entry.remove()
        ended = time.thread_time_ns()
        depwatch.drain()
        return (ended - middle if remove else middle - start) / 1e3

    def taken(*, remove: bool = False) -> list[float]:
        return [microseconds(remove=remove) for _ in range(samples)]

    gc.collect()
    n, few = classes(), taken()
    rows = [
        Row(f"install(), {n:,} classes and {len(gc.get_objects()):,} objects in the process", "µs", Spread.of(few)),
        Row("remove()", "µs", Spread.of(taken(remove=True))),
    ]
    ballast = [[] for _ in range(1_000_000)]
    rows.append(compare("install(), 1,000,000 objects more", "µs", taken(), few, 3.0, "base: without them"))
    assert len(ballast) == 1_000_000
    del ballast
    more = [type(f"C{i}", (), {"__init__": lambda self: None, "a": 1}) for i in range(10_000)]
    many = taken()
    rows.append(compare("install(), 10,000 classes more", "µs", many, few, None, "base: without them"))
    each = [(a - b) * 1e3 / len(more) for a, b in zip(many, few, strict=True)]
    rows.append(Row("  for each class more", "ns", Spread.of(each)))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench entry", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument(
        "--quick", action="store_true", help="few samples, no JSON: shows that it works, not what it costs"
    )
    options = parser.parse_args()
    samples = 5 if options.quick else 101
    rows = calls(samples) + guarded(samples) + methods(samples) + many(samples) + installing(samples)
    rows += costs(min(samples, 31))
    return finish("entry", "What install() costs", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
