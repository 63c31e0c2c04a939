"""`depwatch record`."""

from collections.abc import Callable
from importlib.util import find_spec

import click

from .compare import PROGRAM_LAST


@click.command(context_settings=PROGRAM_LAST)
@click.option(
    "-o", "output", metavar="FILE", type=click.Path(dir_okay=False), default="trace.parquet", show_default=True
)
@click.option("-m", "is_module", is_flag=True, help="Run a module, as `python -m MODULE` does.")
@click.option("--hot-after", metavar="CALLS", type=click.IntRange(1), default=50, show_default=True)
@click.argument("program", metavar="SCRIPT | MODULE")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def record(
    output: str, is_module: bool, hot_after: int, program: str, arguments: tuple[str, ...]
) -> Callable[[], None]:
    """Run a program and write what happened to everything that its hot functions rely on, for `depwatch replay`.

    The program runs as it would without depwatch, and this command ends as it does: with the same exit status, or
    killed by the same signal. What it does until then is in the trace.
    """
    if find_spec("pyarrow") is None:
        raise click.ClickException("traces need more packages: pip install 'depwatch[compare]'")
    return lambda: _record(program, is_module, arguments, output, hot_after)


def _record(program: str, is_module: bool, arguments: tuple[str, ...], output: str, hot_after: int) -> None:
    from depwatch.compare.record.program import Program
    from depwatch.compare.trace.child import end_as
    from depwatch.compare.trace.supervise import record

    try:
        status = record(Program(program, is_module, arguments), output, hot_after)
    except OSError as error:
        raise SystemExit(f"depwatch record: no trace can be written: {error}") from None
    end_as(status)
