"""What it costs that something hears of functions that come and go: a table of docs/verdict.md, in Markdown.

From the results of `./dev bench events`.
"""

from typing import Any, Final

from .rows import table

type Results = dict[str, Any]

_KINDS: Final = {  # as the benchmark calls them
    "function": "`def` in a loop",
    "closure": "a closure",
    "generator expression": "a generator expression, run",
    "comprehension": "a list comprehension (no function since 3.12)",
}
_MADE: Final = " made and dropped, "


def lifecycle(events: Results) -> str:
    """Each kind of function: ns without a function watcher, and the ratio with each of those that hear."""
    hearing: list[str] = []
    found: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _KINDS}
    for row in events["rows"]:
        kind, made, who = row["case"].partition(_MADE)
        if made and kind in found:
            found[kind][who] = row
            hearing += [who] if who not in hearing else []
    rows = []
    for kind, title in _KINDS.items():
        plain = next(iter(found[kind].values()))["base"]["median"]
        rows.append([title, f"{plain:,.0f} ns", *(f"{found[kind][who]['ratio']['median']:.2f} ×" for who in hearing)])
    return table(["made and dropped", "no watcher", *hearing], rows)
