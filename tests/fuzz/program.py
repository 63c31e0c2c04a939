"""Programs: bytes, four for each step, and the machine that runs them."""

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import depwatch
from depwatch import _core
from fuzz import keys, routes_dict, routes_function, routes_module, routes_optimizer, routes_type, values
from fuzz.checks import check
from fuzz.compiling import Optimizer
from fuzz.routes import ROUTES, Route
from fuzz.targets import Attribute, FunctionPart, Global, ModuleAttribute
from fuzz.values import MISSING
from fuzz.world import NAMES, World

ROOMS = (routes_dict, routes_type, routes_function, routes_module, routes_optimizer)  # imported for their routes
STEP = 4  # bytes
MAX_DRAINS = 100  # in a row: what listeners change is settled by the next one

# Byte 0 of a step -> its route; 0 is no step at all, which is what shrinking turns steps into.
_WEIGHTED = [route for route in ROUTES for _ in range(route.weight)]
TABLE: list[Route | None] = [None, *(_WEIGHTED[(number * 7919) % len(_WEIGHTED)] for number in range(255))]
assert len(_WEIGHTED) <= 255 and set(filter(None, TABLE)) == set(ROUTES), "a route that no byte means"


class Machine:
    """One program's run: the world, what is compiled in it, and the counts."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        self.world = World()
        self.optimizer = Optimizer(self.world, self.count)
        self.budget = 0  # changes that listeners may still make in this step

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def run(self, program: bytes) -> None:
        try:
            for start in range(0, len(program) - STEP + 1, STEP):
                number, x, y, z = program[start : start + STEP]
                route = TABLE[number]
                if route is None:
                    continue
                self.step(route, x, y, z)
            self.drain()
        finally:
            self.optimizer.close()
            self.world.close()

    def step(self, route: Route, x: int, y: int, z: int) -> None:
        world = self.world
        world.step += 1
        world.transient = route.transient
        self.budget = 2
        conservative = _core.counters()["conservative_breaks"]
        needless = self.counts["fired needlessly"]
        route.change(self, x, y, z)
        self.counts["steps"] += 1
        for_drain = route.name == "drain"  # has checked already
        if not for_drain:
            world.step += 1  # what the route has looked at may have changed since
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
        for _ in range(MAX_DRAINS):
            depwatch.drain()
            if not _core.unsettled():
                break
        else:
            raise AssertionError(f"not settled after {MAX_DRAINS} drains")
        keys.Loud.meddle = None  # plain Python's own look-ups must change nothing
        self.world.step += 1
        check(self.optimizer, drained=True)

    @contextlib.contextmanager
    def meddling(self, number: int) -> Iterator[None]:
        """Sometimes: the next comparison of a key that runs Python changes something."""
        if number % 8 == 0:
            keys.Loud.meddle = lambda: self.meddle(number)
            self.world.transient = True
        try:
            yield
        finally:
            keys.Loud.meddle = None

    def meddle(self, number: int) -> None:
        self.world.spaces[0 if number & 16 else 3].dict[NAMES[(number >> 5) % 4]] = values.Value()  # type: ignore[index]
        if number & 64:
            setattr(self.world.classes[number % 6].item, NAMES[number % 4], values.Value())

    # --- routes that need the optimizer -----------------------------------------------------------------------------

    def restore(self, x: int, y: int) -> None:
        assumed = [each for piece in self.optimizer.pieces for each in piece.assumptions]
        if not assumed:
            return
        assumption = assumed[(x + 256 * y) % len(assumed)]
        target = assumption.target
        value = values.value_of(assumption.key) if type(target) in (Global, ModuleAttribute, Attribute, FunctionPart) else MISSING
        if value is MISSING or target.now(self.world.step) is values.GONE:
            return
        if type(target) is Global and target.space.dict is not None:
            shadows = target.name in target.space.dict and values.same(target.space.fallback.get(target.name), assumption.key)
            if shadows:
                del target.space.dict[target.name]
            else:
                target.space.dict[target.name] = value
        elif type(target) is ModuleAttribute and target.space.dict is not None:
            target.space.dict[target.name] = value
        elif type(target) is Attribute:
            setattr(target.box.item, target.name, value)
        elif type(target) is FunctionPart:
            setattr(target.box.item, f"__{target.part}__", value)

    def listen(self, x: int, y: int, z: int) -> None:
        """Listen to a name of a namespace or of a class; every second listener changes another one when it is told."""
        owner = self.world.space(x).dict if x & 128 else self.world.classes[x % 6].item
        other = self.world.spaces[3 if x & 1 else 0]

        def told(event: depwatch.Event) -> None:
            self.count("told")
            if y & 64 and self.budget > 0 and other.dict is not None:
                self.budget -= 1
                other.dict[NAMES[z % 4]] = self.world.value(z)

        try:
            subscription = depwatch.subscribe(told, owner, NAMES[y % 4])
        except depwatch.Unwatchable:
            self.count("refused")
        else:
            self.world.closers.append(subscription.cancel)


def run(program: bytes, counts: Counter[str]) -> None:
    """Run one program; raise if depwatch is wrong at any step. The error has the steps as a note."""
    try:
        Machine(counts).run(program)
    except Exception as error:
        error.add_note(render(program))
        raise
    finally:
        gc.collect()
        depwatch.drain()


def render(program: bytes) -> str:
    """The steps in words, and the program as --program takes it."""
    lines = []
    for start in range(0, len(program) - STEP + 1, STEP):
        number, x, y, z = program[start : start + STEP]
        if (route := TABLE[number]) is not None:
            lines.append(f"  {len(lines) + 1:3} {route.name} ({x}, {y}, {z})")
    steps = bytes(
        byte
        for start in range(0, len(program) - STEP + 1, STEP)
        if program[start]
        for byte in program[start : start + STEP]
    )
    return "\n".join(["the program's steps:", *lines, f"again: ./dev fuzz --program {steps.hex()}"])
