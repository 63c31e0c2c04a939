"""What events cost: stores, calls and nested functions, watched and not, as ratios to a watcher that does nothing."""

from __future__ import annotations

import argparse
import builtins
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path
from typing import Any

import depwatch
from measure import Row, Spread, compare, finish, interleave, load_noop

PROGRAMS = Path(__file__).parent / "programs"
STORES = 2000  # in one sample: fewer than the queue of details holds
MANY = 10_000  # handles
noop = load_noop()

OLD, NEW, OTHER = object(), object(), object()


def namespace(size: int = 8, value: object = OLD) -> dict[str, Any]:
    """A dict of the same shape for every variant."""
    return {"__builtins__": builtins.__dict__} | {f"X{i}": value for i in range(size)}


def idle(size: int = 8, value: object = OLD) -> dict[str, Any]:
    """The same under a watcher that does nothing."""
    space = namespace(size, value)
    noop.watch_dict(space)
    return space


def depend(space: dict[str, Any], name: str) -> depwatch.Handle:
    recorder = depwatch.Recorder(f"relies on {name}", None)  # None: however often it breaks
    recorder.read_global(space, name)
    return recorder.commit()


def stores(space: dict[str, Any], name: str, odd: object = NEW, even: object = OTHER) -> Any:
    """A sampler: ns a store of two values in turn; what is queued is delivered between samples, outside the clock."""

    def sample() -> float:
        ns: float = noop.time_stores(space, name, odd, even, STORES)
        depwatch.drain()
        return ns

    return sample


def changes(space: dict[str, Any], names: list[str], repeat: int = 1) -> Any:
    """A sampler: ns for a store that changes a key. The one after it, which undoes that, is not in the result."""

    def sample() -> float:
        ns: float = noop.time_change_and_undo(space, names, NEW, OLD, repeat)[0]
        depwatch.drain()
        return ns

    return sample


# --- the price of nothing -----------------------------------------------------------------------------------------


def price_of_nothing(samples: int) -> list[Row]:
    taken = interleave(
        {
            "one iteration of an empty C loop": lambda: noop.time_nothing(STORES),
            "store, unwatched": stores(namespace(), "X0"),
            "store, under a watcher that does nothing": stores(idle(), "X0"),
        },
        samples,
    )
    return [Row(case, "ns", Spread.of(ns)) for case, ns in taken.items()]


# --- stores -------------------------------------------------------------------------------------------------------


def store_nobody_depends_on(samples: int) -> list[Row]:
    space = namespace()
    handle = depend(space, "X1")
    taken = interleave({"base": stores(idle(), "X0"), "ours": stores(space, "X0")}, samples)
    assert handle.valid
    return [compare("store to a watched dict, key nobody depends on", "ns", taken["ours"], taken["base"], 1.05)]


def store_with_cell(samples: int) -> list[Row]:
    values = {"object": (OLD, NEW), "f64": (1.5, 2.5), "i64": (10**6, 10**6 + 1)}
    rows = []
    for kind, (first, second) in values.items():
        space = namespace(value=first)
        recorder = depwatch.Recorder(kind)
        cell = recorder.value_cell(space, "X0", kind)
        handle = recorder.commit()
        base = stores(idle(value=first), "X0", second, first)
        taken = interleave({"base": base, "ours": stores(space, "X0", second, first)}, samples)
        assert handle.valid and cell.value == first
        case = f"the same, a live value cell ({kind}) depends on the key"
        rows.append(compare(case, "ns", taken["ours"], taken["base"], 1.6))
    return rows


def store_that_invalidates(samples: int) -> list[Row]:
    dropped = depwatch.stats()["details_dropped"]
    rows = []
    # The bound is for caches as warm as they were for the prototype; how it is where they are not is good to know.
    for count, repeat, bound, note in (
        (64, 32, 1.8, "64 facets with a handle each, again and again"),
        (1000, 1, None, "1000 facets with a handle each, once after a drain"),
    ):
        names = [f"X{i}" for i in range(count)]
        space = namespace(count)
        handles = [depend(space, name) for name in names]
        samplers = {"base": changes(idle(count), names, repeat), "ours": changes(space, names, repeat)}
        taken = interleave(samplers, samples)
        assert all(handle.valid for handle in handles)
        case = "the same, the store invalidates a handle, with its details queued"
        rows.append(compare(case, "ns", taken["ours"], taken["base"], bound, note))
    assert depwatch.stats()["details_dropped"] == dropped, "details were dropped: the queue was too small for a sample"
    return rows


