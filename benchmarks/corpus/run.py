"""`./dev compare --corpus`: all programs of a corpus, one after the other, with what was done before kept."""

import contextlib
import fcntl
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.process import Limits
from depwatch.compare.replay.run import Options as ReplayOptions

from .entries import Corpus, CorpusError, Entry, load
from .measure import STEPS, StepFailed, measure
from .measured import Measured, fingerprint
from .measured import keep as keep_measured
from .measured import load as load_measured
from .results import Results

LIMIT: Final = 600.0  # seconds of CPU time, for a step of a program
_WALL: Final = 3600.0  # seconds by the clock
_ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = _ROOT / "benchmarks" / "corpus.toml"
DIRECTORY: Final = _ROOT / "build" / "corpus"


@dataclass(frozen=True, slots=True)
class Options:
    corpus: Path = CORPUS
    directory: Path = DIRECTORY  # of environments, traces and what is done
    output: Path | None = None  # None: results/corpus-VERSION.json beside the corpus
    only: tuple[str, ...] = ()  # names of programs; none: all
    runs: int = 1  # of each program
    fresh: bool = False  # forget what was done before
    limit: float = LIMIT
    replay: ReplayOptions = field(default_factory=lambda: ReplayOptions(hot_after=(HOT_AFTER, 10, 500)))


def compare_corpus(options: Options) -> int:
    """Measure the programs that are not done yet and write the results; return the exit status.

    Raises CorpusError if there is nothing to begin with.
    """
    corpus = load(options.corpus)
    wanted = _wanted(corpus, options)
    # Each version has its own, or they would undo each other's work. Two of them at a time would disturb each other.
    directory = options.directory.resolve()
    output = options.output or corpus.path.parent / "results" / f"corpus-{platform.python_version()}.json"
    with _locked(directory):
        return _Run(corpus, options, directory / platform.python_version(), output.resolve()).all(wanted)


def _wanted(corpus: Corpus, options: Options) -> list[Entry]:
    if not options.only:
        return list(corpus.entries)
    names = {entry.name for entry in corpus.entries}
    for name in options.only:
        if name not in names:
            raise CorpusError(f"{corpus.path}: no program is called {name!r}; there are {', '.join(sorted(names))}")
    return [entry for entry in corpus.entries if entry.name in options.only]


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Two runs at a time would take each other's files away, and each other's processors."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = open(directory / "lock", "w", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise CorpusError(f"{directory}: {error.strerror}; name another place with --directory") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CorpusError(f"{directory}: another run is at work there; wait, or use --directory") from None
        yield


class _Run:
    def __init__(self, corpus: Corpus, options: Options, directory: Path, output: Path) -> None:
        self._corpus: Final = corpus
        self._options: Final = options
        self._directory: Final = directory
        self._output: Final = output
        self._results: Final = Results(corpus, options.replay)
        # Of now: a file that changes while we are at work is of the next run.
        self._fingerprints: Final = {entry.name: fingerprint(corpus, entry, options.replay) for entry in corpus.entries}
        self._console: Final = Console(stderr=True, highlight=False)

    def all(self, wanted: list[Entry]) -> int:
        todo = []  # programs, each with the number of a run
        for entry in self._corpus.entries:
            kept = load_measured(self._directory / entry.name, self._fingerprints[entry.name])
            if entry in wanted and self._options.fresh:
                kept = []
            if kept:
                self._results.runs[entry.name] = kept
            if entry in wanted:
                todo += [(entry, number) for number in range(len(kept), self._options.runs)]
        if before := len(wanted) - len({entry.name for entry, _ in todo}):
            self._say(f"{before} of {len(wanted)} programs were done before; --fresh does them again")
        with self._progress() as progress:
            task = progress.add_task("", total=len(todo) * len(STEPS), done=0, runs=len(todo))
            for number, (entry, run) in enumerate(todo):
                if entry.name not in self._results.failed:
                    self._one(entry, run, progress, task, number)
                progress.update(task, done=number + 1, completed=(number + 1) * len(STEPS))
        self._results.write(self._output)
        return self._end(wanted)

    def _one(self, entry: Entry, run: int, progress: Progress, task: TaskID, number: int) -> None:
        directory = self._directory / entry.name
        directory.mkdir(parents=True, exist_ok=True)
        name = entry.name if self._options.runs == 1 else f"{entry.name}, run {run + 1} of {self._options.runs}"

        def begin(step: str) -> None:
            at = number * len(STEPS) + STEPS.index(step)
            progress.update(task, description=f"{name}: {step}", completed=at)

        try:
            limits = Limits(self._options.limit, _WALL)
            measured = measure(self._corpus, entry, directory, self._options.replay, limits, begin)
        except StepFailed as failure:
            self._results.failed[entry.name] = str(failure).replace(str(self._directory), "<corpus>")
            self._say(f"{name}: {failure}")
        else:
            runs = [*self._results.runs.get(entry.name, []), measured]
            keep_measured(directory, runs, self._fingerprints[entry.name])
            self._results.runs[entry.name] = runs
            self._say(_line(name, measured))

    def _end(self, wanted: list[Entry]) -> int:
        self._say(f"{self._output}: {len(self._results.runs)} of {len(self._corpus.entries)} programs")
        for name, why in self._results.failed.items():
            self._say(f"failed: {name}: {why}")
        return 1 if self._results.failed else 0

    def _say(self, line: str) -> None:
        self._console.print(escape(line), soft_wrap=True)

    def _progress(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[runs]} runs"),
            TimeElapsedColumn(),
            TextColumn("ends in"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )


def _line(name: str, measured: Measured) -> str:
    plain, recorded = measured["plain_seconds"], measured["recorded_seconds"]
    size = measured["trace_bytes"] / 1e6
    return f"{name}: {plain:.1f} s plain, {recorded:.1f} s recorded ({recorded / plain:.2f} x), {size:.1f} MB"
