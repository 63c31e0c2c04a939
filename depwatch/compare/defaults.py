"""What `depwatch compare` runs when it is not told what: three programs that nobody here wrote, one after the other."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .replay.run import Options, Replayed, assemble, replay_trace
from .replay.table import print_traces

TIME_LIMIT: Final = 60.0  # seconds, for all of them
_EXTRA: Final = "pip install 'depwatch[compare]'"


@dataclass(frozen=True, slots=True)
class Default:
    title: str
    packages: tuple[str, ...]  # that must be importable
    arguments: tuple[str, ...]  # of `depwatch record`; {benchmarks}: pyperformance's directory of them


def _benchmark(name: str, loops: int) -> Default:
    """In pyperf's worker mode a benchmark runs in its own process and starts no other."""
    script = f"{{benchmarks}}/bm_{name}/run_benchmark.py"
    worker = ("--worker", "--loops", str(loops), "--values", "1", "--warmups", "0")
    return Default(f"pyperformance: {name}", ("pyperformance", "pyperf"), (script, *worker))


DEFAULTS: Final = (
    _benchmark("go", 6),  # counts its moves in globals
    _benchmark("deltablue", 150),  # keeps its planner in one
    Default(  # its tests, under pytest, which captures output and warnings around each
        "networkx: tests of its generators and utilities",
        ("networkx", "pytest"),
        ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "networkx.generators", "networkx.utils"),
    ),
)


def compare_defaults(output: str | None, hot_after: int) -> int:
    """Run them, print a table each, write all to output; return the exit status."""
    needed = {package for default in DEFAULTS for package in default.packages}
    if missing := sorted(package for package in needed if importlib.util.find_spec(package) is None):
        print(f"depwatch compare without a program needs {', '.join(missing)}: {_EXTRA}", file=sys.stderr)
        return 1
    console = Console(stderr=True)
    options = Options(hot_after=(hot_after,))
    traces: list[Replayed] = []
    deadline = time.monotonic() + TIME_LIMIT
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(DEFAULTS))
        for default in DEFAULTS:
            progress.update(task, description=default.title)
            trace = _run(default, options, deadline - time.monotonic())
            if isinstance(trace, str):
                progress.stop()
                print(f"depwatch compare: {default.title}: {trace}", file=sys.stderr)
                return 1
            traces.append(trace)
            print_traces([trace], sys.stderr)  # now: the others take as long again
            progress.advance(task)
    if output is not None:
        Path(output).write_text(json.dumps(assemble(traces, options), indent=1) + "\n", encoding="utf-8")
    return 0


def _run(default: Default, options: Options, seconds: float) -> Replayed | str:
    """Return the replay, or what went wrong."""
    with tempfile.TemporaryDirectory(prefix="depwatch-") as directory:
        path = os.path.join(directory, "trace.parquet")
        arguments = [argument.format(benchmarks=_benchmarks()) for argument in default.arguments]
        command = [sys.executable, "-m", "depwatch", "record", "-o", path, "--hot-after", str(options.hot_after[0])]
        try:
            done = subprocess.run(
                [*command, *arguments],
                cwd=directory,  # where pytest would find somebody's conftest.py
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=max(1.0, seconds),
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {TIME_LIMIT:.0f} s of all"
        if done.returncode or not os.path.exists(path):
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[0]
            return f"ended with status {done.returncode}: {last}"
        return replay_trace(path, options) | {"title": default.title}


def _benchmarks() -> str:
    spec = importlib.util.find_spec("pyperformance")
    assert spec is not None and spec.origin is not None
    return os.path.join(os.path.dirname(spec.origin), "data-files", "benchmarks")