def store_to_broken(samples: int) -> list[Row]:
    space = namespace()
    handle = depend(space, "X0")
    taken = interleave({"base": stores(idle(), "X0"), "ours": stores(space, "X0")}, samples)
    assert not handle.valid and not handle.retired
    case = "the same, the facet is already broken (handles invalid)"
    return [compare(case, "ns", taken["ours"], taken["base"], 1.2)]


def change_and_undo(samples: int) -> list[Row]:
    space = namespace()
    handle = depend(space, "X0")
    # Every store of NEW breaks the assumption, every store of OLD mends it.
    taken = interleave({"base": stores(idle(), "X0", NEW, OLD), "ours": stores(space, "X0", NEW, OLD)}, samples)
    pairs = {name: [2 * ns for ns in values] for name, values in taken.items()}
    assert handle.valid, "not valid at once"
    allocations = noop.count_allocations(space, "X0", NEW, OLD, STORES)
    depwatch.drain()
    handles_case = "a change and its undoing (patch and restore), one handle"
    return [
        compare(handles_case, "ns", pairs["ours"], pairs["base"], 4),
        Row(f"  allocations in {STORES} such events", "", Spread.of([allocations]), bound=0),
    ]


# --- many handles -------------------------------------------------------------------------------------------------


def shared_cell(samples: int) -> list[Row]:
    samplers, handles = {}, []
    for variant, count in (("one", 1), ("many", MANY)):
        space = namespace()
        for _ in range(count):
            recorder = depwatch.Recorder("shares a cell")
            recorder.value_cell(space, "X0", "object")
            handles.append(recorder.commit())
        samplers[variant] = stores(space, "X0", NEW, OLD)
    taken = interleave(samplers, samples)
    assert all(handle.valid for handle in handles)
    case = f"value cell that {MANY:,} handles share"
    return [compare(case, "ns", taken["many"], taken["one"], 1.1, note="base: one handle")]


def among_many(samples: int) -> list[Row]:
    """The same change and undoing, where many handles depend on other keys of that dict, and where none do."""
    samplers, handles = {}, []
    for variant, count in (("alone", 0), ("among", MANY)):
        space = namespace(MANY)
        handles += [depend(space, "X0"), *(depend(space, f"X{1 + i}") for i in range(count - 1))]
        samplers[variant] = changes(space, ["X0"], repeat=100)
    taken = interleave(samplers, samples)
    assert all(handle.valid for handle in handles)
    case = f"one handle invalidated, {MANY:,} handles depend on other keys"
    return [compare(case, "ns", taken["among"], taken["alone"], 1.2, note="base: no other handle")]


def invalidate_many(samples: int) -> list[Row]:
    space = namespace()
    handles = [depend(space, "X0") for _ in range(MANY)]
    sample = changes(space, ["X0"], repeat=10)
    ns = [sample() / MANY for _ in range(samples)]
    drains = []
    for i in range(2 * samples):
        space["X0"] = NEW if i % 2 == 0 else OLD
        start = time.thread_time()
        depwatch.drain()
        drains.append(1e9 * (time.thread_time() - start) / MANY)
    assert all(handle.valid for handle in handles)
    return [
        Row(f"{MANY:,} handles invalidated by one store, a handle", "ns", Spread.of(ns), bound=3),
        Row("  the drain after it, without callbacks, a handle", "ns", Spread.of(drains), bound=20),
    ]


