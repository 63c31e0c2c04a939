"""A replay for people, with rich."""

from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES

from .fitting import print_table, print_worst
from .followed import followed
from .result import Facet, Object, Outcome, Phase, Replayed, Totals
from .sentence import sentence

_WIDTH: Final = 130  # where there is no terminal
_PHASES: Final[dict[Phase, str]] = {"startup": "start-up, the first", "rest": "the rest,"}
_NO_ROOM: Final = {"deopt_calls", "revalidations", "guards", "false_drops", "cold_calls"}
_COLUMNS: Final = {name: title for name, (title, _) in COUNTS.items() if name not in _NO_ROOM}
_TOTALS: Final = Totals.__struct_fields__
_WORST: Final = 10  # facets, and objects
# What goes first where there is no room, in this order.
_LEAST: Final = tuple(COUNTS[name].title for name in ("revalidations", "deopts", "patches"))
_LEAST_COUNTS: Final = (*_LEAST, "calls run cold", COUNTS["resumed"].title, COUNTS["needlessly"].title)
_LEAST_TOTALS: Final = ("functions", "facets", "changes", "calls")
_SHOWN: Final = ("bulk_by_object", "bulk_by_facet", "healing")  # of child processes
_MOST_CHILDREN: Final = 20
_MOST_OF_TITLE: Final = 30  # characters of a child's
_UNITS: Final = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def print_traces(traces: list[Replayed], file: TextIO) -> None:
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=_WIDTH)
    children = children_of(traces)
    for trace in traces:
        if not any(trace in each for each in children.values()):
            _print_trace(trace, console)
            if trace.trace in children:
                console.print()
                console.print(_children(trace, children[trace.trace]))
    shown = dict.fromkeys(entry.policy for trace in traces if _is_hot(trace) for entry in trace.policies)
    if shown:
        _print_legend(list(shown), console)


def _is_hot(trace: Replayed) -> bool:
    return trace.totals["whole"].hot_functions > 0


def _print_legend(policies: list[str], console: Console) -> None:
    console.print()
    console.print("[bold]policies[/] (A and B: the two that gh-91053 proposed)")
    for name in policies:
        if name in POLICIES:
            about = POLICIES[name]
            console.print(f"  [bold]{about.title_after(GIVE_UP_AFTER)}[/]: {about.explained}", soft_wrap=False)


def children_of(traces: list[Replayed]) -> dict[str, list[Replayed]]:
    """Those whose program is there, too: by its trace."""
    there = {trace.trace for trace in traces if trace.child_of is None}
    found: dict[str, list[Replayed]] = {}
    for trace in traces:
        if trace.child_of in there:
            found.setdefault(trace.child_of, []).append(trace)
    return found


def _print_trace(trace: Replayed, console: Console) -> None:
    console.print()
    ends = "" if trace.complete else ", cut there"
    console.print(f"[bold]{escape(trace.title)}[/]: {trace.seconds:.1f} s{ends}, Python {trace.python}")
    console.print(escape(sentence(trace)))
    if not _is_hot(trace):
        return
    console.print()
    _print_totals(trace, console)
    console.print()
    console.print(followed([trace]))
    for hot_after, limit in _variants(trace):
        if (hot_after, limit) != (HOT_AFTER, GIVE_UP_AFTER):
            console.print()
            console.print(f"hot after {hot_after:,} calls, given up after {limit:,} changes:")
        entries = _entries(trace, hot_after, limit)
        console.print()
        _print_policies(trace, entries, console)
        console.print()
        _print_costs(entries, console)
    if any(entry.spread for entry in trace.policies):
        console.print()
        console.print("≈ changes that came too fast to be written moment by moment are taken to come evenly:")
        console.print("  of programs that were recorded both ways, drops were 2 % too many to 13 % too few")
    if trace.objects:
        console.print()
        _print_objects(trace.objects[:_WORST], console)
    if trace.facets:
        console.print()
        _print_facets(trace.facets[:_WORST], console)


def _variants(trace: Replayed) -> list[tuple[int, int]]:
    """The thresholds and limits that there are, first those that were asked for first."""
    pairs = [(entry.hot_after, entry.give_up_after) for entry in trace.policies if entry.give_up_after is not None]
    return list(dict.fromkeys(pairs)) or [(trace.policies[0].hot_after, 0)]


def _entries(trace: Replayed, hot_after: int, limit: int) -> list[Outcome]:
    return [entry for entry in trace.policies if entry.hot_after == hot_after and entry.give_up_after in (None, limit)]


