"""`depwatch replay`."""

from collections.abc import Callable
from importlib.util import find_spec

import click

MOST = (1 << 31) - 1  # of a threshold or a limit
MOST_NUMBERS = 1_000


type _Callback = Callable[[click.Context, click.Parameter, str], tuple[int, ...]]


def _numbers(least: int) -> _Callback:
    """10,50,500 or 1-100; each once."""

    def numbers(_: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
        found: list[int] = []
        for part in value.split(","):
            first, dash, last = part.partition("-")
            try:
                low, high = int(first), int(last if dash else first)
            except ValueError:
                raise click.BadParameter(f"{part!r} is no number: write 6, or 1,6,20, or 1-100", param=param) from None
            if not least <= low <= high <= MOST:
                raise click.BadParameter(f"{part!r} is not within {least} to {MOST}, ascending", param=param)
            if len(found) + high - low >= MOST_NUMBERS:
                raise click.BadParameter(f"{value!r} are more than {MOST_NUMBERS:,} numbers", param=param)
            found += range(low, high + 1)
        return tuple(dict.fromkeys(found))

    return numbers


def _names(_: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    from depwatch.compare.replay.lineup import NAMED

    for name in value.split(","):
        if name not in NAMED:
            raise click.BadParameter(f"there is no policy {name!r}; there are {', '.join(NAMED)}", param=param)
    return tuple(dict.fromkeys(value.split(",")))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "output", metavar="FILE", type=click.Path(dir_okay=False), help="Write all results there, as JSON.")
@click.option("--hot-after", metavar="CALLS,...", callback=_numbers(10), default="50", show_default=True)
@click.option("--give-up", "limits", metavar="CHANGES,...", callback=_numbers(1), default="6", show_default=True)
@click.option("--policies", metavar="NAME,...", callback=_names, help="Only these.")
@click.option("--prices", "prices", metavar="FILE", type=click.Path(dir_okay=False), help="Lists of prices, as TOML.")
@click.option("--sweep", "with_sweep", is_flag=True, help="Where each two policies break even; with -o.")
@click.option("--check", "checks", is_flag=True, help="Check that the traces keep the rules of their format first.")
@click.option("--resume", is_flag=True, help="Go on after an interruption; with -o.")
@click.option("--engine", type=click.Choice(["duckdb", "dask"]), default="duckdb", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster; without it, dask makes one on this machine.")
@click.argument("traces", metavar="TRACES...", nargs=-1, required=True)
def replay(
    output: str | None,
    hot_after: tuple[int, ...],
    limits: tuple[int, ...],
    policies: tuple[str, ...] | None,
    prices: str | None,
    with_sweep: bool,
    checks: bool,
    resume: bool,
    engine: str,
    scheduler: str | None,
    traces: tuple[str, ...],
) -> Callable[[], None]:
    """Decide what each way of invalidating optimized code would have cost recorded programs.

    TRACES are files that `depwatch record` wrote, or folders of them. The tables go to stderr.
    """
    for module, extra in (("pyarrow", "compare"), *((("distributed", "fleet"),) if engine == "dask" else ())):
        if find_spec(module) is None:
            raise click.ClickException(f"this needs more packages: pip install 'depwatch[{extra}]'")
    if (resume or with_sweep) and output is None:
        raise click.UsageError(f"{'--resume' if resume else '--sweep'} needs -o FILE.")
    if scheduler is not None and engine != "dask":
        raise click.UsageError("--scheduler needs --engine dask.")

    def run() -> None:
        from depwatch.compare.replay.fleet import replay_all
        from depwatch.compare.replay.prices import PriceError, load_prices
        from depwatch.compare.replay.run import Options
        from depwatch.compare.trace.reader import TraceError

        try:
            chosen = {} if policies is None else {"policies": policies}
            options = Options(hot_after=hot_after, give_up_after=limits, prices=load_prices(prices), **chosen)
            replay_all(traces, options, output, with_sweep, checks, resume, engine, scheduler)
        except (TraceError, PriceError) as error:
            raise SystemExit(f"depwatch replay: {error}") from None
        except OSError as error:
            raise SystemExit(f"depwatch replay: {output or traces[0]}: {error.strerror or error}") from None

    return run
