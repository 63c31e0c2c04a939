"""One process of `./dev bench peers`: SYSTEM DEPENDENTS SAMPLES; prints as JSON what each write took."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

from arming import ARMING, Plain
from worlds import WRITES, World, nothing


def timed(arming: type[Plain], kind: str, dependents: int) -> list[dict[str, Any]]:
    """Each write of this kind once, the first one since all dependents ran."""
    taken = []
    worlds = None
    for name, write in WRITES[kind].items():
        if worlds is None or not arming.lasts:
            worlds = arming(World(kind, dependents)), arming(World(kind, 1))
        taken.append(timed_write(name, write, *worlds))
    return taken


def timed_write(name: str, write: Callable[[World], int], world: Plain, twin: Plain) -> dict[str, Any]:
    world.arm()
    armed = world.holding()
    if world.world.kind != "builtin":
        # So that the code of the write and of what it calls is in the caches: to a world of one dependent. There
        # is one builtins only, and CPython's JIT gives up after three changes of it.
        twin.arm()
        for _ in range(3):
            write(twin.world)
    idle = min(nothing(world.world) for _ in range(5))
    ns = write(world.world) - idle
    return {"write": name, "ns": ns, "nothing": idle, "armed": armed, "left": world.holding()}


def main() -> None:
    arming, dependents, samples = ARMING[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    gc.disable()  # of thousands of new functions: would fall into some writes and not into others
    taken = []
    for i in range(samples):
        for kind in WRITES:
            if kind in arming.kinds and (kind != "builtin" or i == 0):
                taken += timed(arming, kind, dependents)
                gc.collect()
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
