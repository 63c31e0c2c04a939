"""Replays one trace, or many, into the JSON that reports are made of."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

from depwatch.compare.trace.reader import Trace

from . import FORMAT
from ._engine import COLUMNS
from .events import Events, Numbers, events_of
from .findings import BINS, STARTUP, Findings, phases, stops_of
from .lineup import GIVE_UP_AFTER, HOT_AFTER, NAMED, Policy, lineup
from .prices import Prices, load_prices
from .sweep import sweep
from .title import title

COUNTED: Final = (
    "dropped",
    "needlessly",
    "resumed",
    "recompiled",
    "patches",
    "deopts",
    "deopt_calls",
    "revalidations",
    "guards",
    "false_drops",
    "cold_calls",
)

type Replayed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """The same for all traces of a replay."""

    policies: tuple[str, ...] = tuple(NAMED)
    hot_after: tuple[int, ...] = (HOT_AFTER,)
    give_up_after: tuple[int, ...] = (GIVE_UP_AFTER,)
    prices: dict[str, Prices] = field(default_factory=load_prices)


def replay_trace(path: str, options: Options) -> Replayed:
    """What each policy would have done to the program of this trace. Raises TraceError."""
    with Trace(path) as trace:
        events = events_of(trace)
        base = NAMED["healing"].variant(options.hot_after[0], GIVE_UP_AFTER).engine(events)
        stops = stops_of(trace, events)
        counted = base.run(stops)
        findings = Findings(trace, events, base)
        others = findings.others()
        hot, calls = (
            (int(counted[-1, column]), int(counted[STARTUP - 1, column]))
            for column in map(COLUMNS.index, ("hot_functions", "calls"))
        )
        totals = findings.totals((calls[0] + others[0], calls[1] + others[1]), hot)
        dropped: dict[str, list[int]] = {}
        policies = []
        for policy in lineup(options.policies, options.hot_after, options.give_up_after):
            replayed, bins = _replay(policy, events, stops, totals, others, options.prices)
            policies.append(replayed)
            if policy.name not in dropped:
                dropped[policy.name] = bins
        return {
            "trace": os.path.basename(path),
            "title": title(trace.program.get("command")),
            "program": trace.program.get("command", []),
            "python": trace.program.get("python", ""),
            "seconds": round(trace.seconds, 6),
            "startup_seconds": round(trace.seconds * STARTUP / BINS, 6),
            "complete": bool(trace.complete),
            "exit": trace.exit,
            "rows": trace.rows,
            "totals": totals,
            "policies": policies,
            "facets": findings.facets(),
            "causes": findings.causes(),
            "timeline": findings.timeline(dropped),
            "lifetimes": findings.lifetimes(),
        }


def assemble(traces: Sequence[Replayed], options: Options, with_sweep: bool = False) -> Replayed:
    """The whole JSON, of traces that replay_trace() has replayed."""
    whole: Replayed = {
        "format": FORMAT,
        "depwatch": version("depwatch"),
        "prices": {name: prices.json() for name, prices in options.prices.items()},
        "traces": list(traces),
    }
    if with_sweep:
        whole["sweep"] = sweep(_added(traces, options), options.prices)
    return whole


def _replay(
    policy: Policy,
    events: Events,
    stops: Numbers,
    totals: dict[str, dict[str, int]],
    others: tuple[int, int],
    prices: dict[str, Prices],
) -> tuple[Replayed, list[int]]:
    """The policy's entry, and how many handles it dropped in each bin of time."""
    engine = policy.engine(events)
    counted = engine.run(stops)
    ends = [dict(zip(COLUMNS, counted[at].tolist(), strict=True)) for at in (-1, STARTUP - 1)]
    for end, more in zip(ends, others, strict=True):
        end["cold_calls"] += more
    whole, startup = ({name: end[name] for name in COUNTED} for end in ends)
    parts: dict[str, dict[str, Any]] = dict(phases(whole, startup))
    for phase, counts in parts.items():
        calls = totals[phase]["calls"]
        counts["cold_share"] = round(counts["cold_calls"] / calls, 6) if calls else 0.0
    dependencies, functions = engine.unguarded()
    dropped = counted[:, COLUMNS.index("dropped")].tolist()
    spread = [name for name, is_spread in zip(COLUMNS, engine.spread(), strict=True) if is_spread and name in COUNTED]
    entry = {
        "policy": policy.name,
        "title": policy.title.format(policy.give_up_after),
        "hot_after": policy.hot_after,
        "give_up_after": policy.give_up_after,
        **parts,
        "spread": spread,
        "unguarded": {"dependencies": dependencies, "functions": functions},
        "unrelated_drops": ends[0]["unrelated_drops"],
        "cost": {name: round(each.cost(whole)) for name, each in prices.items()},
    }
    return entry, [b - a for a, b in zip([0, *dropped], dropped, strict=False)]


def _added(traces: Sequence[Replayed], options: Options) -> dict[str, dict[str, int]]:
    """What each policy counted over all traces, with the first threshold and limit that was asked for."""
    total: dict[str, dict[str, int]] = {}
    for trace in traces:
        seen: set[str] = set()
        for entry in trace["policies"]:
            if entry["policy"] in seen:
                continue
            seen.add(entry["policy"])
            counts = total.setdefault(entry["policy"], dict.fromkeys(COUNTED, 0))
            for name in COUNTED:
                counts[name] += entry["whole"][name]
    return total
