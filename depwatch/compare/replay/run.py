"""Replays one trace."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Final

import msgspec

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER
from depwatch.compare.trace.reader import Trace

from . import FORMAT
from ._engine import COLUMNS, Engine
from .events import Numbers, events_of
from .findings import BINS, STARTUP, Findings, phases, stops_of
from .harm import Harm
from .lineup import NAMED, Policy, lineup
from .prices import Prices, load_prices
from .result import Counts, Lookups, Outcome, Phase, Replay, Replayed, Totals, Unguarded
from .title import child, title

_ENDS: Final = (-1, STARTUP - 1)  # the stops where the run and where its start-up end


@dataclass(frozen=True, slots=True)
class Options:
    """The same for all traces of a replay."""

    policies: tuple[str, ...] = tuple(NAMED)
    hot_after: tuple[int, ...] = (HOT_AFTER,)
    give_up_after: tuple[int, ...] = (GIVE_UP_AFTER,)
    prices: dict[str, Prices] = field(default_factory=load_prices)


@dataclass(frozen=True, slots=True)
class _Ran:
    """What an engine counted; without the engine, which needs memory."""

    counted: Numbers
    unguarded: tuple[int, int]
    spread: frozenset[str]
    drops: Numbers  # of each object or facet, and of these needlessly
    steps: Numbers  # of each function; none, if the engine kept no history

    @classmethod
    def of(cls, engine: Engine, stops: Numbers) -> "_Ran":
        counted = engine.run(stops)
        spread = frozenset(name for name, is_spread in zip(COLUMNS, engine.spread(), strict=True) if is_spread)
        return cls(counted, engine.unguarded(), spread, engine.drops_counted(), engine.steps())

    def end(self, at: int, policy: Policy) -> dict[str, int]:
        """What had been counted for policy at a stop."""
        end = dict(zip(COLUMNS, self.counted[at].tolist(), strict=True))
        return end | {"patches": end["overwritten"]} if policy.jettison else end


def replay_trace(path: str, options: Options) -> Replayed:
    """What each policy would have done to the program of this trace. Raises TraceError."""
    with Trace(path) as trace:
        events = events_of(trace)
        healing = NAMED["healing"].variant(options.hot_after[0], GIVE_UP_AFTER)
        base = healing.engine(events)
        stops = stops_of(trace, events)
        runs = {_engine_of(healing): _Ran.of(base, stops)}
        findings = Findings(trace, events, base)
        others = findings.others()
        ends = [runs[_engine_of(healing)].end(at, healing) for at in _ENDS]
        hot, calls = ((ends[0][column], ends[1][column]) for column in ("hot_functions", "calls"))
        totals = findings.totals((calls[0] + others[0], calls[1] + others[1]), hot)
        dropped: dict[str, list[int]] = {}
        process, child_of, how = child(trace.program)
        policies = []
        by_object, by_facet = (
            NAMED[name].variant(options.hot_after[0], None) for name in ("bulk_by_object", "bulk_by_facet")
        )

        def run(policy: Policy) -> _Ran:
            key = _engine_of(policy)
            if key not in runs:
                engine = policy.engine(events)
                if key == _engine_of(by_facet):
                    engine.keep_history()
                runs[key] = _Ran.of(engine, stops)
            return runs[key]

        for policy in lineup(options.policies, options.hot_after, options.give_up_after):
            policies.append(_outcome(policy, run(policy), totals, others, options.prices))
            if policy.name not in dropped:
                so_far = run(policy).counted[:, COLUMNS.index("dropped")].tolist()
                dropped[policy.name] = [b - a for a, b in zip([0, *so_far], so_far, strict=False)]
        return Replayed(
            trace=os.path.basename(path),
            title=title(trace.program.get("command")) + (f", process {process}" if process is not None else ""),
            program=trace.program.get("command", []),
            python=trace.program.get("python", ""),
            seconds=round(trace.seconds, 6),
            startup_seconds=round(trace.seconds * STARTUP / BINS, 6),
            complete=bool(trace.complete),
            exit=trace.exit,
            rows=trace.rows,
            totals=totals,
            policies=policies,
            facets=findings.facets(run(by_facet).drops, Harm(run(by_facet).steps)),
            objects=findings.objects(run(by_object).drops),
            lookups=_lookups(trace.program.get("lookups")),
            causes=findings.causes(),
            timeline=findings.timeline(dropped),
            lifetimes=findings.lifetimes(),
            process=process,
            child_of=child_of,
            how=how,
            started=_text(trace.program.get("started")),
            machine=_text(trace.program.get("machine")),
            recorder=_text(trace.program.get("depwatch")),
        )


def _lookups(found: object) -> dict[str, Lookups]:
    """As the recorder counted them; nothing if a trace says what makes no sense."""
    try:
        return msgspec.convert(found, dict[str, Lookups])
    except msgspec.ValidationError:
        return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def assemble(traces: Sequence[Replayed], options: Options) -> Replay:
    """Of traces that replay_trace() has replayed."""
    return Replay(format=FORMAT, depwatch=version("depwatch"), prices=options.prices, traces=list(traces))


def _engine_of(policy: Policy) -> Policy:
    """The same for policies that an engine runs alike."""
    return replace(policy, name="", jettison=False)


def _outcome(
    policy: Policy,
    ran: _Ran,
    totals: dict[Phase, Totals],
    others: tuple[int, int],
    prices: dict[str, Prices],
) -> Outcome:
    ends = [ran.end(at, policy) for at in _ENDS]
    for end, more in zip(ends, others, strict=True):
        end["cold_calls"] += more
    whole, startup = ({name: end[name] for name in COUNTS} for end in ends)
    parts: dict[Phase, Counts] = {}
    for phase, counts in phases(whole, startup).items():
        calls = totals[phase].calls
        parts[phase] = Counts(**counts, cold_share=round(counts["cold_calls"] / calls, 6) if calls else 0.0)
    dependencies, functions = ran.unguarded
    spread = ran.spread | {"patches"} if policy.jettison and "overwritten" in ran.spread else ran.spread
    return Outcome(
        policy=policy.name,
        title=policy.title,
        hot_after=policy.hot_after,
        give_up_after=policy.give_up_after,
        **parts,
        spread=[name for name in COLUMNS if name in spread and name in COUNTS],
        unguarded=Unguarded(dependencies=dependencies, functions=functions),
        unrelated_drops=ends[0]["unrelated_drops"],
        cost={name: round(each.cost(whole)) for name, each in prices.items()},
    )
