"""`depwatch compare`."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from .corpus import corpus_job, corpus_options

# What the program under observation is: everything after its name belongs to it, options too.
PROGRAM_LAST = {"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]}


@click.command(context_settings=PROGRAM_LAST)
@click.option("-o", "output", metavar="FILE", type=click.Path(dir_okay=False), help="Write the report there, as JSON.")
@click.option("-m", "is_module", is_flag=True, help="Run a module, as `python -m MODULE` does.")
@click.option("--hot-after", metavar="CALLS", type=click.IntRange(1), default=50, show_default=True)
@corpus_options
@click.argument("program", metavar="[SCRIPT | MODULE]", required=False)
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def compare(
    output: str | None,
    is_module: bool,
    hot_after: int,
    program: str | None,
    arguments: tuple[str, ...],
    **corpus: Any,
) -> Callable[[], None]:
    """Run a program and compare what each way of invalidating optimized code would have cost it.

    The program runs as it would without depwatch; the table goes to stderr when it has ended. Without a program:
    three programs of the packages that the extra `compare` installs; with --corpus: all programs of a corpus.
    """
    if output is not None and not os.access(os.path.dirname(os.path.abspath(output)), os.W_OK):
        raise click.BadParameter(f"no file can be made at {output!r}", param_hint="-o")
    if job := corpus_job(output=output, program=program, **corpus):
        return job
    if program is None:
        if is_module:
            raise click.UsageError("-m needs the name of a module.")
        return lambda: _compare_defaults(output, hot_after)
    return lambda: _compare(program, is_module, arguments, output, hot_after)


def _compare_defaults(output: str | None, hot_after: int) -> None:
    from depwatch.compare.defaults import compare_defaults

    sys.exit(compare_defaults(output, hot_after))


def _compare(program: str, is_module: bool, arguments: tuple[str, ...], output: str | None, hot_after: int) -> None:
    from depwatch.compare.comparison import compare
    from depwatch.compare.record.program import Program
    from depwatch.compare.trace.child import end_as

    try:
        status = compare(Program(program, is_module, arguments), output, hot_after)
    except OSError as error:
        raise SystemExit(f"depwatch compare: {output or 'the trace'}: cannot be written: {error}") from None
    end_as(status)
