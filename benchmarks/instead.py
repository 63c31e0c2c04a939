"""What a call and a change cost with depwatch, and with what people use instead, for 1, 8 and 64 assumptions.

One program, written in each way as that way's own documentation recommends: a function that was made from the values of
some settings must not run once one of them has changed.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import wrapt

import depwatch
from measure import Grid, Row, Spread, compare, finish, interleave, print_grid

COUNTS = (1, 8, 64)
CALLS, CHANGES = 20_000, 2_000


@dataclass(frozen=True)
class Way:
    """The program in one way: what a caller calls, and what a change is."""

    call: Callable[[], object]
    change: Callable[[int], None]  # sets one setting to this value


def fast() -> float:
    return 1.25


def slow() -> float:
    return 1.5


def settings(count: int) -> ModuleType:
    module = ModuleType("settings")
    module.__dict__.update({f"S{i}": i for i in range(count)})
    return module


def stored(owner: object) -> Callable[[int], None]:
    names: dict[str, Any] = {"owner": owner}
    exec("def change(value): owner.S0 = value", names)
    change: Callable[[int], None] = names["change"]
    return change


def nothing(count: int) -> Way:
    """Tests nothing: wrong after a change."""
    return Way(fast, stored(settings(count)))


def a_function_that_calls(count: int) -> Way:
    """Tests nothing either, but is a wrapper in Python, as most of the others are."""
    return Way(lambda: fast(), stored(settings(count)))


def with_depwatch(count: int) -> Way:
    module = settings(count)
    recorder = depwatch.Recorder("fast", unstable_after=None)
    for name in [*vars(module)]:
        if name.startswith("S"):
            recorder.read(module, name)
    handle = recorder.commit(fast)
    return Way(depwatch.guarded(handle, fast, slow), stored(module))


def comparing(count: int) -> Way:
    """Compares each value with what it was: the guards of torch.compile and of most specialisers."""
    module = settings(count)
    names: dict[str, Any] = {"settings": module, "fast": fast, "slow": slow}
    names.update({f"S{i}": i for i in range(count)})
    tests = " and ".join(f"settings.S{i} is S{i}" for i in range(count))
    exec(f"def call(): return fast() if {tests} else slow()", names)
    return Way(names["call"], stored(module))


class Versioned:
    """Settings behind a method that counts; who stores past it is not seen."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.__dict__.update(values)
        self.version = 0

    def set(self, name: str, value: object) -> None:
        setattr(self, name, value)
        self.version += 1


def version_counter(count: int) -> Way:
    owner = Versioned({f"S{i}": i for i in range(count)})
    seen = owner.version

    def call() -> float:
        return fast() if owner.version == seen else slow()

    return Way(call, lambda value: owner.set("S0", value))


class Hooked:
    """Settings whose __setattr__ drops what was made from them, as the Python data model offers."""

    valid = True

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name != "valid":
            object.__setattr__(self, "valid", False)


def setattr_hook(count: int) -> Way:
    owner = Hooked()
    for i in range(count):
        setattr(owner, f"S{i}", i)
    owner.valid = True

    def call() -> float:
        return fast() if owner.valid else slow()

    return Way(call, stored(owner))


# mypy does not see the types of wrapt's classes and decorators, as they are made at run time: hence the two ignores.
class Proxied(wrapt.ObjectProxy):  # type: ignore[misc, no-any-unimported]
    """A proxy of the settings that hears of stores through it (wrapt: "Proxies and Wrappers", _self_ attributes)."""

    def __init__(self, wrapped: ModuleType) -> None:
        super().__init__(wrapped)
        self._self_valid = True

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_self_"):
            self._self_valid = False


def wrapt_proxy(count: int) -> Way:
    proxy = Proxied(settings(count))

    @wrapt.decorator  # type: ignore[untyped-decorator]  # as above
    def guard(wrapped: Any, instance: object, arguments: Any, named: Any) -> Any:
        return wrapped(*arguments, **named) if proxy._self_valid else slow()

    return Way(guard(fast), stored(proxy))


