"""What a function's code can read, found in its bytecode without running any of the program's."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from depwatch.discovery.reads import DEEPEST, MISSING, Cell, Follow, Found, Opaque, Read

__all__ = ["MISSING", "Cell", "Found", "Opaque", "Read", "discover"]


def discover(
    function: Callable[..., Any],
    *,
    follow: Follow = "default",
    argument_types: Sequence[type] = (),
    lines: Iterable[int] | None = None,
    depth: int = DEEPEST,
) -> Found:
    """What the code of a function can read, transitively, found in its bytecode. Runs none of the program's code.

    function: a Python function, a method, or a functools.partial or lru_cache of one. argument_types: the exact classes
    of its first arguments, as far as they are known: their methods and properties are followed then. lines: those of
    the function that ran; the others are left out. depth: how many calls deep it looks.

    follow: "default" goes into functions of the program itself and of the package that `function` is from, not into the
    standard library's and those of other installed packages (they are `leaves`); "all" into these too; or a function
    that is asked of each Python function. See docs/discovery.md for what both cost.

    Cost: some 10 microseconds a read; as long as an earlier result for the same arguments is kept by somebody and still
    holds, that is returned, for below 1 microsecond a read. While it lives, the facets that it names are watched.
    Raises TypeError, ValueError.
    """
    from depwatch.discovery.find import find  # with all that looks into bytecode, which most programs do without

    return find(function, follow, argument_types, lines, depth)
