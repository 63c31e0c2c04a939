"""What `depwatch compare` runs when it is not told what: three programs that nobody here wrote, one after the other."""

import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .output import Output
from .process import Ended, Limits, run
from .replay.result import Replayed
from .replay.run import Options, assemble, replay_trace
from .replay.table import print_traces

PACKAGES: Final = ("networkx", "pyperf", "pyperformance", "pytest")  # that have the programs, or run them
LIMITS: Final = Limits(cpu=120.0)  # of each, which takes some ten to thirty seconds of it


@dataclass(frozen=True, slots=True)
class Default:
    title: str
    arguments: tuple[str, ...]  # of `depwatch record`; {benchmarks}: pyperformance's directory of them
    limits: Limits = LIMITS


def _benchmark(name: str, loops: int) -> Default:
    """In pyperf's worker mode a benchmark runs in its own process and starts no other."""
    script = f"{{benchmarks}}/bm_{name}/run_benchmark.py"
    worker = ("--worker", "--loops", str(loops), "--values", "1", "--warmups", "0")
    return Default(f"pyperformance: {name}", (script, *worker))


DEFAULTS: Final = (
    _benchmark("go", 6),  # counts its moves in globals
    _benchmark("deltablue", 150),  # keeps its planner in one
    Default(  # its tests, under pytest, which captures output and warnings around each
        "networkx: tests of its generators and utilities",
        ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "networkx.generators", "networkx.utils"),
    ),
)


def compare_defaults(output: str | None, hot_after: int) -> int:
    """Run them, print a table each, write all to output; return the exit status.

    A program that passes its limits or fails is left out, and a line says so. The status is 0 if one was compared and
    none failed: a slow machine is no failure.
    """
    console = Console(stderr=True)
    options = Options(hot_after=(hot_after,))
    traces: list[Replayed] = []
    status = 0
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(DEFAULTS))
        for default in DEFAULTS:
            progress.update(task, description=default.title)
            found = _run(default, options)
            if isinstance(found, Ended):
                print(f"depwatch compare: {default.title} is left out: {_why(found)}", file=sys.stderr)
                if found.status is not None:
                    status = 1
            else:
                traces.append(found)
                if output != "-":
                    print_traces([found], sys.stdout)  # now: the others take as long again
                    sys.stdout.flush()
            progress.advance(task)
    if not traces:
        return 1
    if output == "-":
        print(assemble(traces, options).text())
    elif output is not None:
        with Output(output) as file:
            file.write(assemble(traces, options).text())
    return status


def _why(ended: Ended) -> str:
    return f"it {ended.how}; the last line that it wrote: {ended.line}"


def _run(default: Default, options: Options) -> Replayed | Ended:
    """Return the replay, or how the program ended if there is nothing to replay."""
    with tempfile.TemporaryDirectory(prefix="depwatch-") as directory:
        path = os.path.join(directory, "trace.parquet")
        work = Path(directory, "work")  # empty: elsewhere, pytest would find somebody's conftest.py
        work.mkdir()
        arguments = [argument.format(benchmarks=_benchmarks()) for argument in default.arguments]
        command = [sys.executable, "-m", "depwatch", "record", "-o", path, "--hot-after", str(options.hot_after[0])]
        log = Path(directory, "log")
        ended = run([*command, *arguments], work, dict(os.environ), log, default.limits)
        if ended.status != 0:
            return ended
        return replace(replay_trace(path, options), title=default.title)


def _benchmarks() -> str:
    spec = importlib.util.find_spec("pyperformance")
    assert spec is not None and spec.origin is not None
    return os.path.join(os.path.dirname(spec.origin), "data-files", "benchmarks")
