"""What stores, calls and functions that come and go cost in a process of its own; prints JSON (ns, and the free slots).

python costs.py VARIANT: function watchers belong to a whole process, so each variant needs its own.
    plain      nothing of depwatch
    imported   `import depwatch` and nothing else
    noop       depwatch imported; a function watcher that does nothing
    used       depwatch watches a function, a dict and a type, none of which the measured code touches
    heard      a callback that does nothing hears of every function of the process
    heard_in_c the same, but the callback is a C function
    audited    depwatch has read an attribute of a module, and so added its audit hook
"""

import gc
import json
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))
import measure

N = 20_000
SAMPLES = 15


def nothing():
    pass


def call(repeat):
    for _ in repeat:
        nothing()


def nest(repeat):
    for _ in repeat:

        def nested():
            pass


def close_over(repeat):
    for number in repeat:

        def closure():
            return number


def generate(repeat):
    for _ in repeat:
        list(number + 1 for number in ())  # noqa: C400 - a function, made and dropped


def comprehend(repeat):
    for _ in repeat:
        [number + 1 for number in ()]  # CPython 3.12+ makes no function for it


def identify(repeat):
    for _ in repeat:
        id(nothing)  # raises an audit event


def hear(event, function, attribute, new_value):
    pass


class Watched:
    attribute = 1


elsewhere = {"X": 1}


def use_depwatch():
    import depwatch

    recorder = depwatch.Recorder("elsewhere")
    recorder.read_function(use_depwatch, "code", "defaults")
    recorder.read_global(elsewhere, "X")
    recorder.read_type_attr(Watched, "attribute")
    return recorder.commit()


def per_iteration(function):
    start = time.thread_time_ns()
    function(range(N))
    return (time.thread_time_ns() - start) / N


def main(variant):
    noop = measure.load_noop()
    if variant != "plain":
        import depwatch  # the import is what is measured
    # Counting takes the slots for a moment, so not while anybody uses one.
    slots = noop.free_slots() if variant in ("plain", "imported") else None
    handle = use_depwatch() if variant == "used" else None
    if variant == "heard":
        depwatch.set_lifecycle_callback(hear)
    listening = noop.listen_functions() if variant == "heard_in_c" else None  # until it is dropped
    if variant == "audited":
        depwatch.Recorder("audited").read_attr(measure, "Row")
    if variant == "noop":
        noop.watch_functions()
    gc.disable()
    target, a, b = {"X": 1, "Y": 2}, object(), object()
    variants = {
        "store": lambda: noop.time_stores(target, "X", a, b, N),
        "call": lambda: per_iteration(call),
        "function": lambda: per_iteration(nest),
        "closure": lambda: per_iteration(close_over),
        "generator expression": lambda: per_iteration(generate),
        "comprehension": lambda: per_iteration(comprehend),
        "audit event": lambda: per_iteration(identify),
    }
    samples = measure.interleave(variants, SAMPLES)
    assert handle is None or handle.valid
    assert (listening is not None) == (variant == "heard_in_c")
    print(json.dumps({"slots": slots} | {name: median(taken) for name, taken in samples.items()}))


main(sys.argv[1])
