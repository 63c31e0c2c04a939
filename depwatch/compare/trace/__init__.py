"""Trace: the Parquet file of a recorded run. docs/trace-format.md says what its rows mean."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reader import Trace


def check(trace: "Trace") -> list[str]:
    """What a trace breaks of the rules of docs/trace-format.md: a sentence with a row number for each, [] if nothing.

    Cost: seconds for ten million rows. A trace that is not complete may break off anywhere, but nowhere else.
    """
    from .rules import broken_rules  # numpy and pyarrow are not for everybody who imports this package

    return broken_rules(trace)
