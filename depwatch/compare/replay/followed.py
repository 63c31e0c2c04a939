"""What share of the look-ups that CPython specialises hot code for is followed: every table says what it is about."""

from collections.abc import Sequence

from .result import Lookups, Replayed


def followed(traces: Sequence[Replayed]) -> str:
    """A sentence, of one program or of several together."""
    known = [trace for trace in traces if trace.lookups]
    if not known:
        return "How many look-ups were followed is not known, as the program did not end by itself."
    kinds = {
        kind: sum_of([trace.lookups[kind] for trace in known if kind in trace.lookups]) for kind in known[0].lookups
    }
    parts = [f"{each.followed:,} of {each.sites:,} {kind}s ({each.share:.1%} by calls)" for kind, each in kinds.items()]
    left = f"; not known of {len(traces) - len(known):,} programs" if len(known) != len(traces) else ""
    return f"Of what CPython specialised hot code for, followed: {', '.join(parts)}{left}."


def sum_of(lookups: Sequence[Lookups]) -> Lookups:
    return Lookups(**{name: sum(getattr(each, name) for each in lookups) for name in Lookups.__struct_fields__})
