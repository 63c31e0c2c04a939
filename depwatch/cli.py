"""The command `depwatch`."""

import sys

try:
    import click
except ImportError:
    sys.exit("depwatch compare needs more packages: pip install 'depwatch[compare]'")

from depwatch.commands.compare import compare
from depwatch.commands.record import record
from depwatch.commands.replay import replay
from depwatch.commands.report import report


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="depwatch")
def cli() -> None:
    """Watch what optimized Python code relies on."""


cli.add_command(compare)
cli.add_command(record)
cli.add_command(replay)
cli.add_command(report)


def main() -> None:
    """Each command checks its arguments and returns what to do: that runs when click's frames and handlers are gone."""
    try:
        job = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    if callable(job):
        job()
