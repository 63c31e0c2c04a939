"""Runs a program that others wrote, round after round, and writes what each round took.

python rounds.py NAME ROUNDS OUT: OUT gets the seconds of CPU time of each round, as JSON. The clock is in here, so that
the start of the interpreter, and the table that compare prints at the end, do not count.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path


def pyperformance(name):
    package = importlib.util.find_spec("pyperformance")
    folder = Path(package.submodule_search_locations[0]) / "data-files" / "benchmarks" / f"bm_{name}"
    spec = importlib.util.spec_from_file_location(f"bm_{name}", folder / "run_benchmark.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def richards():
    module = pyperformance("richards")
    return lambda: module.Richards().run(1)


def deltablue():
    module = pyperformance("deltablue")
    return lambda: [module.delta_blue(100) for _ in range(8)]


def networkx():
    import networkx

    graph = networkx.gnm_random_graph(120, 500, seed=1)
    return lambda: networkx.betweenness_centrality(graph)


def main(name, rounds, out):
    run = {"richards": richards, "deltablue": deltablue, "networkx": networkx}[name]()
    seconds = []
    for _ in range(int(rounds)):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    Path(out).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
