"""A replay for people, with rich."""

from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER

from .result import Facet, Outcome, Phase, Replayed, Totals

_WIDTH: Final = 130  # where there is no terminal
_PHASES: Final[dict[Phase, str]] = {"startup": "start-up, the first", "rest": "the rest,"}
_NO_ROOM: Final = {"deopt_calls", "guards", "false_drops", "cold_calls"}
_COLUMNS: Final = {name: title for name, (title, _) in COUNTS.items() if name not in _NO_ROOM}
_TOTALS: Final = Totals.__struct_fields__
_WORST: Final = 10  # facets
_UNITS: Final = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def print_traces(traces: list[Replayed], file: TextIO) -> None:
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=_WIDTH)
    for trace in traces:
        _print_trace(trace, console)


def _print_trace(trace: Replayed, console: Console) -> None:
    console.print()
    ends = "" if trace.complete else ", cut there"
    console.print(f"[bold]{escape(trace.title)}[/]: {trace.seconds:.1f} s{ends}, Python {trace.python}")
    console.print()
    console.print(_totals(trace))
    for hot_after, limit in _variants(trace):
        if (hot_after, limit) != (HOT_AFTER, GIVE_UP_AFTER):
            console.print()
            console.print(f"hot after {hot_after:,} calls, given up after {limit:,} changes:")
        entries = _entries(trace, hot_after, limit)
        for table in (_policies(trace, entries), _costs(entries)):
            console.print()
            console.print(table)
    if any(entry.spread for entry in trace.policies):
        console.print()
        console.print("≈ changes that came too fast to be written one by one are taken to come evenly")
    if trace.facets:
        console.print()
        console.print(_facets(trace.facets[:_WORST]))


def _variants(trace: Replayed) -> list[tuple[int, int]]:
    """The thresholds and limits that there are, first those that were asked for first."""
    pairs = [(entry.hot_after, entry.give_up_after) for entry in trace.policies if entry.give_up_after is not None]
    return list(dict.fromkeys(pairs)) or [(trace.policies[0].hot_after, 0)]


def _entries(trace: Replayed, hot_after: int, limit: int) -> list[Outcome]:
    return [entry for entry in trace.policies if entry.hot_after == hot_after and entry.give_up_after in (None, limit)]


def _totals(trace: Replayed) -> Table:
    table = _table("", *(name.replace("_", " ") for name in _TOTALS))
    for phase in _PHASES:
        table.add_row(_title(trace, phase), *(f"{getattr(trace.totals[phase], name):,}" for name in _TOTALS))
    return table


def _policies(trace: Replayed, entries: list[Outcome]) -> Table:
    table = _table("handles", *_COLUMNS.values(), "calls run cold")
    for phase in _PHASES:
        table.add_row(_title(trace, phase))
        for entry in entries:
            counts = entry.phase(phase)
            numbers = [_number(entry, name, getattr(counts, name)) for name in _COLUMNS]
            cold = f"{_about(entry, 'cold_calls')}{counts.cold_share:.2%}"
            table.add_row(f"  {escape(entry.title)}", *numbers, cold)
    return table


def _costs(entries: list[Outcome]) -> Table:
    """What concerns the whole run."""
    lists = list(entries[0].cost)
    table = _table("in all", "unguarded", "in functions", *(f"cost: {name}" for name in lists))
    for entry in entries:
        left = [f"{number:,}" for number in (entry.unguarded.dependencies, entry.unguarded.functions)]
        table.add_row(f"  {escape(entry.title)}", *left, *(_time(entry.cost[name]) for name in lists))
    return table


def _facets(worst: list[Facet]) -> Table:
    columns = ("changes", "breaks", "restores", "handles hit")
    table = _table("facets that broke most", *columns)
    table.add_column("by", overflow="fold")
    table.add_column("changed at", overflow="fold")
    for row in worst:
        numbers = [f"{getattr(row, name.replace(' ', '_')):,}" for name in columns]
        place = f"{row.file}:{row.line}" if row.file else "outside Python code"
        table.add_row(escape(row.facet), *numbers, escape(row.cause or "–"), escape(place))
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold", min_width=36)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _title(trace: Replayed, phase: Phase) -> str:
    seconds = trace.startup_seconds
    if phase == "rest":
        seconds = trace.seconds - seconds
    return f"[bold]{_PHASES[phase]} {seconds:.1f} s[/]"


def _number(entry: Outcome, name: str, number: int) -> str:
    return f"{_about(entry, name)}{number:,}" if number else "0"


def _about(entry: Outcome, name: str) -> str:
    return "≈" if name in entry.spread else ""


def _time(ns: float) -> str:
    unit, factor = next((pair for pair in _UNITS if ns >= pair[1]), _UNITS[-1])
    return f"{ns / factor:.3g} {unit}"
