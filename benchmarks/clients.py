"""What the caches and compilers that use depwatch cost: hits and calls, changes, undone changes; against plain ones."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from depwatch.integrations.functools import cache
from measure import HERE, Row, compare, finish, interleave

HITS = 2_000  # in one sample
PROGRAM = """
RATE, BASE = 2, 1
class Tax:
    percent = 10
def helper(x): return x * cfg.RATE
def price(x): return helper(x) + BASE + Tax.percent
def decorate(function):
    def call(*args, **kwargs): return function(*args, **kwargs)
    return call
decorated_helper = decorate(helper)
def decorated(x): return decorated_helper(x) + BASE
def hits(cached, n):
    for _ in range(n): cached(3)
"""


def program() -> dict[str, Any]:
    cfg: Any = types.ModuleType("cfg")
    cfg.RATE = 2
    names: dict[str, Any] = {"__name__": "program", "cfg": cfg}
    exec(PROGRAM, names)
    return names


def ns_a_hit(names: dict[str, Any], cached: Callable[[int], Any]) -> Callable[[], float]:
    cached(3)
    loop = names["hits"]

    def sample() -> float:
        start = time.thread_time_ns()
        loop(cached, HITS)
        return (time.thread_time_ns() - start) / HITS

    return sample


def us(once: Callable[[], object], times: int = 1) -> Callable[[], float]:
    def sample() -> float:
        start = time.thread_time_ns()
        for _ in range(times):
            once()
        return (time.thread_time_ns() - start) / 1e3 / times

    return sample


def hits(samples: int) -> list[Row]:
    """Each variant has a program of its own: CPython specialises a loop for what it calls."""
    plain, watched, cells, around = program(), program(), program(), program()
    theirs = functools.cache(around["price"])
    taken = interleave(
        {
            "plain": ns_a_hit(plain, functools.cache(plain["price"])),
            "watched": ns_a_hit(watched, cache(watched["price"])),
            "cells": ns_a_hit(cells, cache(cells["decorated"])),
            "Python": ns_a_hit(around, lambda x: theirs(x)),
        },
        samples,
    )
    base = "base: functools.cache"
    return [
        compare("cache: a hit", "ns", taken["watched"], taken["plain"], 1.4, base),
        compare("  through a Python function that tests nothing", "ns", taken["Python"], taken["plain"], None, base),
        compare("  of a function with a decorated callee", "ns", taken["cells"], taken["plain"], None, base),
    ]


def misses(samples: int) -> list[Row]:
    names = program()
    numbers: Iterator[int] = itertools.count()
    watched, plain = cache(names["price"]), functools.cache(names["price"])
    watched(-1)
    taken = interleave(
        {"watched": us(lambda: watched(next(numbers)), 200), "plain": us(lambda: plain(next(numbers)), 200)}, samples
    )
    base = "base: functools.cache"
    return [compare("cache: a call that computes", "µs", taken["watched"], taken["plain"], None, base)]


def changes(samples: int) -> list[Row]:
    names = program()
    cfg, numbers = names["cfg"], itertools.count(3)
    watched, plain = cache(names["price"]), functools.cache(names["price"])

    def change() -> None:
        cfg.RATE = next(numbers)
        watched(3)

    def by_hand() -> None:
        cfg.RATE = next(numbers)
        plain.cache_clear()
        plain(3)

    def undone() -> None:
        before = cfg.RATE
        cfg.RATE = next(numbers)
        cfg.RATE = before
        watched(3)

    def undone_plain() -> None:
        before = cfg.RATE
        cfg.RATE = next(numbers)
        cfg.RATE = before
        plain(3)

    undone()
    taken = interleave({"change": us(change), "by hand": us(by_hand)}, samples)
    note = "base: cache_clear() by hand"
    changed = compare("cache: a change and the next call", "µs", taken["change"], taken["by hand"], None, note)
    watched(3), plain(3)
    taken = interleave({"undone": us(undone, 50), "plain": us(undone_plain, 50)}, samples)
    note = "base: functools.cache, which sees no change"
    return [changed, compare("cache: an undone change and a hit", "µs", taken["undone"], taken["plain"], None, note)]


def others(quick: bool) -> list[Row]:
    """The rows of clients that have a file of their own, and of those that need what is not installed everywhere."""
    rows: list[Row] = []
    for name, needs in (("clients_pytest", "pytest"), ("clients_jax", "jax")):
        if (HERE / f"{name}.py").exists():
            if importlib.util.find_spec(needs) is None:
                print(f"{needs} is not installed: its rows are left out")
            else:
                rows += importlib.import_module(name).rows(quick)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench clients", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument(
        "--quick", action="store_true", help="few samples, no JSON: shows that it works, not what it costs"
    )
    options = parser.parse_args()
    samples = 5 if options.quick else 101
    rows = hits(samples) + misses(samples) + changes(samples) + others(options.quick)
    return finish("clients", "What the clients of depwatch cost", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
