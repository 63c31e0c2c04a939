"""A day of events in twenty minutes: whether memory stays flat, and every counter says what was done.

One round does the same things each time: stores that concern nobody, breaks and their undoing, code that is compiled
again, functions, modules, namespaces and classes that come and go, copies of dicts, listeners. So after each round as
much is watched as before it, and each counter has grown by what the round did.
"""

from __future__ import annotations

import argparse
import builtins
import gc
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import depwatch
from measure import Row, Spread, finish, load_noop

EVENTS, SECONDS = 1_000_000_000, 1200.0
PAGE = 4096
LEVELS = ("objects", "facets", "handles", "dependencies")  # what is watched now; all others only grow
CHANCE = ("drains", "drain_ns", "event_ns")  # how often a drain runs by itself, and for how long; the time of events
POINTS = 60  # parts of the run for each of which the memory is kept
SETTLED = POINTS // 10  # until then memory may grow
OLD, NEW, OTHER = object(), object(), object()
noop = load_noop()

STORES = 50_000  # of each kind, in a loop of C
NAMES = [sys.intern(f"X{i}") for i in range(64)]
FLIPS = 60  # times that each of them breaks and holds again
FUNCTIONS = 20_000
LIVES = 60  # of each kind of object that comes and goes

Counts = Counter[str]
# Each step of a part does the same things. It tells how many events CPython has sent, and what stats() should count.
Part = Callable[[], Iterator[tuple[int, Counts]]]


def namespace(*names: str, value: object = OLD) -> dict[str, Any]:
    return {"__builtins__": builtins.__dict__} | dict.fromkeys(names, value)


def commit(name: str, *reads: tuple[Any, str], **options: Any) -> depwatch.Handle:
    recorder = depwatch.Recorder(name, unstable_after=None)
    for owner, read in reads:
        recorder.read(owner, read, **options)
    return recorder.commit()


def each(n: int, **counts: int) -> Counts:
    return Counter({name: n * count for name, count in counts.items()})


def lived(**counts: int) -> Counts:
    """LIVES objects, each of which a handle relied on until it died."""
    return each(LIVES, handles_committed=1, handles_recompiled=1, handles_retired_died=1, **counts)


# --- stores --------------------------------------------------------------------------------------------------------


def nobody() -> Iterator[tuple[int, Counts]]:
    """Stores to a watched dict, under a key that nobody depends on."""
    space = namespace("X0", "X1")
    kept = commit("nobody", (space, "X1"))
    while kept.valid:
        noop.time_stores(space, "X0", NEW, OTHER, STORES)
        yield STORES, Counter()


def flips() -> Iterator[tuple[int, Counts]]:
    """Breaks that are undone before a drain sees them."""
    space = namespace(*NAMES)
    handles = [commit("flips", (space, name)) for name in NAMES]
    breaks = FLIPS * len(NAMES)
    while all(handle.valid for handle in handles):
        noop.time_change_and_undo(space, NAMES, NEW, OLD, FLIPS)
        yield 2 * breaks, Counter(events=2 * breaks, breaks=breaks, restores=breaks, details_queued=breaks)


def broken() -> Iterator[tuple[int, Counts]]:
    """Stores to a name that is broken and stays so, between a break and its end that drains see."""
    space = namespace("X0")
    handle = commit("broken", (space, "X0"))
    while handle.valid:
        space["X0"] = NEW
        depwatch.drain()
        noop.time_stores(space, "X0", OTHER, NEW, STORES)
        space["X0"] = OLD
        depwatch.drain()
        told = Counter(handles_invalidated=1, handles_resumed=1)
        yield STORES + 2, Counter(events=2, breaks=1, restores=1, details_queued=1) + told


def cells() -> Iterator[tuple[int, Counts]]:
    """A number that native code loads, kept current."""
    space = namespace("X0", value=1.5)
    recorder = depwatch.Recorder("cells")
    cell = recorder.value_cell(space, "X0", "f64")
    handle = recorder.commit()
    while handle.valid and cell.value == 1.5:
        noop.time_stores(space, "X0", 2.5, 1.5, STORES)
        yield STORES, Counter(events=STORES)


