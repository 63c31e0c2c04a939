"""Sixty real programs, each recorded and replayed; `./dev compare --corpus` is this, too."""

import argparse
import signal
import sys
from pathlib import Path

from corpus.entries import CorpusError  # the package beside this file, which Python prefers to the file
from corpus.full import RUNS, compare_all
from corpus.run import CORPUS, DIRECTORY, LIMIT, Options, compare_corpus
from corpus.verdict import write

MOST_RUNS = 99


def main() -> None:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what has been started must end, too
    options = Options(
        corpus=arguments.corpus,
        directory=arguments.directory,
        output=arguments.output,
        only=tuple(name for names in arguments.only for name in names.split(",") if name),
        runs=arguments.runs,
        fresh=arguments.fresh,
        limit=arguments.limit,
    )
    try:
        if arguments.page is not None:
            write(arguments.page, arguments.corpus.parent / "results")
            return
        status = compare_all(options, arguments.python) if arguments.full else compare_corpus(options)
    except CorpusError as error:
        sys.exit(f"corpus: {error}")
    except KeyboardInterrupt:
        print("corpus: interrupted; the same command goes on", file=sys.stderr)
        status = 130
    sys.exit(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "./dev compare", description="Record and replay all programs of a corpus.", allow_abbrev=False
    )
    add = parser.add_argument
    add(
        "--corpus",
        metavar="FILE",
        type=Path,
        nargs="?",
        default=CORPUS,
        const=CORPUS,
        help="its programs, as TOML (default: benchmarks/corpus.toml)",
    )
    add(
        "-o",
        dest="output",
        metavar="FILE",
        type=Path,
        help="where to write the results, as JSON (default: results/corpus-VERSION.json beside the corpus)",
    )
    add("--only", metavar="NAMES", action="append", default=[], help="these programs, separated by commas")
    add("--runs", metavar="N", type=_runs, default=1, help="how often each program is run (default: %(default)s)")
    often = ", ".join(f"{minor}: {runs}" for minor, runs in RUNS.items())
    add("--full", action="store_true", help=f"with each version of CPython, so many runs of each program: {often}")
    add("--python", metavar="PATH", action="append", default=[], help="with --full: an interpreter that is to be used")
    add("--page", metavar="FILE", type=Path, help="run nothing: write the tables of the results there into this page")
    add("--fresh", action="store_true", help="do again what was done before")
    add(
        "--directory",
        metavar="DIRECTORY",
        type=Path,
        default=DIRECTORY,
        help="where environments and traces go (default: build/corpus in the checkout)",
    )
    add(
        "--limit",
        metavar="SECONDS",
        type=_seconds,
        default=LIMIT,
        help="of CPU time, for a step of a program (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.full and (arguments.output or arguments.runs != 1):
        parser.error("--full has runs and results of its own for each version: leave --runs and -o away")
    if arguments.python and not arguments.full:
        parser.error("--python goes with --full; for one version set PYTHON and DEPWATCH_VENV, as ./dev help says")
    return arguments


def _runs(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_RUNS):
        raise argparse.ArgumentTypeError(f"{value!r} is no number of runs from 1 to {MOST_RUNS}")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not seconds >= 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of seconds of at least 1")
    return seconds


if __name__ == "__main__":
    main()
