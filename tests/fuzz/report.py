"""What is shown of a campaign: the progress, the counts, and one line to quote."""

import platform
import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from fuzz.process import Result
from fuzz.program import Machine, render
from fuzz.routes import Route
from fuzz.world import World

MAX_NEEDLESS = 0.01  # of firings


def needless(counts: Counter[str]) -> float:
    """The share of firings that no change of what the code relied on justifies."""
    return counts["fired needlessly"] / counts["fired"] if counts["fired"] else 0.0


class Bar:
    """Steps done, steps a second, firings. It draws only when it is told to: no thread, as processes are forked."""

    def __init__(self, console: Console, steps: int) -> None:
        self._progress = Progress(
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
            BarColumn(),
            TextColumn(
                "{task.fields[rate]:,.0f} steps/s, {task.fields[fired]:,} fired, {task.fields[needless]:.2%} needless"
            ),
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("", total=steps, rate=0.0, fired=0, needless=0.0)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, counts: Counter[str]) -> None:
        elapsed = self._progress.tasks[0].elapsed or 1.0
        self._progress.update(
            self._task,
            completed=counts["steps"],
            rate=counts["steps"] / elapsed,
            fired=counts["fired"],
            needless=needless(counts),
        )
        self._progress.refresh()


def table(counts: Counter[str]) -> Table:
    made = Table("what", "how often")
    made.columns[1].justify = "right"
    for what, number in sorted(counts.items()):
        if not what.startswith("route: "):
            made.add_row(what, f"{number:,}")
    return made


def interpreter() -> str:
    jit: Any = getattr(sys, "_jit", None)
    kinds = ["debug"] if hasattr(sys, "gettotalrefcount") else []
    kinds += ["JIT"] if jit is not None and jit.is_enabled() else []
    return f"CPython {platform.python_version()}{f' ({", ".join(kinds)})' if kinds else ''}"


def trouble(found: Result, shrunk: Result) -> str:
    """What is wrong, with the program's steps and how to run it again."""
    lines = [f"\nin the chunk of seed {found.seed}: {shrunk.trouble}", render(shrunk.program)]
    if shrunk is found:
        lines.append("alone, that program may do nothing wrong: then it takes what ran before it in the chunk")
    lines.append(f"the whole chunk again: ./dev fuzz --seed {found.seed} --steps 1")
    return "\n".join(lines)


def span(results: list[Result]) -> str:
    seeds = [result.seed for result in results if result.seed is not None]
    return f"seeds {min(seeds)}..{max(seeds)}" if seeds else "no seed"


def line_of_threads(counts: Counter[str], results: list[Result]) -> str:
    """One line to quote."""
    wrong = sum(bool(result.kind) for result in results)
    found = f"something wrong in {wrong} round" if wrong else "nothing wrong"
    return f"{interpreter()}: {counts['steps']:,} deeds of threads, {span(results)}, {found}"


def line(counts: Counter[str], seeds: list[int], wrong: int) -> str:
    """One line to quote."""
    found = f"something wrong in {wrong} chunk" if wrong else "stale 0"
    span = f"seeds {min(seeds)}..{max(seeds)}" if seeds else "no seed"
    return (
        f"{interpreter()}: {counts['steps']:,} steps, {span}, {found}, fired {counts['fired']:,}, "
        f"needless {needless(counts):.2%}"
    )


class Narrator:
    """Tells each step of one program, and the state of every handle after it."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, machine: Machine, route: Route, x: int, y: int, z: int) -> None:
        self._number += 1
        print(f"{self._number:3} {route.name} {x, y, z}", flush=True)
        world: World = machine.world
        for piece in machine.optimizer.pieces:
            print(f"      {piece.handle}", flush=True)
            for each in piece.distinct:
                print(f"        {'holds' if each.holds(world.step) else 'broken'}: {each.target}", flush=True)
            for use in piece.cells:
                told = use.cell.holds if use.kind in ("guard", "label") else use.cell.value
                print(f"        {use.kind} cell of {use.target}: {told}", flush=True)