def _print_totals(trace: Replayed, console: Console) -> None:
    rows = [
        (_title(trace, phase), [f"{getattr(trace.totals[phase], name):,}" for name in _TOTALS]) for phase in _PHASES
    ]
    print_table(console, "", [name.replace("_", " ") for name in _TOTALS], rows, _LEAST_TOTALS)


def _print_policies(trace: Replayed, entries: list[Outcome], console: Console) -> None:
    rows: list[tuple[str, list[str]]] = []
    for phase in _PHASES:
        rows.append((_title(trace, phase), []))
        for entry in entries:
            counts = entry.phase(phase)
            numbers = [_number(entry, name, getattr(counts, name)) for name in _COLUMNS]
            cold = f"{_about(entry, 'cold_calls')}{counts.cold_share:.2%}"
            rows.append((f"  {escape(_name(entry))}", [*numbers, cold]))
    print_table(console, "handles", [*_COLUMNS.values(), "calls run cold"], rows, _LEAST_COUNTS)


def _print_costs(entries: list[Outcome], console: Console) -> None:
    """What concerns the whole run."""
    lists = list(entries[0].cost)
    rows = []
    for entry in entries:
        left = [f"{number:,}" for number in (entry.unguarded.dependencies, entry.unguarded.functions)]
        rows.append((f"  {escape(_name(entry))}", [*left, *(_time(entry.cost[name]) for name in lists)]))
    columns = ["unguarded", "in functions", *(f"cost: {name}" for name in lists)]
    print_table(console, "in all", columns, rows, ["in functions", *reversed(columns[2:]), "unguarded"])


def _name(entry: Outcome) -> str:
    """As policies are called everywhere; one that this depwatch does not know by the name that the replay has."""
    name = POLICIES[entry.policy].title_after(entry.give_up_after) if entry.policy in POLICIES else ""
    return name or entry.title.strip()


def _print_objects(worst: list[Object], console: Console) -> None:
    columns = ("changes", "dropped", "needlessly")
    _print_worst("objects that drop most, by object", columns, worst, console)


def _print_facets(worst: list[Facet], console: Console) -> None:
    columns = ("changes", "dropped", "breaks", "restores", "handles hit")
    _print_worst("facets that drop most, by facet", columns, worst, console)


def _print_worst(title: str, columns: tuple[str, ...], worst: Sequence[Object | Facet], console: Console) -> None:
    rows = []
    for row in worst:
        name = row.facet if isinstance(row, Facet) else row.object
        numbers = [f"{getattr(row, column.replace(' ', '_')):,}" for column in columns]
        rows.append((numbers, name, f"{row.file}:{row.line}" if row.file else "outside Python code", row.cause or ""))
    print_worst(console, title, columns, rows)


def _children(program: Replayed, children: list[Replayed]) -> Table:
    """A row for each process, those first whose handles were dropped most; and one for all of them together."""
    names = [name for name in _SHOWN if any(entry.policy == name for entry in program.policies)]
    titles = (f"dropped {name.replace('_', ' ')}" for name in names)
    table = _table(f"child processes: {len(children):,}", "seconds", "calls", "hot functions", *titles)
    rows = [(child, _row(child, names)) for child in children]
    rows.sort(key=lambda row: (-max(row[1][2:], default=0), row[0].process))
    for child, numbers in rows[:_MOST_CHILDREN]:
        how = "forked" if child.how == "fork" else "started"
        ends = "" if child.complete else ", cut"
        what = child.title.removesuffix(f", process {child.process}")[:_MOST_OF_TITLE]
        name = escape(f"  {child.process} {how}{ends}: {what}")
        table.add_row(name, f"{child.seconds:.1f}", *(f"{n:,}" for n in numbers))
    if len(rows) > _MOST_CHILDREN:
        table.add_row(f"  and {len(rows) - _MOST_CHILDREN:,} more")
    total = [sum(column) for column in zip(*(numbers for _, numbers in rows), _row(program, names), strict=True)]
    table.add_row("[bold]all of them and the program[/]", "", *(f"{n:,}" for n in total))
    return table


def _row(trace: Replayed, names: list[str]) -> list[int]:
    """Calls, hot functions, and what each of these policies has dropped."""
    dropped = [next((e.whole.dropped for e in trace.policies if e.policy == name), 0) for name in names]
    return [trace.totals["whole"].calls, trace.totals["whole"].hot_functions, *dropped]


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