def heard() -> Iterator[tuple[int, Counts]]:
    """Stores of which a listener hears."""
    space = namespace("X0")
    n = 0

    def count(event: depwatch.Event) -> None:
        nonlocal n
        n += 1

    subscription = depwatch.subscribe(count, space, "X0")
    heard = 0
    while n == heard:
        noop.time_stores(space, "X0", NEW, OTHER, 1000)
        depwatch.drain()
        heard += 1000
        yield 1000, Counter(events=1000, details_queued=1000)
    raise AssertionError(f"a listener heard {n} of {heard} events of {subscription}")


# --- code that is compiled again ------------------------------------------------------------------------------------


def compiled_again() -> Iterator[tuple[int, Counts]]:
    """Each change is for good: the code is compiled for the new value."""
    space = namespace("X0")
    handle = commit("compiled again", (space, "X0"))
    while handle.valid:
        for _ in range(LIVES):
            space["X0"] = object()
            depwatch.drain()
            handle = commit("compiled again", (space, "X0"))
        again = each(LIVES, handles_invalidated=1, handles_committed=1, handles_recompiled=1, handles_retired_lost=1)
        yield LIVES, again + each(LIVES, events=1, breaks=1, details_queued=1)


def made_together() -> Iterator[tuple[int, Counts]]:
    """A batch of handles that is invalidated by hand and released."""
    space = namespace(*NAMES)
    every = array("I", range(len(NAMES)))
    while True:
        recorder = depwatch.Recorder("made together", unstable_after=None)
        for name in NAMES:
            recorder.read(space, name)
        handles = recorder.commit_many(array("Q", range(len(NAMES) + 1)), every)
        depwatch.invalidate([space], "replaced")
        handles.release()
        yield 0, each(len(NAMES), handles_committed=1, handles_recompiled=1, handles_retired_called=1)


# --- objects that come and go ----------------------------------------------------------------------------------------


def functions_relied_on() -> Iterator[tuple[int, Counts]]:
    codes = compile("1", "one", "eval"), compile("2", "two", "eval")
    while True:
        for _ in range(LIVES):
            function = FunctionType(codes[0], {})
            recorder = depwatch.Recorder("functions", unstable_after=None)
            recorder.read_function(function, "code", "defaults")
            handle = recorder.commit()
            function.__code__ = codes[1]
            depwatch.drain()
            assert not handle.valid
            del function
            depwatch.drain()
            assert handle.retired
        yield 3 * LIVES, lived(events=1, breaks=1, handles_invalidated=1, details_queued=3)


def functions() -> Iterator[tuple[int, Counts]]:
    """Functions that nobody depends on: CPython reports each birth and each death."""
    while True:
        for _ in range(FUNCTIONS):

            def nested() -> None:
                pass

            del nested
        yield 2 * FUNCTIONS, Counter()


def namespaces() -> Iterator[tuple[int, Counts]]:
    while True:
        for _ in range(LIVES):
            space = {"X0": OLD}
            handle = commit("namespaces", (space, "X0"))
            del space
            assert handle.retired
            depwatch.drain()
        yield LIVES, lived(details_queued=1)


def modules() -> Iterator[tuple[int, Counts]]:
    while True:
        for _ in range(LIVES):
            module = ModuleType("soaked")
            module.X0 = OLD  # type: ignore[attr-defined]  # made just above
            handle = commit("modules", (module, "X0"))
            module.X0 = NEW  # type: ignore[attr-defined]  # made just above
            depwatch.drain()
            assert not handle.valid
            del module
            depwatch.drain()
            assert handle.retired
        yield 2 * LIVES, lived(events=1, breaks=1, handles_invalidated=1, details_queued=2)


def classes() -> Iterator[tuple[int, Counts]]:
    while True:
        for _ in range(LIVES):
            base = type("Base", (), {"X0": OLD})
            derived = type("Derived", (base,), {})
            handle = commit("classes", (derived, "X0"))
            base.X0 = NEW  # type: ignore[attr-defined]  # made just above
            depwatch.drain()
            assert not handle.valid
            del base, derived
            gc.collect()
            depwatch.drain()
            assert handle.retired
        yield 3 * LIVES, lived(events=1, breaks=1, handles_invalidated=1, details_queued=3)


