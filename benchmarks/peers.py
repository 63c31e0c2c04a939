"""CinderX and CPython's JIT beside depwatch: what writes cost with many dependents, and who runs stale code."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import depwatch
from measure import Grid, Row, Spread, compare, figure, finish, interleave, print_grid

SYSTEMS = Path(__file__).parent / "systems"
sys.path.append(str(SYSTEMS))  # its modules find each other in the environments of the peers as well

from arming import Depwatch  # noqa: E402
from worlds import WRITES, World, nothing, write_unrelated_attribute  # noqa: E402
from wrong import PROGRAMS, RIGHT  # noqa: E402

from systems.found import System, find_systems  # noqa: E402

MANY = 10_000
# How many dependents; samples in a process; processes of each system.
SIZES = {1: (9, 3), 10: (9, 3), 100: (5, 3), 1000: (2, 3), MANY: (1, 2)}
METHOD = {
    "a write": "the first one since all dependents ran; each to a world of its own, but for CinderX, which keeps what "
    "it has compiled; of a builtin: one in each process",
    "ns": "of reading the clock before and after it, less the same around nothing",
    "plain, ratio": "the interpreter of the same version alone, in which the same functions have run",
    "armed, dropped": "the fewest dependents that ran optimized code before, the most that lost it; null: not told",
    "load": "processes that wanted a CPU in the last 1, 5 and 15 minutes, before the run: they share the caches",
    "hot": "CPython 3.15 is told to trace loops after 64 iterations, not 4096",
}
QUICK = {1: (1, 1), 10: (1, 1)}
KINDS = {name: kind for kind, writes in WRITES.items() for name in writes}
Taken = dict[tuple[str, str, int], list[dict[str, Any]]]  # by write, system and dependents


def take(systems: list[System], sizes: Mapping[int, tuple[int, int]]) -> Taken:
    """Each system in a process of its own, in turn, beginning with another one each round."""
    from rich.progress import Progress

    taken: Taken = defaultdict(list)
    rounds = max(processes for _, processes in sizes.values())
    with Progress(transient=True) as progress:
        task = progress.add_task("", total=len(systems) * sum(processes for _, processes in sizes.values()))
        for i in range(rounds):
            for dependents, (samples, processes) in sizes.items():
                for system in systems[i % len(systems) :] + systems[: i % len(systems)]:
                    if i < processes:
                        progress.update(task, description=f"{system.name}: {dependents:,} dependents")
                        for sample in take_one(system, dependents, samples):
                            taken[sample["write"], system.name, dependents].append(sample)
                        progress.advance(task)
    return taken


def take_one(system: System, dependents: int, samples: int) -> list[dict[str, Any]]:
    done = system.run("writes.py", system.arming, str(dependents), str(samples))
    if done.returncode != 0:
        sys.exit(f"peers: {system.name} with {dependents} dependents ended with {done.returncode}:\n{done.stderr}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def results(taken: Taken, systems: list[System]) -> list[dict[str, Any]]:
    """For the JSON: medians and spread in ns, and the ratio to the plain interpreter of the same version."""
    plain = {system.version: system.name for system in systems if system.arming == "plain"}
    versions = {system.name: system.version for system in systems}
    found = []
    for (write, system, dependents), samples in taken.items():
        ns = Spread.of([sample["ns"] for sample in samples])
        base = Spread.of([sample["ns"] for sample in taken[write, plain[versions[system]], dependents]])
        told = [sample for sample in samples if sample["armed"] is not None]
        found.append(
            {"write": write, "kind": KINDS[write], "system": system, "dependents": dependents, "samples": len(samples)}
            | {"median": ns.median, "p10": ns.p10, "p90": ns.p90, "plain": base.median}
            | {"ratio": round(ns.median / max(base.median, 1), 3)}
            # Both null where the system does not tell.
            | {"armed": min((sample["armed"] for sample in told), default=None)}
            | {"dropped": max((sample["armed"] - sample["left"] for sample in told), default=None)}
        )
    return found


def price_of_nothing(taken: Taken, systems: list[System]) -> list[Row]:
    rows = []
    for system in systems:
        idle = [sample["nothing"] for (_, name, _), found in taken.items() if name == system.name for sample in found]
        rows.append(Row(f"the price of nothing, the clock read twice: {system.name}", "ns", Spread.of(idle)))
    return rows


def unrelated_attribute(samples: int) -> list[Row]:
    """Both classes in one process, so that the caches are as warm for many dependents as they are for one."""
    samplers, kept = {}, []
    for variant, dependents in (("one", 1), ("many", MANY)):
        world = Depwatch(World("class", dependents))
        world.arm()
        samplers[variant] = attribute_writer(world.world)
        kept.append(world)
    taken = interleave(samplers, samples)
    assert all(world.holding() == len(world.world.dependents) for world in kept)
    case = f"depwatch: C.other = v, unrelated, {MANY:,} dependents"
    return [compare(case, "ns", taken["many"], taken["one"], 1.2, note="base: 1 dependent")]


def attribute_writer(world: World) -> Any:
    """A sampler: each write comes after a look-up, or the class would have no version tag left to lose."""
    use = world.dependents[0]

    def sample() -> float:
        ns = 0
        for _ in range(20):  # fewer than 1000 in all: a class gets no more version tags than that
            use(1, *world.arguments)
            ns += write_unrelated_attribute(world) - nothing(world)
        depwatch.drain()
        return ns / 20

    return sample


def answers(systems: list[System]) -> dict[str, dict[str, str]]:
    """What each system says in each program: its answers, or how its process ended."""
    return {program: {s.name: answer(s, program) for s in systems if s.arming in ASKED} for program in PROGRAMS}


ASKED = ("plain", "cinderx", "jit", "depwatch")  # cells are not what the value of an attribute is built on here


def answer(system: System, program: str) -> str:
    try:
        done = system.run("wrong.py", system.arming, program)
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode < 0:
        return f"crashes ({signal.Signals(-done.returncode).name})"
    if done.returncode > 0:
        return f"fails ({(done.stderr.strip().splitlines() or ['no message'])[-1]})"
    return done.stdout.strip()


def write_grid(found: list[dict[str, Any]], systems: list[System], sizes: Mapping[int, Any]) -> Grid:
    cells = {(one["write"], one["system"], one["dependents"]): one for one in found}
    lines = {}
    for write in KINDS:
        for system in systems:
            row = [one for dependents in sizes if (one := cells.get((write, system.name, dependents)))]
            if row:
                lines[f"{write}: {system.name}"] = [*map(cell_text, row), share_text(row[-1])]
    return Grid(
        "Writes: ns each (× the plain interpreter of the same version), the first since all dependents ran",
        "",
        [*(f"{dependents:,}" for dependents in sizes), "dropped"],
        lines,
        "columns: dependents; medians; dropped: of the most dependents, where the system tells.\n"
        "Running 10,000 functions empties caches: the plain interpreter's line shows what of it is that.",
    )


def cell_text(one: dict[str, Any]) -> str:
    return f"{figure(one['median'])} ({figure(one['ratio'])})"


def share_text(one: dict[str, Any]) -> str:
    match one["dropped"]:
        case None:
            return ""
        case 0:
            return "none"
        case dropped:
            return "all" if dropped >= one["armed"] else "some"


def answer_grid(said: dict[str, dict[str, str]]) -> Grid:
    names = list(next(iter(said.values())))
    lines = {program: [RIGHT, *(by[name] for name in names)] for program, by in said.items()}
    caption = "what a hot loop answers before a change, in a short call after it, in two hot ones"
    return Grid("Stale code: what is right, and what each system answers", "", ["right", *names], lines, caption)


def wrong_rows(said: dict[str, dict[str, str]], systems: list[System]) -> list[Row]:
    rows = []
    for system in systems:
        if system.arming in ASKED:
            wrong = sum(by[system.name] != RIGHT for by in said.values())
            bound = 0 if system.arming in ("plain", "depwatch") else None
            case = f"stale or crashing, of {len(said)} programs: {system.name}"
            rows.append(Row(case, "", Spread.of([wrong]), bound=bound))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument("--quick", action="store_true", help="few dependents and samples: shows that it works")
    parser.add_argument(
        "--python",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="another CPython 3.14 or 3.15",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where the JSON goes, if not benchmarks/results")
    options = parser.parse_args()
    systems, missing = find_systems(options.python)
    if not systems:
        print(f"peers: skipped, as there is nobody to compare with: {'; '.join(missing)}")
        return 0
    for sentence in missing:
        print(f"peers: left out: {sentence}")
    start, load = time.monotonic(), [round(processes, 1) for processes in os.getloadavg()]
    sizes = QUICK if options.quick else SIZES
    taken = take(systems, sizes)
    said = answers(systems)
    found = results(taken, systems)
    rows = [
        *price_of_nothing(taken, systems),
        *unrelated_attribute(5 if options.quick else 41),
        *wrong_rows(said, systems),
    ]
    more = {
        "systems": [system.described() for system in systems],
        "left_out": missing,
        "seconds": round(time.monotonic() - start),
        "method": METHOD,
        "load": load,
        "writes": found,
        "answers": {program: {"right": RIGHT} | by for program, by in said.items()},
    }
    folder = {} if options.output is None else {"folder": options.output}
    write = not options.quick or options.output is not None
    status = finish("peers", "The peers, live", rows, check=options.check, write=write, more=more, **folder)
    print_grid(write_grid(found, systems, sizes))
    print_grid(answer_grid(said))
    return status


if __name__ == "__main__":
    sys.exit(main())
