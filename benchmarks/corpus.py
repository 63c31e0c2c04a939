"""Forty real programs, each recorded and replayed; `./dev compare --corpus` is this, too."""

import argparse
import signal
import sys
from pathlib import Path

from corpus.entries import CorpusError  # the package beside this file, which Python prefers to the file
from corpus.run import CORPUS, DIRECTORY, LIMIT, Options, compare_corpus


def main() -> None:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what has been started must end, too
    options = Options(
        corpus=arguments.corpus,
        directory=arguments.directory,
        output=arguments.output,
        only=tuple(name for names in arguments.only for name in names.split(",") if name),
        fresh=arguments.fresh,
        limit=arguments.limit,
    )
    try:
        status = compare_corpus(options)
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
    return parser.parse_args()


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