def copies() -> Iterator[tuple[int, Counts]]:
    """An empty dict is filled from another one, and cleared: events without a key, after which drains look again."""
    space: dict[str, Any] = {}
    source = dict.fromkeys(NAMES, OLD)
    handle = commit("copies", (space, "X0"), default=depwatch.MISSING)
    while handle.valid:
        for _ in range(LIVES):
            space.update(source)
            depwatch.drain()
            assert not handle.valid
            space.clear()
            depwatch.drain()
        found = each(LIVES, breaks=1, restores=1, conservative_breaks=1, needless_breaks=1, details_queued=1)
        yield 2 * LIVES, found + each(LIVES, events=2, handles_invalidated=1, handles_resumed=1)


PARTS: list[Part] = [
    nobody,
    flips,
    broken,
    cells,
    heard,
    compiled_again,
    made_together,
    functions_relied_on,
    functions,
    namespaces,
    modules,
    classes,
    copies,
]


# --- the run --------------------------------------------------------------------------------------------------


@dataclass
class Soak:
    """What a run has done so far."""

    parts: list[Iterator[tuple[int, Counts]]]
    events: int = 0
    rounds: int = 0
    counts: Counts = field(default_factory=Counter)  # what stats() should have counted
    memory: list[dict[str, float]] = field(default_factory=list)  # at the end of each part of the run

    def round(self) -> None:
        for part in self.parts:
            events, counts = next(part)
            self.events += events
            self.counts += counts
        self.rounds += 1


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def wrong(before: dict[str, int], after: dict[str, int], counts: Counts) -> list[str]:
    """The counters of stats() that do not say what was done."""
    found = []
    for name in after.keys() - CHANCE:
        expected = before[name] + (0 if name in LEVELS else counts[name])
        if after[name] != expected:
            found.append(f"{name}: {after[name]}, not {expected}")
    return sorted(found)


def soak(events: int, seconds: float) -> tuple[Soak, list[str]]:
    """Runs rounds until there were so many events, or so many seconds have passed. Returns the faults, too."""
    done = Soak([part() for part in PARTS])
    for _ in range(2):
        done.round()  # what stays for the whole run is made
    done.events, done.rounds, done.counts = 0, 0, Counter()
    before = depwatch.stats()
    start = time.monotonic()
    faults: list[str] = []
    progress, most = 0.0, 0
    while not faults and progress < 1:
        done.round()
        faults = wrong(before, depwatch.stats(), done.counts)
        now = time.monotonic() - start
        progress, most = max(done.events / events, now / seconds), max(most, resident())
        if progress * POINTS > len(done.memory) + 1 or progress >= 1:
            done.memory.append({"seconds": round(now, 1), "events": done.events, "most bytes": most})
            print(f"{now:6.0f} s {done.events:14,} events {most / 2**20:9.3f} MiB", flush=True)
            most = 0
    passed, after = time.monotonic() - start, depwatch.stats()
    for name in ("drain_ns", "event_ns"):
        spent = (after[name] - before[name]) / 1e9
        if not 0 < spent <= passed:
            faults.append(f"{name}: {spent} s of {passed} s")
    return done, faults


def rows_of(done: Soak, faults: list[str]) -> list[Row]:
    seconds, events = done.memory[-1]["seconds"], done.memory[-1]["events"]
    first, *later = [point["most bytes"] for point in done.memory[min(SETTLED, len(done.memory)) - 1 :]]
    return [
        Row("events that CPython sent", "", Spread.of([events])),
        Row("  a second", "", Spread.of([events / seconds])),
        Row("memory after a tenth of them", "MiB", Spread.of([first / 2**20])),
        Row("  the most after that, less that", "KiB", Spread.of([(max([first, *later]) - first) / 1024]), bound=256),
        Row("counters of stats() that do not say what was done", "", Spread.of([len(faults)]), bound=0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument("--quick", action="store_true", help="five million events, no JSON")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many, {EVENTS:,} by default")
    parser.add_argument("--minutes", type=float, default=SECONDS / 60, help="the most that it takes, 20 by default")
    options = parser.parse_args()
    events = 5_000_000 if options.quick else options.events
    gc.collect()
    gc.freeze()  # collections look at what is made here, and at nothing else
    gc.disable()
    done, faults = soak(events, 60 * options.minutes)
    for fault in faults:
        print(f"soak: after {done.rounds:,} rounds, {fault}")
    write, title = not options.quick, f"{done.rounds:,} rounds of the same"
    return finish("soak", title, rows_of(done, faults), check=options.check, write=write, more={"memory": done.memory})


if __name__ == "__main__":
    sys.exit(main())