def polling(count: int) -> Way:
    """A thread compares all values every 10 ms: right up to 10 ms too late."""
    module = settings(count)
    before = dict(vars(module))
    valid = True
    ended = threading.Event()

    def poll() -> None:
        nonlocal valid
        while not ended.wait(0.01):
            now = vars(module)
            valid = all(now.get(name) is value for name, value in before.items())

    threading.Thread(target=poll, daemon=True).start()

    def call() -> float:
        return fast() if valid else slow()

    return Way(call, stored(module))


WAYS: dict[str, tuple[Callable[[int], Way], str]] = {
    "nothing": (nothing, "nothing"),
    "a wrapper that tests nothing": (a_function_that_calls, "nothing"),
    "depwatch": (with_depwatch, "any store, delete or reload, at once; also what is undone"),
    "comparing values": (comparing, "any store, at the next call"),
    "a version counter": (version_counter, "calls of the setter"),
    "a __setattr__ hook": (setattr_hook, "stores into that object, not into its dict or class"),
    "wrapt": (wrapt_proxy, "stores through the proxy"),
    "polling": (polling, "any store, up to 10 ms late"),
}


def ns_a_call(way: Way) -> Callable[[], float]:
    names: dict[str, Any] = {"call": way.call}
    exec(f"def loop():\n  for _ in range({CALLS}): call()", names)
    loop = names["loop"]

    def sample() -> float:
        start = time.thread_time_ns()
        loop()
        return (time.thread_time_ns() - start) / CALLS

    return sample


def ns_a_change(way: Way) -> Callable[[], float]:
    """Two changes in turn, which do and undo one another, and the drains that they cause."""
    change = way.change

    def sample() -> float:
        start = time.thread_time_ns()
        for i in range(CHANGES):
            change(i & 1)
        depwatch.drain()
        return (time.thread_time_ns() - start) / CHANGES

    return sample


def is_right(way: Way) -> bool:
    way.change(7)
    time.sleep(0.1)  # for polling
    return way.call() == slow()


def measured(samples: int) -> tuple[list[Row], Grid]:
    rows: list[Row] = []
    cells: dict[str, list[str]] = {name: [] for name in WAYS}
    for count in COUNTS:
        ways = {name: make(count) for name, (make, _) in WAYS.items()}
        taken = interleave({name: ns_a_call(way) for name, way in ways.items()}, samples)
        for name, ns in taken.items():
            row = compare(f"a call, {count} assumptions: {name}", "ns", ns, taken["nothing"], None, "base: nothing")
            rows.append(row)
            cells[name].append(f"{Spread.of(ns).median:.0f} ns")
    taken = interleave({name: ns_a_change(way) for name, way in ways.items()}, samples)
    for name, ns in taken.items():
        rows.append(compare(f"a change: {name}", "ns", ns, taken["nothing"], None, "base: nothing"))
        cells[name].append(f"{Spread.of(ns).median:.0f} ns")
    for name, (make, sees) in WAYS.items():
        assert is_right(make(1)) == (sees != "nothing"), name
        cells[name].append(sees)
    columns = [f"a call, {count}" for count in COUNTS] + ["a change", "sees"]
    return rows, Grid("Relying on 1, 8 or 64 settings", "way", columns, cells)


IN_README = {
    "nothing": "nothing, and wrong after a change",
    "depwatch": "**depwatch**: `guarded()`",
    "comparing values": "comparing values",
    "a version counter": "a version counter",
    "a __setattr__ hook": "a `__setattr__` hook",
    "wrapt": "a proxy and a decorator of wrapt",
    "polling": "polling by a thread",
}


def table(results: Mapping[str, Any]) -> str:
    """The table of README.md, in Markdown."""
    ns = {row["case"]: f"{row['value']['median']:,.0f}" for row in results["rows"]}
    lines = ["before each call | 1 | 8 | 64 | a change | sees", "---|---:|---:|---:|---:|---"]
    for way, words in IN_README.items():
        calls = [ns[f"a call, {count} assumptions: {way}"] for count in COUNTS]
        lines.append(" | ".join([words, *calls, ns[f"a change: {way}"], WAYS[way][1]]))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench instead", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument("--quick", action="store_true", help="few samples, no JSON")
    options = parser.parse_args()
    rows, grid = measured(3 if options.quick else 31)
    print_grid(grid)
    title = "depwatch, and what people use instead"
    return finish("instead", title, rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
