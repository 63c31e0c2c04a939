"""The report for people, with rich: imported when the program is over."""

from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .counted import Report
from .lineup import NAMES, TITLES

_WIDTH: Final = 120  # where there is no terminal
_PHASES: Final = {"startup": "start-up, the first", "rest": "the rest,"}
_COLUMNS: Final = {
    "dropped": "dropped",
    "needlessly": "needlessly",
    "resumed": "resumed",
    "recompiled": "recompiled",
    "patches": "patches",
}
_TOTALS: Final = {
    "calls": "calls",
    "hot_functions": "hot functions",
    "handles": "handles",
    "facets": "facets",
    "dependencies": "dependencies",
    "events": "events",
}


def print_report(report: Report, file: TextIO) -> None:
    console = Console(file=file, highlight=False, markup=True)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=_WIDTH)
    command = escape(report.get("title") or " ".join(report["program"]))
    console.print()
    console.print(f"[bold]depwatch compare[/] {command}: {report['seconds']:.1f} s, Python {report['python']}")
    console.print()
    console.print(_totals(report))
    console.print()
    console.print(_policies(report))
    console.print()
    if any(report[phase]["of_these_estimated"] for phase in _PHASES):
        console.print("≈ estimated in part: most calls of hot functions, and what never comes to rest, are sampled")
    if report["worst_facets"]:
        console.print()
        console.print(_facets(report["worst_facets"]))
        console.print()
    console.print(f"missed events: {report['missed_events']} ({report['facets_read_again']:,} facets read again)")
    if report["failure"]:
        console.print(f"observing ended early, by an error of depwatch compare itself: {escape(report['failure'])}")
    for what in report["missed"]:
        console.print(f"  missed: {escape(what)}")


def _totals(report: Report) -> Table:
    table = _table("", *_TOTALS.values())
    for phase in _PHASES:
        numbers = [_number(report[phase], name, report[phase][name]) for name in _TOTALS]
        table.add_row(_title(report, phase), *numbers)
    return table


def _policies(report: Report) -> Table:
    table = _table("handles", *_COLUMNS.values(), "calls run cold")
    for phase in _PHASES:
        table.add_row(_title(report, phase))
        for policy, title in zip(NAMES, TITLES, strict=True):
            row = report[phase]["policies"][policy]
            numbers = [_number(report[phase], f"{policy}.{name}", row[name]) for name in _COLUMNS]
            about = _about(report[phase], "calls") or _about(report[phase], f"{policy}.cold_calls")
            table.add_row(f"  {escape(title)}", *numbers, f"{about}{row['cold_share']:.2%}")
    return table


def _facets(worst: list[Report]) -> Table:
    columns = ("changes", "breaks", "restores", "handles hit")
    table = _table("facets that broke most", *columns)
    table.add_column("changed at", overflow="fold")
    for row in worst:
        numbers = [f"{row[name.replace(' ', '_')]:,}" for name in columns]
        if row["changes_sampled"]:
            numbers[0] = "≥" + numbers[0]
        place = f"{row['file']}:{row['line']}" if row["file"] else "outside Python code"
        table.add_row(escape(row["facet"]), *numbers, escape(place))
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _title(report: Report, phase: str) -> str:
    seconds: float = report["startup_seconds"]
    if phase == "rest":
        seconds = report["seconds"] - seconds
    return f"[bold]{_PHASES[phase]} {seconds:.1f} s[/]"


def _number(phase: Report, name: str, number: int) -> str:
    return f"{_about(phase, name)}{number:,}"


def _about(phase: Report, name: str) -> str:
    return "≈" if name in phase["of_these_estimated"] else ""
