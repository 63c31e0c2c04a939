"""`depwatch record`."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from .compare import PROGRAM_LAST

if TYPE_CHECKING:
    from depwatch.compare.record.program import Program


@click.command(context_settings=PROGRAM_LAST)
@click.option(
    "-o", "output", metavar="FILE", type=click.Path(dir_okay=False), default="trace.parquet", show_default=True
)
@click.option("-m", "is_module", is_flag=True, help="Run a module, as `python -m MODULE` does.")
@click.option("--hot-after", metavar="CALLS", type=click.IntRange(1), default=50, show_default=True)
@click.option(
    "--python",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, executable=True),
    help="The interpreter to run it with, if not this one: one of the same version that can import depwatch too.",
)
@click.argument("program", metavar="SCRIPT | MODULE")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def record(
    output: str, is_module: bool, hot_after: int, python: str | None, program: str, arguments: tuple[str, ...]
) -> Callable[[], None]:
    """Run a program and write what happened to everything that its hot functions rely on, for `depwatch replay`.

    The program runs as it would without depwatch, and this command ends as it does: with the same exit status, or
    killed by the same signal. What it does until then is in the trace.
    """
    if find_spec("pyarrow") is None:
        raise click.ClickException("traces need more packages: pip install 'depwatch[compare]'")
    from depwatch.compare.record.program import Program

    recorded = Program(program, is_module, arguments)
    return lambda: _record(recorded, output, hot_after, python)


def _record(program: "Program", output: str, hot_after: int, python: str | None) -> None:
    from depwatch.compare.trace.child import end_as
    from depwatch.compare.trace.supervise import record

    try:
        status = record(program, output, hot_after, python)
    except OSError as error:
        raise SystemExit(f"depwatch record: no trace can be written: {error}") from None
    end_as(status)
