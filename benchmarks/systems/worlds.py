"""What is written to, with any number of functions that depend on it; each write is timed alone."""

from __future__ import annotations

import builtins
import types
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

PROBE = "depwatch_probe"  # a builtin of ours: replacing a real one would break what the benchmark itself calls

# A loop, as CPython's JIT compiles loops. What is depended on in it: all that the function does.
BODIES = {"namespace": "X", "class": "o.m()", "function": "f()", "builtin": f"{PROBE}()"}


class World:
    """A module, a class with a base, a function and a builtin, of which the dependents use one."""

    def __init__(self, kind: str, dependents: int) -> None:
        self.kind = kind
        self.module = types.ModuleType("world")
        self.base: Any = type("B", (), {"other": 0})
        self.cls: Any = type("C", (self.base,), {"other": 0})
        self.arguments: tuple[Any, ...] = (self.cls(),) if kind == "class" else ()
        # A builtin's dependents are in a module each: a cell or facet for each of those is the worst case.
        self.spaces = [self.module.__dict__]
        if kind == "builtin":
            self.spaces = [types.ModuleType("world").__dict__ for _ in range(dependents)]
        for space in self.spaces:
            space["__builtins__"] = builtins.__dict__
        self.dependents: list[Callable[..., None]] = [
            self.dependent(self.spaces[i % len(self.spaces)]) for i in range(dependents)
        ]
        # What they call is made after them: CPython 3.14 inlines it only if it is one of the last 4096 or so functions.
        self.cls.m = lambda self: 1
        self.function: Any = new_function()
        vars(self.module).update(X=object(), Y=object(), W=None, f=self.function)
        if kind == "builtin":
            setattr(builtins, PROBE, new_function())

    def dependent(self, space: dict[str, Any]) -> Callable[..., None]:
        parameters = "n, o" if self.arguments else "n"
        # Compiled anew: each dependent has a code object of its own, as functions of a program have.
        exec(f"def use({parameters}):\n for _ in range(n): {BODIES[self.kind]}", space)
        use: Callable[..., None] = space.pop("use")
        return use


def new_function() -> Any:
    """One with a code object of its own: some optimizers keep what they know by code."""
    return eval("lambda: 1", {})


def nothing(world: World) -> int:
    start = perf_counter_ns()
    return perf_counter_ns() - start


def write_global(world: World) -> int:
    module: Any = world.module
    value = object()
    start = perf_counter_ns()
    module.X = value
    return perf_counter_ns() - start


def write_unrelated_global(world: World) -> int:
    module: Any = world.module
    value = object()
    start = perf_counter_ns()
    module.Y = value
    return perf_counter_ns() - start


def add_unrelated_global(world: World) -> int:
    module: Any = world.module
    module.__dict__.pop("Z", None)
    value = object()
    start = perf_counter_ns()
    module.Z = value
    return perf_counter_ns() - start


def delete_unrelated_global(world: World) -> int:
    module: Any = world.module
    module.__dict__.setdefault("W", None)
    start = perf_counter_ns()
    del module.W
    return perf_counter_ns() - start


def write_method(world: World) -> int:
    cls, value = world.cls, lambda self: 2
    start = perf_counter_ns()
    cls.m = value
    return perf_counter_ns() - start


def write_unrelated_attribute(world: World) -> int:
    cls, value = world.cls, object()
    start = perf_counter_ns()
    cls.other = value
    return perf_counter_ns() - start


def write_unrelated_attribute_of_base(world: World) -> int:
    base, value = world.base, object()
    start = perf_counter_ns()
    base.other = value
    return perf_counter_ns() - start


def write_code(world: World) -> int:
    function, code = world.function, new_function().__code__
    start = perf_counter_ns()
    function.__code__ = code
    return perf_counter_ns() - start


def write_builtin(world: World) -> int:
    module: Any = builtins
    value = new_function()
    start = perf_counter_ns()
    module.depwatch_probe = value
    return perf_counter_ns() - start


# By kind of world, in this order: name, then what it does; whether what it changes is depended on is in the name.
WRITES: dict[str, dict[str, Callable[[World], int]]] = {
    "namespace": {
        "M.X = v": write_global,
        "M.Y = v, unrelated": write_unrelated_global,
        "M.Z added, unrelated": add_unrelated_global,
        "M.W deleted, unrelated": delete_unrelated_global,
    },
    "class": {
        "C.method = f": write_method,
        "C.other = v, unrelated": write_unrelated_attribute,
        "B.other = v, unrelated, of a base": write_unrelated_attribute_of_base,
    },
    "function": {"f.__code__ = c": write_code},
    "builtin": {"builtins.f = v": write_builtin},
}