def held_by(deed: Any) -> tuple[float, float]:
    """(the longest time that the GIL was held, all of it), ms of CPU time, for deed() and the drain after it.

    A second thread notes how much CPU time this one had between two turns of the second.
    """
    clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
    turns: list[float] = []
    done = threading.Event()

    def take_turns() -> None:
        while not done.is_set():
            turns.append(time.clock_gettime(clock))
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # how long the second thread waits before it asks for the GIL
    thread = threading.Thread(target=take_turns)
    thread.start()
    while len(turns) < 3:
        time.sleep(0)
    start = time.thread_time()
    deed()  # a drain begins by itself at the end of this line
    depwatch.drain()
    taken = 1000 * (time.thread_time() - start)
    done.set()
    thread.join()
    sys.setswitchinterval(interval)
    return 1000 * max(after - before for before, after in itertools.pairwise(turns)), taken


def rely(space: dict[str, Any], count: int) -> depwatch.Handles:
    recorder = depwatch.Recorder("many", None)
    recorder.read_global(space, "X0")
    reads = array("I", [recorder.reads - 1]) * count
    return recorder.commit_many(array("Q", range(count + 1)), reads)


def gil_of_many(samples: int, count: int) -> list[Row]:
    space = namespace()
    handles = rely(space, count)
    stores, drains, held = [], [], []
    for i in range(samples):
        longest, taken = held_by(lambda value=OLD if i % 2 else NEW: space.update(X0=value))
        held.append(longest)
        drains.append(1e6 * taken / count)
        assert handles.valid == bool(i % 2)
    space["X0"] = OLD
    depwatch.drain()
    for _ in range(samples):
        stores.append(noop.time_change_and_undo(space, ["X0"], NEW, OLD, 1)[0] / 1e6)
        depwatch.drain()
    case = f"a store on which {count:,} handles rely, and its drain: the GIL held at a time"
    rows = [
        Row(case, "ms", Spread.of(held), bound=5, note="CPU time between two turns of a second thread"),
        Row("  the store alone", "ms", Spread.of(stores), bound=5),
        Row("  both, a handle", "ns", Spread.of(drains), note="with a pause after each 8192 handles"),
    ]
    for name, end in (
        ("invalidate()", lambda: depwatch.invalidate([space], "measured")),
        ("Handles.retire()", lambda: handles.retire("measured")),
        ("Handles.release()", lambda: handles.release()),
    ):
        held = []
        for _ in range(samples):
            handles.release()
            depwatch.drain()
            handles = rely(space, count)
            held.append(held_by(end)[0])
        rows.append(Row(f"  the same, {name} and its drain", "ms", Spread.of(held), bound=5))
    return rows


# --- calls --------------------------------------------------------------------------------------------------------

CALLS = """
RATE = 1.25

def helper(x):
    return x + 1

def price(x):
    return helper(x) * RATE

def loop(repeat):
    for x in repeat:
        price(x)
"""


def intact_assumption(samples: int) -> list[Row]:
    calls = range(10_000)

    def program() -> dict[str, Any]:
        space: dict[str, Any] = {"__builtins__": builtins.__dict__}
        exec(CALLS, space)
        return space

    def sampler(space: dict[str, Any]) -> Any:
        def sample() -> float:
            start = time.thread_time_ns()
            space["loop"](calls)
            return (time.thread_time_ns() - start) / len(calls)

        return sample

    plain, relied_on = program(), program()
    recorder = depwatch.Recorder("price")
    for name in ("RATE", "helper"):
        recorder.read_global(relied_on["price"], name)
    for function in ("price", "helper"):
        recorder.read_function(relied_on[function], "code", "defaults", "kwdefaults")
    handle = recorder.commit()
    taken = interleave({"base": sampler(plain), "ours": sampler(relied_on)}, samples)
    events = noop.count_events(lambda: relied_on["loop"](calls), [relied_on, builtins.__dict__])
    assert handle.valid
    return [
        Row("an intact assumption: our callbacks run, a call", "", Spread.of([events / len(calls)]), bound=0),
        compare(
            "  the call, with live dependencies", "ns", taken["ours"], taken["base"], None, note="base: without them"
        ),
    ]


# What hears of functions that come and go, by the variant of programs/costs.py.
LIFECYCLE = {
    "noop": "under a watcher that does nothing",
    "used": "under depwatch's watcher",
    "heard_in_c": "a callback in C hears of both",
    "heard": "a lifecycle callback in Python hears of both",
}
UNWATCHED = "base: no function watcher"


