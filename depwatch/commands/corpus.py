"""The options of `depwatch compare --corpus`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_DEFAULT = "default"
_FILE = click.Path(path_type=Path)


def corpus_options[F: Callable[..., Any]](command: F) -> F:
    """Add them to a command, which gets them as keywords."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: list[Callable[..., Any]] = [
    click.option(
        "--corpus",
        metavar="[FILE]",
        is_flag=False,
        flag_value=_DEFAULT,
        help="Compare on all programs of a corpus; without FILE: benchmarks/corpus.toml.",
    ),
    click.option("--only", metavar="NAMES", multiple=True, help="Of the corpus: these programs, separated by commas."),
    click.option("--fresh", is_flag=True, help="Of the corpus: do again what was done before."),
    click.option(
        "--directory",
        metavar="DIRECTORY",
        type=click.Path(file_okay=False, path_type=Path),
        help="Of the corpus: where environments and traces go; build/corpus in the checkout if not given.",
    ),
    click.option(
        "--limit", metavar="SECONDS", type=click.FloatRange(1), help="Of the corpus: for a step of a program."
    ),
]


def corpus_job(corpus: str | None, output: str | None, program: str | None, **given: Any) -> Callable[[], None] | None:
    """What to do if --corpus was given. Raises click.UsageError for what does not go together."""
    if corpus is None:
        for name, value in given.items():
            if value:
                raise click.UsageError(f"--{name} is for --corpus only.")
        return None
    if program is not None:
        raise click.UsageError(f"--corpus takes no program, but there is {program!r}; --only NAMES chooses from it.")
    return lambda: _compare(corpus, output, **given)


def _compare(
    corpus: str,
    output: str | None,
    only: tuple[str, ...],
    fresh: bool,
    directory: Path | None,
    limit: float | None,
) -> None:
    from depwatch.compare.corpus.entries import CorpusError
    from depwatch.compare.corpus.run import CORPUS, DIRECTORY, LIMIT, Options, compare_corpus

    options = Options(
        corpus=CORPUS if corpus == _DEFAULT else Path(corpus),
        directory=directory or DIRECTORY,
        output=Path(output) if output is not None else None,
        only=tuple(name for names in only for name in names.split(",") if name),
        fresh=fresh,
        limit=limit or LIMIT,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what has been started must end, too
    try:
        status = compare_corpus(options)
    except CorpusError as error:
        sys.exit(f"depwatch compare: {error}")
    except KeyboardInterrupt:
        print("depwatch compare: interrupted; the same command goes on", file=sys.stderr)
        status = 130
    sys.exit(status)
