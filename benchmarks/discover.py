"""What discovery costs, how many functions read no state of the world, and where to stop following calls."""

from __future__ import annotations

import argparse
import collections
import gc
import importlib
import random
import statistics
import sys
import time
import types
from typing import Any

import depwatch
from depwatch.discovery.reads import Found
from measure import Grid, Row, Spread, finish, print_grid

READS = 20
BEST = 10
MODULES = (
    "argparse", "asyncio", "concurrent.futures", "configparser", "csv", "decimal", "doctest", "email.mime.text",
    "fractions", "http.server", "importlib.metadata", "json", "logging.config", "optparse", "pickle", "sqlite3",
    "statistics", "tarfile", "textwrap", "tomllib", "unittest.mock", "urllib.request", "uuid", "xml.dom.minidom",
    "click", "hypothesis", "jinja2", "msgspec", "networkx", "numpy", "pyarrow", "pyperf", "pytest", "rich.table",
)  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    'follow="default"': {},
    "the same, all arguments are str": {"plain": True},
    'follow="all"': {"follow": "all"},
    "no callee": {"follow": lambda function: False},
}


def with_reads(number: int) -> types.FunctionType:
    """A function that reads so many globals, whose code has not been looked at."""
    names: dict[str, Any] = {f"N{i}": i for i in range(READS - 2)}  # its code and its defaults are reads, too
    exec(f"def f(x):\n  return x + {' + '.join(names)} # {number}", names)
    code = names["f"].__code__.replace(co_name=f"f{number}")
    return types.FunctionType(code, names)


def costs(samples: int) -> list[Row]:
    """Each sample is the best of BEST functions: what else runs on the machine only adds."""
    first, again, assumed = [], [], []
    for sample in range(samples):
        taken = [once(sample * BEST + number) for number in range(BEST)]
        for times, best in zip((first, again, assumed), map(min, zip(*taken, strict=True)), strict=True):
            times.append(best)
    note = f"samples are the best of {BEST}"
    return [
        Row(
            f"discover() of a function with {READS} reads, the first time", "µs", Spread.of(first), bound=300, note=note
        ),
        Row("  from the cache", "µs", Spread.of(again), bound=20, note="the result is kept by somebody, and holds"),
        Row("assume() beyond discover(), for each read", "µs", Spread.of(assumed), bound=3, note=note),
    ]


def once(number: int) -> tuple[float, float, float]:
    """Microseconds of discover(), of discover() again, and of assume() beyond that for each read."""
    function = with_reads(number)
    start = time.thread_time()
    found = depwatch.discover(function, argument_types=(int,))
    first = time.thread_time() - start
    assert len(found.reads) == READS, found.reads
    start = time.thread_time()
    for _ in range(10):
        depwatch.discover(function, argument_types=(int,))
    again = (time.thread_time() - start) / 10
    start = time.thread_time()
    assumed = depwatch.assume(function, argument_types=(int,))
    beyond = time.thread_time() - start - again
    assert assumed.valid
    return first * 1e6, again * 1e6, beyond * 1e6 / READS


def functions(number: int) -> list[types.FunctionType]:
    """So many functions of the standard library and of packages, at random, the same each time."""
    for module in MODULES:
        importlib.import_module(module)
    places = tuple({module.partition(".")[0] for module in MODULES})
    found = [
        each
        for each in gc.get_objects()
        if type(each) is types.FunctionType and str(each.__module__).partition(".")[0] in places
    ]
    found.sort(key=lambda each: (str(each.__module__), each.__code__.co_firstlineno, each.__qualname__))
    random.Random(17).shuffle(found)
    return found[:number]


def of_world(found: Found) -> set[str]:
    return {each.cause for each in found.opaque if each.kind == "world"}


def looked_at(chosen: list[types.FunctionType], options: dict[str, Any]) -> dict[str, list[Any]]:
    taken: dict[str, list[Any]] = {"causes": [], "reads": [], "leaves": [], "ms": [], "cells": [], "refused": []}
    plain = options.get("plain", False)
    given = {name: value for name, value in options.items() if name != "plain"}
    for function in chosen:
        count = function.__code__.co_argcount
        start = time.thread_time()
        found = depwatch.discover(function, argument_types=(str,) * count if plain else (), **given)
        taken["ms"].append((time.thread_time() - start) * 1e3)
        taken["causes"].append(of_world(found))
        for name in ("reads", "leaves", "cells", "refused"):
            taken[name].append(len(getattr(found, name)))
    return taken


def shares(chosen: list[types.FunctionType]) -> tuple[Grid, dict[str, Any]]:
    columns: list[list[str]] = []
    data: dict[str, Any] = {}
    labels: list[str] = []
    for case, options in CASES.items():
        taken = looked_at(chosen, options)
        causes = collections.Counter(cause for each in taken["causes"] for cause in each)
        clean = sum(not each for each in taken["causes"])
        figures: dict[str, float] = {"without state of the world, %": 100 * clean / len(chosen)}
        for cause in ("class", "instance", "item", "dynamic", "state", "super", "import", "depth"):
            figures[f"  with it, of cause {cause}, %"] = 100 * causes[cause] / len(chosen)
        for name in ("reads", "leaves", "cells", "refused", "ms"):
            figures[f"{name}, median"] = statistics.median(taken[name])
            figures[f"{name}, 90th percentile"] = statistics.quantiles(taken[name], n=10)[-1]
        data[case] = figures
        labels = list(figures)
        columns.append([f"{value:.3g}" for value in figures.values()])
    lines = {label: [column[index] for column in columns] for index, label in enumerate(labels)}
    return Grid(f"{len(chosen)} functions", "of these functions", list(CASES), lines), data


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="write no JSON")
    parser.add_argument("--samples", type=int, default=31)
    parser.add_argument("--functions", type=int, default=1000)
    options = parser.parse_args(arguments)
    rows = costs(options.samples)
    more: dict[str, Any] = {}
    if options.functions:
        grid, more["shares"] = shares(functions(options.functions))
        print_grid(grid)
    return finish("discover", "Discovery", rows, check=options.check, write=not options.no_write, more=more)


if __name__ == "__main__":
    sys.exit(main())
