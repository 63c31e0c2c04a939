"""ns of a store that breaks, or mends, what 1, 64, ... handles rely on: [[handles, ns], ...], the median of many.

Run by timing.py in two builds of the core.
"""

import builtins
import json
import sys
from array import array
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))
import depwatch
from measure import load_noop

HANDLES = (1, 64, 1000, 10_000, 100_000)
SAMPLES, REPEAT = 101, 20
OLD, NEW = object(), object()


def main():
    noop = load_noop()
    taken = []
    for n in HANDLES:
        space = {"__builtins__": builtins.__dict__, "X0": OLD}
        recorder = depwatch.Recorder("swept", None)
        recorder.read(space, "X0")
        handles = recorder.commit_many(array("Q", range(n + 1)), array("I", bytes(4 * n)))
        samples = [sum(noop.time_change_and_undo(space, ["X0"], NEW, OLD, REPEAT)) / 2 for _ in range(SAMPLES)]
        depwatch.drain()
        assert handles.valid
        taken.append((n, median(samples)))
        handles.release()
        depwatch.drain()
    print(json.dumps(taken))


main()
