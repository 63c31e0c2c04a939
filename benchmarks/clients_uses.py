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
SECONDS = 1.0  # of CPU time, for one function
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


def accepted(function: types.FunctionType, kind: type | None, trusted: tuple[str, ...] = ()) -> bool:
    """As the cache judges it, with two differences: what takes long to look into counts as refused, and it does not
    look for code that assigns the variables of a closure, as that takes a look at the whole heap."""
    count = len(inspect.signature(function).parameters)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS / 10)  # again, where something swallows the exception
    try:
        found = depwatch.discover(function, argument_types=() if kind is None else (kind,) * count)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return not found.refused and not any(e.kind == "world" and e.cause not in trusted for e in found.opaque)


def out_of_time(*_: object) -> None:
    raise TimeoutError


def share(functions: list[types.FunctionType], kind: type | None, trusted: tuple[str, ...] = ()) -> str:
    good = sum(accepted(each, kind, trusted) for each in functions)
    return f"{good} ({100 * good / max(1, len(functions)):.0f} %)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench clients_uses", description=__doc__)
    parser.add_argument("package", nargs="*", default=PACKAGES.split(), help="import names (default: some)")
    functions = uses(parser.parse_args().package)
    gc.freeze()  # a collection that looks at all that was imported takes longer than what is measured
    signal.signal(signal.SIGPROF, out_of_time)
    library = [each for each in functions if each.__module__.partition(".")[0] in sys.stdlib_module_names]
    packages = [each for each in functions if each not in library]
    lines = {
        f"{len(each)} of {name}": [share(each, int), share(each, None), share(each, int, ("class",))]
        for name, each in (("the standard library", library), ("packages", packages), ("both", functions))
    }
    columns = ["called with plain data", "with arguments of any class", "plain data, and classes taken on trust"]
    print_grid(Grid("Uses of functools.cache and lru_cache that are accepted", "uses", columns, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
