"""The command `depwatch`."""

import os
import sys
from typing import TYPE_CHECKING

try:
    import click
except ImportError:
    sys.exit("depwatch compare needs more packages: pip install 'depwatch[compare]'")

if TYPE_CHECKING:
    from depwatch.compare.program import Program

# What the program under observation is: everything after its name belongs to it, options too.
_PROGRAM_LAST = {"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]}


class Job:
    """What a command line asks for; it runs when click's own frames and handlers are gone."""

    def __init__(self, program: "Program | None", output: str | None, hot_after: int) -> None:
        self.program = program
        self.output = output
        self.hot_after = hot_after

    def run(self) -> None:
        if self.program is None:
            from depwatch.compare.defaults import compare_defaults

            sys.exit(compare_defaults(self.output, self.hot_after))
        from depwatch.compare.run import compare

        compare(self.program, self.output, self.hot_after)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="depwatch")
def cli() -> None:
    """Watch what optimized Python code relies on."""


@cli.command(context_settings=_PROGRAM_LAST)
@click.option("-o", "output", metavar="FILE", type=click.Path(dir_okay=False), help="Write the report there, as JSON.")
@click.option("-m", "is_module", is_flag=True, help="Run a module, as `python -m MODULE` does.")
@click.option("--hot-after", metavar="CALLS", type=click.IntRange(1), default=50, show_default=True)
@click.argument("program", metavar="[SCRIPT | MODULE]", required=False)
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def compare(
    output: str | None, is_module: bool, hot_after: int, program: str | None, arguments: tuple[str, ...]
) -> Job:
    """Run a program and compare what each way of invalidating optimized code would have cost it.

    The program runs as it would without depwatch; the table goes to stderr when it has ended. Without a program:
    three programs of the packages that the extra `compare` installs.
    """
    if output is not None and not os.access(os.path.dirname(os.path.abspath(output)), os.W_OK):
        raise click.BadParameter(f"no file can be made at {output!r}", param_hint="-o")
    if program is None:
        if is_module:
            raise click.UsageError("-m needs the name of a module.")
        return Job(None, output, hot_after)
    from depwatch.compare.program import Program

    return Job(Program(program, is_module, arguments), output, hot_after)


def main() -> None:
    try:
        job = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    if isinstance(job, Job):
        job.run()
