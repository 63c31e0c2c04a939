"""Tables for narrow terminals: the columns that matter least are left out, and a line says so. No path is broken."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

_NAMES: Final = 36  # characters of a first column, at least, where there is room
_MOST: Final = 10_000  # columns of a terminal, for measuring


def print_table(
    console: Console,
    first: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    least: Sequence[str],
) -> None:
    """rows: the first column, which may have markup, and the others. least: the columns that go first, in order."""
    shown = list(range(len(columns)))
    wide = console.options.update(max_width=_MOST)
    gone = []
    for name in (*(name for name in least if name in columns), None):
        table = _table(first, columns, rows, shown)
        if name is None or console.measure(table, options=wide).minimum <= console.width:
            break
        shown.remove(columns.index(name))
        gone.append(name)
    console.print(table)
    if gone:
        console.print(f"[dim]no room for: {', '.join(gone)} (a terminal of {console.width} columns; --json has all)[/]")


def _table(
    first: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], shown: Sequence[int]
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    least = max((Text.from_markup(name).cell_len for name, _ in rows), default=0)
    table.add_column(first, overflow="fold", min_width=max(least, _NAMES if len(shown) == len(columns) else 0))
    for column in shown:
        width = max(len(columns[column]), *(len(cells[column]) for _, cells in rows if column < len(cells)))
        table.add_column(columns[column], justify="right", no_wrap=True, min_width=width)
    for name, cells in rows:
        table.add_row(name, *(cells[column] for column in shown if column < len(cells)))
    return table


def print_worst(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[tuple[Sequence[str], str, str, str]]
) -> None:
    """rows: numbers, what was changed, where, and by whom. Names and places stand last, as they are, however long."""
    widths = [max(len(name), *(len(row[0][i]) for row in rows)) for i, name in enumerate(columns)]
    head = "  ".join(name.rjust(width) for name, width in zip(columns, widths, strict=True))
    console.print(f"[bold]{escape(head)}  {escape(title)}[/]", soft_wrap=True)
    indent = " " * (len(head) + 4)
    for numbers, name, place, cause in rows:
        cells = "  ".join(cell.rjust(width) for cell, width in zip(numbers, widths, strict=True))
        console.print(f"{cells}  {escape(name)}", soft_wrap=True)
        console.print(f"{indent}{escape(place)}{escape(f', by {cause}' if cause else '')}", soft_wrap=True)