# --- processes ----------------------------------------------------------------------------------------------------


def whole_processes(rounds: int) -> list[Row]:
    """Rows where a process is either this or that: only imported, or with a function watcher."""
    results: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("plain", "imported", "noop", "used", "heard", "heard_in_c", "audited")
    }
    for _ in range(rounds):
        for variant, taken in results.items():
            command = [sys.executable, str(PROGRAMS / "costs.py"), variant]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            taken.append(json.loads(done.stdout))

    def column(variant: str, name: str) -> list[float]:
        return [result[name] for result in results[variant]]

    slots = [sum(result["slots"].values()) for result in results["plain"] + results["imported"]]
    rows = [Row("`import depwatch`: watcher slots taken", "", Spread.of([max(slots) - min(slots)]), bound=0)]
    for name, what in (("store", "a store"), ("call", "a call"), ("function", "a nested function")):
        case = f"  {what} after it"
        # "No measurable cost": what two processes differ by anyway.
        rows.append(compare(case, "ns", column("imported", name), column("plain", name), 1.05, note="base: without it"))
    unwatched = Spread.of(column("imported", "function"))
    rows.append(Row("nested function created and destroyed, no function watcher", "ns", unwatched))
    case = "the same under function watchers, nobody interested"
    rows.append(compare(case, "ns", column("used", "function"), column("noop", "function"), 1.15))
    case = "the same, a lifecycle callback hears of both, by drains in between"
    rows.append(compare(case, "ns", column("heard", "function"), column("noop", "function"), 12))
    case = "the same, a callback in C hears of both at once"
    rows.append(compare(case, "ns", column("heard_in_c", "function"), column("noop", "function"), None))
    for name in ("function", "closure", "generator expression", "comprehension"):
        for variant, hearing in LIFECYCLE.items():
            case = f"{name} made and dropped, {hearing}"
            rows.append(compare(case, "ns", column(variant, name), column("imported", name), None, note=UNWATCHED))
    for name, what in (("audit event", "an audit event (id())"), ("call", "a call"), ("store", "a store")):
        case = f"{what} once an attribute of a module was read"
        rows.append(compare(case, "ns", column("audited", name), column("imported", name), None, note="base: imported"))
    return rows


def under_compare(rounds: int) -> list[Row]:
    """Programs as they are and under `depwatch compare`; the first fifth is start-up."""
    rows = []
    for name, repeat in (("richards", 40), ("deltablue", 40), ("networkx", 40)):
        plain: list[float] = []
        compared: list[float] = []
        for _ in range(rounds):
            plain.append(steady_ms(name, repeat, []))
            compared.append(steady_ms(name, repeat, ["-m", "depwatch", "compare"]))
        case = f"`compare`: the observed program ({name}), start-up apart"
        rows.append(compare(case, "ms a round", compared, plain, 2, note="base: the program alone"))
    return rows


def steady_ms(name: str, repeat: int, prefix: list[str]) -> float:
    """ms a round of a program in programs/rounds.py, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rounds.json"
        command = [sys.executable, *prefix, str(PROGRAMS / "rounds.py"), name, str(repeat), str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"events: {' '.join(prefix)} {name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        seconds = json.loads(out.read_text())
    steady = seconds[len(seconds) // 5 :]
    return 1000 * sum(steady) / len(steady)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench events", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument(
        "--quick", action="store_true", help="few samples, no JSON: shows that it works, not what it costs"
    )
    options = parser.parse_args()
    samples, rounds = (5, 1) if options.quick else (41, 11)
    rows = price_of_nothing(samples)
    for case in (
        store_nobody_depends_on,
        store_with_cell,
        store_that_invalidates,
        store_to_broken,
        change_and_undo,
        shared_cell,
        among_many,
        invalidate_many,
        intact_assumption,
    ):
        rows += case(samples)
    rows += gil_of_many(3 if options.quick else 11, 10**5 if options.quick else 10**6)
    rows += whole_processes(rounds)
    rows += under_compare(1 if options.quick else 3)
    return finish("events", "What events cost", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
