"""Installs, runs, records and replays one program, once."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from depwatch.compare.process import Ended, Limits, run
from depwatch.compare.replay.run import Options

from .entries import Corpus, Entry
from .environment import Environment
from .measured import Measured
from .units import units

STEPS: Final = ("installing", "running", "recording", "replaying")
TRACE: Final = "trace.parquet"


class StepFailed(Exception):
    """A program that cannot be measured: which step failed, and the last line of what it wrote."""

    def __init__(self, step: str, ended: Ended) -> None:
        super().__init__(f"{step} {ended.how}: {ended.line}")


def measure(
    corpus: Corpus,
    entry: Entry,
    directory: Path,
    options: Options,
    limits: Limits,
    begin: Callable[[str], None],
    under: tuple[list[str], dict[str, str]] = ([], {}),
) -> Measured:
    """Take entry through all STEPS in directory, each within limits; begin is told of each.

    options are of the replay. under: what comes before the plain run's command, and more variables for it. Raises
    StepFailed, and CorpusError if environments cannot be made.
    """
    environment = Environment(corpus, entry, directory)
    begin("installing")
    if not environment.is_ready:
        failed = environment.make()
        if failed is not None:
            raise StepFailed("installing", failed)
    command = environment.command()
    trace = directory / TRACE
    replay = directory / "replay.json"
    for old in (trace, replay):
        with contextlib.suppress(FileNotFoundError):
            old.unlink()

    def step(name: str, words: list[str], more: dict[str, str] | None = None) -> Ended:
        begin(name)
        environment_variables = variables(directory) | (more or {})
        ended = run(words, directory / "work", environment_variables, directory / f"{name}.log", limits)
        if ended.status != 0:
            raise StepFailed(name, ended)
        return ended

    depwatch = [sys.executable, "-m", "depwatch"]
    plain = step("running", [*under[0], environment.python, *command], under[1])
    recorded = step("recording", [*depwatch, "record", "--python", environment.python, "-o", str(trace), *command])
    step("replaying", [*depwatch, "replay", str(trace), "-o", str(replay), *_options(options)])
    (found,) = json.loads(replay.read_text(encoding="utf-8"))["traces"]
    return {
        **found,
        "plain_seconds": round(plain.seconds, 3),
        "plain_cpu_seconds": round(plain.cpu_seconds, 3),
        "recorded_seconds": round(recorded.seconds, 3),
        "recorded_cpu_seconds": round(recorded.cpu_seconds, 3),
        "trace_bytes": trace.stat().st_size,
        "units": units(trace),
    }


def _options(options: Options) -> list[str]:
    """As `depwatch replay` takes them."""
    thresholds, limits = (",".join(map(str, numbers)) for numbers in (options.hot_after, options.give_up_after))
    return ["--hot-after", thresholds, "--give-up", limits, "--policies", ",".join(options.policies), "--check"]


def variables(directory: Path) -> dict[str, str]:
    """The same for every run and machine; home, temporary and working directory are new and empty."""
    places = {name: directory / name for name in ("home", "temporary", "work")}
    for place in places.values():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(place)
        place.mkdir(parents=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "COLUMNS": "100",
        "GIT_CEILING_DIRECTORIES": str(directory),  # for git, it does not lie in our checkout
    }
