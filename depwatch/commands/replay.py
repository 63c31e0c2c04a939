"""`depwatch replay`."""

import io
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Final

from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER

from .arguments import Commands, add_command, add_json, file
from .extras import need

MOST: Final = (1 << 31) - 1  # of a threshold or a limit
MOST_NUMBERS: Final = 1_000


def add(commands: Commands) -> None:
    parser = add_command(
        commands,
        "replay",
        _replay,
        "decide what each way of invalidating optimized code would have cost recorded programs",
        "The tables go to stdout.",
    )
    add = parser.add_argument
    add(
        "-o",
        dest="output",
        metavar="FILE",
        type=file,
        help="write all results there, as JSON; -: to stdout, in place of the tables",
    )
    add_json(parser, "the same as -o -")
    add(
        "--hot-after",
        metavar="CALLS,...",
        type=_numbers(10),
        default=str(HOT_AFTER),
        help="calls that make a function hot, and that it takes to compile it again (default: %(default)s)",
    )
    add(
        "--give-up",
        dest="limits",
        metavar="CHANGES,...",
        type=_numbers(1),
        default=str(GIVE_UP_AFTER),
        help="changes after which a policy with a cap gives up; 1-100: each of these (default: %(default)s)",
    )
    add("--policies", metavar="NAME,...", help="only these (default: all)")
    add("--prices", metavar="FILE", help="lists of prices, as TOML (default: those that depwatch has)")
    add(
        "--perfetto",
        metavar="FILE",
        type=file,
        help="write there what becomes of each function over time, for https://ui.perfetto.dev or chrome://tracing: "
        "under healing, or under the first of --policies",
    )
    add("--check", action="store_true", help="check first that the traces keep the rules of their format")
    add("--resume", action="store_true", help="go on after an interruption; with -o")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster whose workers see the same files (default: replay with all processors of this machine)",
    )
    add("traces", metavar="TRACES", nargs="+", help="files that `depwatch record` wrote, or folders of them")


def _numbers(least: int) -> Callable[[str], tuple[int, ...]]:
    """10,50,500 or 1-100; each once."""

    def numbers(value: str) -> tuple[int, ...]:
        found: list[int] = []
        for part in value.split(","):
            first, dash, last = part.partition("-")
            try:
                low, high = int(first), int(last if dash else first)
            except ValueError:
                raise ArgumentTypeError(f"{part!r} is no number: write 6, or 1,6,20, or 1-100") from None
            if not least <= low <= high <= MOST:
                raise ArgumentTypeError(f"{part!r} is not within {least} to {MOST}, ascending")
            if len(found) + high - low >= MOST_NUMBERS:
                raise ArgumentTypeError(f"{value!r} are more than {MOST_NUMBERS:,} numbers")
            found += range(low, high + 1)
        return tuple(dict.fromkeys(found))

    return numbers


def _replay(arguments: Namespace) -> None:
    need("replay", "compare", "msgspec", "numpy", "pyarrow", "rich")
    if arguments.scheduler is not None:
        need("replay --scheduler", "dask", "distributed")
    if arguments.json:
        arguments.output = "-"
    if arguments.output in (None, "-") and arguments.resume:
        arguments.parser.error("--resume needs -o FILE")
    from depwatch.compare.replay.command import replay_all
    from depwatch.compare.replay.lineup import NAMED
    from depwatch.compare.replay.prices import PriceError, load_prices
    from depwatch.compare.replay.run import Options
    from depwatch.compare.trace.folder import TraceError

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the tables have signs that not every encoding has
    policies = tuple(dict.fromkeys(arguments.policies.split(","))) if arguments.policies is not None else tuple(NAMED)
    for name in policies:
        if name not in NAMED:
            arguments.parser.error(f"there is no policy {name!r}; there are {', '.join(NAMED)}")
    try:
        options = Options(
            hot_after=arguments.hot_after,
            give_up_after=arguments.limits,
            policies=policies,
            prices=load_prices(arguments.prices),
        )
        replay_all(
            arguments.traces,
            options,
            arguments.output,
            arguments.check,
            arguments.resume,
            arguments.scheduler,
        )
        if arguments.perfetto is not None:
            from depwatch.compare.replay.perfetto import export

            export(
                arguments.traces, options, "healing" if arguments.policies is None else policies[0], arguments.perfetto
            )
    except (TraceError, PriceError) as error:
        raise SystemExit(f"depwatch replay: {error}") from None
    except OSError as error:
        raise SystemExit(
            f"depwatch replay: {arguments.output or arguments.traces[0]}: {error.strerror or error}"
        ) from None
