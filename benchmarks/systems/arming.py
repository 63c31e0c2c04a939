"""How each system comes to depend on a world, and does so again after a write: arm() before each one."""

from __future__ import annotations

import sys
from array import array
from typing import Any

from worlds import PROBE, WRITES, World


class Plain:
    """The interpreter alone. The dependents run, as they do under every system: caches are as warm as there."""

    lasts = False  # whether a world is used for one write after another, rather than a new one for each
    kinds = frozenset(WRITES)  # the worlds that it can depend on

    def __init__(self, world: World) -> None:
        self.world = world

    def arm(self) -> None:
        for use in self.world.dependents:
            use(2, *self.world.arguments)

    def holding(self) -> int | None:
        """How many dependents run optimized code now; None if the system does not tell."""
        return None


class CinderX(Plain):
    """Functions compiled by hand; running them fills the inline caches again."""

    lasts = True  # compiling is slow, and only f.__code__, of which there is one write, is not undone by running

    def __init__(self, world: World) -> None:
        import cinderx.jit as jit

        super().__init__(world)
        if world.kind == "builtin":
            self.arm()
        for use in world.dependents:
            if not jit.force_compile(use):
                raise RuntimeError(f"CinderX does not compile a function of the {world.kind} world")


class Jit(Plain):
    """Loops made hot. Executors that do not run between two cold sweeps vanish, so all run every now and then."""

    # 3.14 traces a loop at its 4096th iteration; 3.15 is told to do so sooner, by the environment in found.py.
    HOT = 4110 if sys.version_info < (3, 15) else 300
    CHUNK = 500  # 3.15 sweeps after 1000 new executors, 3.14 after 100,000 runs of any

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.offset: int | None = None  # of the loop in the bytecode: the same in all dependents

    def arm(self) -> None:
        dependents, arguments = self.world.dependents, self.world.arguments
        for i in range(0, len(dependents), self.CHUNK):
            for use in dependents[i : i + self.CHUNK]:
                use(self.HOT, *arguments)
            for use in dependents[:i]:
                use(2, *arguments)

    def holding(self) -> int | None:
        if self.offset is None:
            self.offset = self.find_offset()
        return sum(self.has_executor(use, self.offset) for use in self.world.dependents)

    def find_offset(self) -> int | None:
        code = self.world.dependents[0].__code__
        found = (i for i in range(0, len(code.co_code), 2) if self.has_executor(self.world.dependents[0], i))
        return next(found, None)

    def has_executor(self, use: Any, offset: int | None) -> bool:
        import _opcode

        if offset is None:
            return False
        try:
            return bool(_opcode.get_executor(use.__code__, offset).is_valid())
        except (ValueError, AttributeError):  # no executor there
            return False


class Depwatch(Plain):
    """A handle for each dependent, whose code has the value that was read compiled in."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.handles: Any = None

    def arm(self) -> None:
        import depwatch

        super().arm()
        self.handles = self.commit(depwatch.Recorder("use"))
        depwatch.drain()

    def commit(self, recorder: Any) -> Any:
        ends = [self.read(recorder, use.__globals__) for use in self.world.dependents[: len(self.world.spaces)]]
        n = len(self.world.dependents)
        first = [0, *ends]
        reads, offsets = array("I"), array("Q", [0])
        for i in range(n):
            space = i % len(self.world.spaces)
            reads.extend(range(first[space], ends[space]))
            offsets.append(len(reads))
        return recorder.commit_many(offsets, reads)

    def read(self, recorder: Any, space: dict[str, Any]) -> int:
        """What one dependent assumes; how many facets were read so far."""
        match self.world.kind:
            case "namespace":
                recorder.read_global(space, "X")
            case "class":
                recorder.read_type_attr(self.world.cls, "m")
            case "function":
                recorder.read_global(space, "f")
                recorder.read_function(self.world.function, "code")
            case "builtin":
                recorder.read_global(space, PROBE)
        return int(recorder.reads)

    def holding(self) -> int | None:
        return sum(handle.valid for handle in self.handles)


class DepwatchCells(Depwatch):
    """The same with value cells instead of values: nothing is invalidated. A function's code has no cell."""

    kinds = frozenset({"namespace", "class", "builtin"})

    def commit(self, recorder: Any) -> Any:
        match self.world.kind:
            case "namespace":
                recorder.value_cell(self.world.module, "X", "object")
            case "class":
                recorder.value_cell(self.world.cls, "m", "object")
            case "builtin":
                for use in self.world.dependents:
                    recorder.value_cell(use, PROBE, "object")
        n = len(self.world.dependents)
        return recorder.commit_many(array("Q", [0] * (n + 1)), array("I"))


ARMING: dict[str, type[Plain]] = {
    "plain": Plain,
    "cinderx": CinderX,
    "jit": Jit,
    "depwatch": Depwatch,
    "depwatch cells": DepwatchCells,
}
