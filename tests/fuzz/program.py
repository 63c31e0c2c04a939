"""Programs: bytes, four for each step, and the machine that runs them."""

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator

import depwatch
from depwatch import _core
from fuzz import (
    keys,
    routes_capi,
    routes_code,
    routes_dict,
    routes_function,
    routes_lazy,
    routes_module,
    routes_mro,
    routes_optimizer,
    routes_type,
    values,
)
from fuzz.checks import check
from fuzz.compiling import Optimizer
from fuzz.entries import Entries
from fuzz.routes import ROUTES, Route
from fuzz.world import NAMES, World
from fuzz.wrong import Wrong

ROOMS = (
    routes_dict,
    routes_code,
    routes_capi,
    routes_type,
    routes_mro,
    routes_function,
    routes_module,
    routes_lazy,
    routes_optimizer,
)  # imported for their routes
STEP = 4  # bytes
MAX_DRAINS = 100  # in a row: what listeners change is settled by the next one

# Byte 0 of a step -> its route; 0 is no step at all, which is what shrinking turns steps into.
_WEIGHTED = [route for route in ROUTES for _ in range(route.weight)]
TABLE: list[Route | None] = [None, *(_WEIGHTED[(number * 7919) % len(_WEIGHTED)] for number in range(255))]
assert len(_WEIGHTED) <= 255 and set(filter(None, TABLE)) == set(ROUTES), "a route that no byte means"


type Watch = Callable[[Machine, Route, int, int, int], object]  # called after each step


def steps_of(program: bytes) -> Iterator[tuple[Route, int, int, int]]:
    for start in range(0, len(program) - STEP + 1, STEP):
        number, x, y, z = program[start : start + STEP]
        route = TABLE[number]
        if route is not None:
            yield route, x, y, z


def settle() -> None:
    for _ in range(MAX_DRAINS):
        depwatch.drain()
        if not _core.unsettled():
            return
    raise Wrong(f"not settled after {MAX_DRAINS} drains")


class Machine:
    """One program's run: the world, what is compiled in it, and the counts."""

    def __init__(self, counts: Counter[str], watch: Watch | None = None) -> None:
        self.counts = counts
        self.watch = watch
        self.world = World()
        self.optimizer = Optimizer(self.world, self.count)
        self.entries = Entries(self.optimizer)
        self.budget = 0  # changes that listeners may still make in this step

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def run(self, program: bytes) -> None:
        try:
            for route, *numbers in steps_of(program):
                self.step(route, *numbers)
                if self.watch is not None:
                    self.watch(self, route, *numbers)
            self.drain()
        finally:
            self.entries.close()
            self.optimizer.close()
            self.world.close()

    def step(self, route: Route, x: int, y: int, z: int) -> None:
        world = self.world
        world.step += 1
        world.transient = route.transient
        self.budget = 2
        conservative = _core.counters()["conservative_breaks"]
        needless = self.counts["fired needlessly"]
        values.may_act = True
        try:
            route.change(self, x, y, z)
        finally:
            values.may_act = False
        self.counts["steps"] += 1
        self.counts[f"route: {route.name}"] += 1
        for_drain = route.name == "drain"  # has checked already
        if not for_drain:
            world.step += 1  # what the route has looked at may have changed since
            self.entries.check(drained=False)
            check(self.optimizer, drained=False)
        if self.counts["fired needlessly"] != needless:
            self.counts[f"needless: {route.name}"] += 1
            assert _core.counters()["conservative_breaks"] > conservative or self.retired_whole(), (
                f"{route.name} fired needlessly and nothing counted it"
            )

    def retired_whole(self) -> bool:
        """Whole objects and keyword defaults retire; those are no breaks."""
        return any(piece.byte == 255 for piece in self.optimizer.pieces)

    def drain(self) -> None:
        settle()
        keys.Odd.meddle = None  # plain Python's own look-ups must change nothing
        self.world.step += 1
        self.entries.check(drained=True)
        check(self.optimizer, drained=True)

    @contextlib.contextmanager
    def meddling(self, number: int) -> Iterator[None]:
        """Sometimes: the next comparison of a key that runs Python changes something."""
        if number % 8 == 0:
            keys.Odd.meddle = lambda: self.meddle(number)
            self.world.transient = True
        try:
            yield
        finally:
            keys.Odd.meddle = None

    def meddle(self, number: int) -> None:
        self.world.spaces[0 if number & 16 else 3].dict[NAMES[(number >> 5) % 4]] = values.Value()
        if number & 64:
            setattr(self.world.classes[number % 8].item, NAMES[number % 4], values.Value())


def run(program: bytes, counts: Counter[str], watch: Watch | None = None) -> None:
    """Run one program; raise if depwatch is wrong at any step. The error has the steps as a note."""
    try:
        try:
            Machine(counts, watch).run(program)
        finally:
            gc.collect()
        settle()
    except Exception as error:  # only to say which program it was
        error.add_note(render(program))
        raise


def shortest(program: bytes) -> bytes:
    """Without what is no step."""
    return b"".join(program[start : start + STEP] for start in range(0, len(program), STEP) if program[start])


def render(program: bytes) -> str:
    """The steps in words, and the program as --program takes it."""
    lines = [f"  {number:3} {route.name} {rest}" for number, (route, *rest) in enumerate(steps_of(program), 1)]
    return "\n".join(["the program's steps:", *lines, f"again: ./dev fuzz --program {shortest(program).hex()}"])
