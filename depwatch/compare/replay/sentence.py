"""A replay in one sentence, for whoever reads nothing else."""

from .result import Outcome, Replayed


def sentence(trace: Replayed) -> str:
    """What came of the assumptions, and what the two simplest policies would have done."""
    whole = trace.totals["whole"]
    if not whole.hot_functions:
        calls = min((entry.hot_after for entry in trace.policies), default=0)
        return (
            f"Nothing was hot: none of {_counted(whole.functions, 'function')} was called {calls:,} times, so "
            "no policy had anything to drop. Let the program run for longer, or lower --hot-after."
        )
    broke = sum(trace.lifetimes.broken)
    dependencies = broke + sum(trace.lifetimes.still_held)
    # Those of a function that is compiled again are others.
    text = f"Of {_counted(dependencies, 'dependency', 'dependencies')} of hot functions {broke:,} broke"
    by_object, by_facet = _of(trace, "bulk_by_object"), _of(trace, "bulk_by_facet_capped")
    drops = []
    if by_object is not None:
        drops.append(f"an ID for each object drops code {_times(by_object.whole.dropped)}")
    if by_facet is not None:
        drops.append(f"by facet with giving up {by_facet.whole.dropped:,}")
    return f"{text}; {', '.join(drops)}." if drops else f"{text}."


def _of(trace: Replayed, policy: str) -> Outcome | None:
    """With the numbers that come first, which are those that were asked for first."""
    return next((entry for entry in trace.policies if entry.policy == policy), None)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
