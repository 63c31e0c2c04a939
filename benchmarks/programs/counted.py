"""What the core does often, each piece of work twice: N times and 2 N times. Run by instructions.py under callgrind.

Prints what was counted, in order, as JSON: [[case, variant, operations], ...]. What one operation takes is the
difference of the two counts of a variant, divided by N: what a call of the loop takes, or reading the clock, goes out.
With the argument "stores": only stores.
"""

import builtins
import gc
import json
import sys
from array import array
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import depwatch
from depwatch import _core
from measure import load_noop

noop = load_noop()
OLD, NEW, OTHER = object(), object(), object()
NAMES = [sys.intern(f"X{i}") for i in range(1000)]
counted = []


def count(case, variant, n, prepare):
    """prepare(n) makes a callable that does n operations."""
    for operations in (n, 2 * n):
        prepare(operations // 10 or 1)()  # CPython's specialiser, and memory, are as they will be
        depwatch.drain()
        run = prepare(operations)
        noop.count_instructions(run)
        counted.append((case, variant, operations))
        depwatch.drain()
        del run


def namespace(names, value=OLD):
    return {"__builtins__": builtins.__dict__} | dict.fromkeys(names, value)


def idle(names, value=OLD):
    """The same under a watcher that does nothing."""
    space = namespace(names, value)
    noop.watch_dict(space)
    return space


def commit(*reads):
    recorder = depwatch.Recorder("counted", unstable_after=None)
    for owner, name in reads:
        recorder.read(owner, name)
    return recorder.commit()


def functions(n):
    def loop():
        for _ in range(n):

            def nested():
                pass

    return loop


# --- stores ----------------------------------------------------------------------------------------------------------


def stores(space, odd=NEW, even=OTHER):
    return lambda n: partial(noop.time_stores, space, "X0", odd, even, n)


def flips(space, names):
    return lambda n: partial(noop.time_change_and_undo, space, names, NEW, OLD, n // len(names) or 1)


def of_stores():
    case = "a store to a watched dict, under a key that nobody depends on"
    relied_on = namespace(NAMES[:8])
    handles = [commit((relied_on, "X1"))]
    count(case, "base", 5000, stores(idle(NAMES[:8])))
    count(case, "ours", 5000, stores(relied_on))

    case = "a store to a name that is broken and stays so"
    broken = namespace(NAMES[:8])
    handles.append(commit((broken, "X0")))
    broken["X0"] = NEW
    depwatch.drain()
    count(case, "base", 5000, stores(idle(NAMES[:8])))
    count(case, "ours", 5000, stores(broken, OTHER, NEW))

    case = "a store that invalidates a handle, and one that undoes it"
    flipped = namespace(NAMES[:64])
    handles += [commit((flipped, name)) for name in NAMES[:64]]
    count(case, "base", 64 * 20, flips(idle(NAMES[:64]), NAMES[:64]))
    count(case, "ours", 64 * 20, flips(flipped, NAMES[:64]))

    for kind, first, second in (("object", OLD, NEW), ("f64", 1.5, 2.5)):
        case = f"a store to a value cell ({kind})"
        space = namespace(NAMES[:8], first)
        recorder = depwatch.Recorder("counted")
        recorder.value_cell(space, "X0", kind)
        handles.append(recorder.commit())
        count(case, "base", 5000, stores(idle(NAMES[:8], first), second, first))
        count(case, "ours", 5000, stores(space, second, first))

    case = "one of 10,000 handles is invalidated or resumed by a store, AVX2 aside"
    shared = namespace(NAMES[:8])
    recorder = depwatch.Recorder("counted", unstable_after=None)
    recorder.read(shared, "X0")
    batch = recorder.commit_many(array("Q", range(10_001)), array("I", bytes(40_000)))
    count(case, "ours", 10 * 2 * 10_000, lambda n: flips(shared, NAMES[:1])(n // (2 * 10_000)))

    def drains(n):
        def loop():
            for i in range(n // 10_000):
                value = (NEW, OLD)[i % 2]
                noop.time_stores(shared, "X0", value, value, 1)
                depwatch.drain()

        return loop

    count("the same, and the drain after it", "ours", 10 * 2 * 10_000, drains)
    return [*handles, batch]


# --- handles ---------------------------------------------------------------------------------------------------------


def of_handles():
    space = namespace(NAMES)
    kept = [commit((space, name)) for name in NAMES]  # the facets are there

    def reads(n):
        recorder = depwatch.Recorder("counted", unstable_after=None)

        def loop():
            for name in NAMES[:n]:
                recorder.read(space, name)

        return loop

    count("Recorder.read() of a dict's key that is watched already", "ours", 250, reads)

    def commits(n):
        recorders = [depwatch.Recorder("counted", unstable_after=None) for _ in range(n)]
        for recorder, name in zip(recorders, NAMES, strict=False):
            recorder.read(space, name)
        made = []

        def loop():
            for recorder in recorders:
                made.append(recorder.commit())

        return loop

    count("commit() of one assumption", "ours", 250, commits)

    def commit_many(n):
        recorder = depwatch.Recorder("counted", unstable_after=None)
        for name in NAMES:
            recorder.read(space, name)
        offsets, edges = array("Q", range(0, 3 * n + 1, 3)), array("I", (i % 1000 for i in range(3 * n)))
        made = []
        return lambda: made.append(recorder.commit_many(offsets, edges))

    count("commit_many() of three assumptions, a handle", "ours", 2000, commit_many)

    def releases(n):
        recorder = depwatch.Recorder("counted", unstable_after=None)
        for name in NAMES:
            recorder.read(space, name)
        edges = array("I", (i % 1000 for i in range(3 * n)))
        made = recorder.commit_many(array("Q", range(0, 3 * n + 1, 3)), edges)

        def loop():
            made.release()
            depwatch.drain()

        return loop

    count("release() and the drain after it, a handle of three assumptions", "ours", 2000, releases)

    def drains(n):
        noop.time_stores(space, "X0", NEW, NEW, 1)
        for name in NAMES[:n]:
            noop.time_stores(space, name, NEW, NEW, 1)

        def loop():
            depwatch.drain()
            for name in NAMES[:n]:
                noop.time_stores(space, name, OLD, OLD, 1)
            depwatch.drain()

        return loop

    count("two drains of a break and of its end, a facet with one handle", "ours", 250, drains)
    return kept


# --- calls ----------------------------------------------------------------------------------------------------

CALLS = "def loop(n):\n    for _ in range(n): call(-1)\ndef call(x): return x\ndef slow(x): return x\n"


def program(call=None):
    names = {}
    exec(CALLS, names)
    if call is not None:
        names["call"] = call
    return names


def calls(names):
    return lambda n: partial(names["loop"], n)


def of_calls():
    space = namespace(["RATE"])
    handle = commit((space, "RATE"))
    entered, guarded = program(), program(depwatch.guarded(handle, abs, program()["slow"]))
    entry = depwatch.install(entered["call"], abs, handle)
    case = "a call through an entry to a built-in; base: a C function that forwards"
    count(case, "base", 2000, calls(program(noop.forward(abs))))
    count(case, "ours", 2000, calls(entered))
    case = "a call through guarded() to a built-in; base: a C function that forwards"
    count(case, "base", 2000, calls(program(noop.forward(abs))))
    count(case, "ours", 2000, calls(guarded))
    assert entry.active
    return handle


def main():
    gc.disable()
    _core.use_avx2(False)  # the same on every CPU
    case = "a nested function that comes and goes, and nobody is interested"
    count(case, "base", 1000, functions)  # no watcher of functions is taken yet
    stores = of_stores()
    if sys.argv[1:] == ["stores"]:
        print(json.dumps(counted))
        return
    kept = stores, of_handles()
    recorder = depwatch.Recorder("counted")
    recorder.read_function(main, "code")
    kept = kept, recorder.commit(), of_calls()
    count(case, "ours", 1000, functions)
    assert len(kept) == 3
    print(json.dumps(counted))


main()
