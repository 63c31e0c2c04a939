"""The verdict: three findings, each a number and a sentence that is true whatever the numbers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from depwatch.compare.replay.result import Replay

from .figures import count, counted, duration, share, times
from .lineup import Lane, Lineup
from .sweeps import Sweep

# What a sentence calls a policy, before the number of its drops. In this order.
_SPOKEN: Final = {
    "bulk_by_facet": "bulk by facet",
    "bulk_by_facet_capped": "that with unstable facets given up",
    "healing": "that with healing",
    "granular": "granular patching",
}
# The price of a recompile is said at which these cost the same: the first pair that there is.
_COMPARED: Final = ({"healing", "granular"}, {"bulk_by_facet_capped", "granular"}, {"bulk_by_facet", "granular"})


@dataclass(frozen=True)
class Finding:
    figure: str
    label: str  # what the figure is
    sentence: str


def verdict(replay: Replay, lineup: Lineup, sweeps: Sequence[Sweep]) -> list[Finding]:
    return [_stability(replay), _granularity(lineup), _price(replay, lineup, sweeps)]


def _stability(replay: Replay) -> Finding:
    """How often does real code change what an optimizer relies on?"""
    traces = replay.traces
    broken = sum(sum(trace.lifetimes.broken) for trace in traces)
    dependencies = broken + sum(sum(trace.lifetimes.still_held) for trace in traces)
    changes = sum(trace.totals["whole"].changes for trace in traces)
    at_startup = sum(trace.totals["startup"].changes for trace in traces)
    programs = counted(len(traces), "program")
    if not dependencies:
        return Finding("0", "dependencies", f"The hot functions of {programs} depended on nothing that can change.")
    sentence = (
        f"Of {counted(dependencies, 'dependency', 'dependencies')} that the hot functions of {programs} had, "
        f"{count(broken)} broke ({share(broken, dependencies)})"
    )
    if changes:
        sentence += (
            f", while the objects that they lie in changed {counted(changes, 'time')}, "
            f"{share(at_startup, changes)} of that at start-up"
        )
    else:
        sentence += f", and {count(changes)} changes of objects were seen"
    return Finding(share(broken, dependencies), "of the dependencies broke", f"{sentence}.")


def _granularity(lineup: Lineup) -> Finding:
    """What does each policy throw away?"""
    lanes = {lane.policy: lane for lane in lineup.of_all()}
    bulk = lanes.get("bulk_by_object")
    if bulk is None:
        drops = [f"{lane.title} {_drops(lane)}" for lane in lanes.values()]
        label = "policies compared on all programs"
        if not drops:
            return Finding("0", label, f"No policy was replayed on all {counted(len(lineup.traces), 'program')}.")
        return Finding(count(len(drops)), label, f"Optimized code was dropped: {', '.join(drops)}.")
    dropped, needlessly = bulk.whole["dropped"], bulk.whole["needlessly"]
    sentence = f"Bulk invalidation by object dropped optimized code {counted(dropped, 'time')}"
    if dropped:
        sentence += f", {share(needlessly, dropped)} of that needlessly, as no value that it relied on had changed"
    others = [f"{spoken} {_drops(lanes[policy])}" for policy, spoken in _SPOKEN.items() if policy in lanes]
    if others:
        sentence += f"; {_listed(others)}"
    label = "of what bulk by object dropped was dropped needlessly"
    return Finding(share(needlessly, dropped), label, f"{sentence}.")


def _drops(lane: Lane) -> str:
    text = count(lane.whole["dropped"])
    if lane.policy == "healing":
        text += f" (and {count(lane.whole['resumed'])} came back as they were)"
    if lane.policy.startswith("granular"):
        text += f" (and rewrote {counted(lane.whole['patches'], 'place')})"
    return text


def _price(replay: Replay, lineup: Lineup, sweeps: Sequence[Sweep]) -> Finding:
    """When is granular patching worth it?"""
    lanes = lineup.of_all()
    name = next((name for name in replay.prices if lanes and all(name in lane.cost for lane in lanes)), None)
    if name is None:
        programs = counted(len(replay.traces), "program")
        return Finding("–", "no prices", f"No price list was applied to all {programs}, so no costs are compared.")
    by_cost = sorted(lanes, key=lambda lane: lane.cost[name])
    least, most = by_cost[0], by_cost[-1]
    lowest, highest = least.cost[name], most.cost[name]
    sentence = f"At the prices of {name}, "
    if lowest == highest:
        sentence += f"all {counted(len(lanes), 'policy', 'policies')} cost the same, {duration(lowest)} in all"
    else:
        ratio = f", {times(highest / lowest)} as much" if lowest else ""
        sentence += (
            f"no policy costs less than “{least.title}” ({duration(lowest)} in all) "
            f"and none more than “{most.title}” ({duration(highest)}{ratio})"
        )
    if sweep := _compared(sweeps, name):
        a, b = lineup.title(sweep.a), lineup.title(sweep.b)
        if sweep.break_even is not None:
            sentence += f"; “{a}” and “{b}” cost the same where a recompile takes {duration(sweep.break_even)}"
        else:
            sentence += f"; there is no price of a recompile at which “{a}” and “{b}” cost the same"
    return Finding(duration(lowest), f"is the least that a policy costs, as {name} is priced", f"{sentence}.")


def _compared(sweeps: Sequence[Sweep], prices: str) -> Sweep | None:
    for pair in _COMPARED:
        for sweep in sweeps:
            if {sweep.a, sweep.b} == pair and sweep.price == "recompile" and sweep.others == prices:
                return sweep
    return None


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
