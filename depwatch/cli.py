"""The command `depwatch`."""

from argparse import ArgumentParser

from depwatch import __version__
from depwatch.commands import compare, numba, record, replay, report


def main() -> None:
    parser = ArgumentParser("depwatch", description="Watch what optimized Python code relies on.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"depwatch {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (compare, numba, record, replay, report):
        command.add(commands)
    arguments, unknown = parser.parse_known_args()
    if unknown:
        arguments.parser.error(f"unknown arguments: {' '.join(unknown)}")
    arguments.run(arguments)
