"""Which real uses of functools.cache and lru_cache are accepted, in the standard library and in packages."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import inspect
import io
import pkgutil
import random
import signal
import sys
import types
import warnings

import depwatch
from measure import Grid, print_grid

WRAPPER = type(functools.cache(len))
PACKAGES = "matplotlib numpy networkx numba jedi IPython setuptools pytest"
SECONDS = 0.5  # of CPU time, for one function: what takes longer counts as refused
SKIPPED = ("idlelib", "test", "turtledemo", "antigravity", "this", "__main__", "lib2to3")


def modules(packages: list[str]) -> list[str]:
    names = [name for name in sorted(sys.stdlib_module_names) if name not in SKIPPED]
    for package in packages:
        with contextlib.suppress(Exception):
            found = importlib.import_module(package)
            names += [each.name for each in pkgutil.walk_packages(found.__path__, package + ".", lambda name: None)]
    return [name for name in names if not any(part in ("tests", "testing", "__main__") for part in name.split("."))]


def uses(packages: list[str]) -> list[types.FunctionType]:
    """The functions under each functools.cache and lru_cache that importing the standard library and these packages
    makes: 500 of them by chance, where there are more."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for name in modules(packages):
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
    wrapped = [each.__wrapped__ for each in gc.get_objects() if type(each) is WRAPPER]
    functions = {f"{f.__module__}.{f.__qualname__}": f for f in wrapped if type(f) is types.FunctionType}
    own = [f for name, f in sorted(functions.items()) if not name.startswith("depwatch")]
    return own if len(own) <= 500 else random.Random(0).sample(own, 500)


def judged(function: types.FunctionType, kind: type | None) -> depwatch.Found | None:
    """What the cache would judge; None where that takes long. Unlike the cache it does not look for code that
    assigns the variables of a closure, as that takes a look at the whole heap."""
    count = len(inspect.signature(function).parameters)
    with contextlib.suppress(TimeoutError):
        # Again and again, where something swallows the exception.
        signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS / 10)
        try:
            found = depwatch.discover(function, argument_types=() if kind is None else (kind,) * count)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return found
    signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def out_of_time(*_: object) -> None:
    raise TimeoutError


def accepted(found: depwatch.Found | None, trusted: tuple[str, ...] = ()) -> bool:
    if found is None or found.refused:
        return False
    return not any(each.kind == "world" and each.cause not in trusted for each in found.opaque)


def verdicts(function: types.FunctionType) -> tuple[bool, bool, bool]:
    """Called with plain data; with any arguments; with plain data, and classes of values taken on trust."""
    plain = judged(function, int)
    return accepted(plain), accepted(judged(function, None)), accepted(plain, ("class",))


def shares(given: list[tuple[bool, bool, bool]]) -> list[str]:
    return [f"{sum(each)} ({100 * sum(each) / len(given):.0f} %)" for each in zip(*given, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench clients_uses", description=__doc__)
    parser.add_argument("package", nargs="*", default=PACKAGES.split(), help="import names (default: some)")
    functions = uses(parser.parse_args().package)
    gc.freeze()  # a collection that looks at all that was imported takes longer than what is measured
    signal.signal(signal.SIGPROF, out_of_time)
    found = {function: verdicts(function) for function in functions}
    library = [each for each in functions if each.__module__.partition(".")[0] in sys.stdlib_module_names]
    packages = [each for each in functions if each not in library]
    lines = {
        f"{len(each)} of {name}": shares([found[function] for function in each])
        for name, each in (("the standard library", library), ("packages", packages), ("both", functions))
    }
    columns = ["called with plain data", "with arguments of any class", "plain data, and classes taken on trust"]
    print_grid(Grid("Uses of functools.cache and lru_cache that are accepted", "uses", columns, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
