"""Replays, as depwatch replay writes them: invented, but with the shapes that real programs have."""

import random
from typing import Any

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES

LINEUP = (  # (policy, its limit, its share of the drops of bulk by object)
    ("bulk_by_object", None, 1.0),
    ("bulk_by_object_capped", GIVE_UP_AFTER, 0.3),
    ("cpython", GIVE_UP_AFTER, 0.34),
    ("revalidation", None, 0.08),
    ("bulk_by_facet", None, 0.12),
    ("jettison", None, 0.12),
    ("bulk_by_facet_capped", GIVE_UP_AFTER, 0.04),
    ("healing", GIVE_UP_AFTER, 0.03),
    ("granular", None, 0.0),
    ("granular_capped", GIVE_UP_AFTER, 0.0),
)
PRICES = {
    "numba": {
        "recompile": 1.2e8,
        "patch": 40.0,
        "deopt": 900.0,
        "guard": 0.4,
        "revalidation": 25.0,
        "cold_call": 300.0,
        "source": "benchmarks/results/numba-3.13.0.json",
    },
    "cinderx": {
        "recompile": 2.1e6,
        "patch": 120.0,
        "deopt": 140.0,
        "guard": 0.3,
        "revalidation": 25.0,
        "cold_call": 60.0,
        "source": "facts/peers.md",
    },
    "cpython": {
        "recompile": 4.0e5,
        "patch": 120.0,
        "deopt": 90.0,
        "guard": 0.3,
        "revalidation": 25.0,
        "cold_call": 20.0,
        "source": "facts/peers.md",
    },
}
NAMES = (
    ("go", "quiet"),
    ("pytest networkx.generators networkx.utils", "mutating"),
    ("flask: 2,000 requests", "quiet"),
    ("sympy: tests of its solvers", "mutating"),
    ("mypy on a tree", "quiet"),
    ("sqlalchemy ORM", "mutating"),
    ("jinja2: 5,000 templates", "quiet"),
    ("deltablue", "mutating"),
)
CAUSES = ("the program", "the test harness", "library sqlalchemy", "library networkx", "the standard library")
FACETS = (
    ("warnings.filters", "global", "<stdlib>/warnings.py", 517, "the standard library", "list"),
    ("sys.stdout", "global", "<site>/_pytest/capture.py", 391, "the test harness", "EncodedFile"),
    ("deltablue.planner", "global", "<program>/deltablue.py", 612, "the program", "Planner"),
    ("Registry._counter", "type attribute", "<site>/sqlalchemy/orm/states.py", 88, "library sqlalchemy", "int"),
    ("networkx.utils.backends._dispatchable.__call__.__defaults__", "function", None, None, "outside Python", "tuple"),
)
BINS = 100


def replay(programs: int = 2, *, variants: bool = True, seed: int = 1) -> dict[str, Any]:
    """The JSON for that many programs."""
    chance = random.Random(seed)
    traces = [trace(number, chance, variants=variants) for number in range(programs)]
    return {"format": 2, "depwatch": "0.1.0", "prices": PRICES, "traces": traces}


def trace(number: int, chance: random.Random, *, variants: bool = True) -> dict[str, Any]:
    title, kind = NAMES[number % len(NAMES)]
    mutating = kind == "mutating"
    seconds = round(chance.uniform(1.5, 15), 2)
    calls = chance.randrange(2_000_000, 40_000_000)
    drops = chance.randrange(2_000, 30_000) if mutating else chance.randrange(20, 800)
    changes = drops * chance.randrange(2, 9)
    dependencies = chance.randrange(1_000, 12_000)
    edges = [round(seconds * bin / BINS, 4) for bin in range(BINS + 1)]
    burst = [chance.expovariate(1) * (30 if bin < 20 else 1 if not mutating else 8) for bin in range(BINS)]
    settings = [(HOT_AFTER, None)]
    if variants:
        settings += [(10, None), (500, None), (HOT_AFTER, 1), (HOT_AFTER, 100)]
    policies = [
        policy(*entry, hot_after, limit, drops, calls, chance)
        for hot_after, limit in settings
        for entry in LINEUP
        if limit is None or entry[1] is not None
    ]
    broken = [int(chance.expovariate(1 / 9)) for _ in range(12)]
    return {
        "trace": f"{title.split()[0].strip(':')}-{number}.parquet",
        "title": title if number < len(NAMES) else f"{title} ({number // len(NAMES) + 1})",
        "program": ["-m", "example", str(number)],
        "python": "3.13.0",
        "seconds": seconds,
        "startup_seconds": round(seconds / 5, 3),
        "complete": number % 13 != 12,
        "exit": None if number % 13 == 12 else 0,
        "rows": chance.randrange(20_000, 900_000),
        "kind": kind,
        "totals": {
            phase: {
                "calls": int(calls * part),
                "functions": int(dependencies * part / 2),
                "hot_functions": int(dependencies * part / 6),
                "facets": int(dependencies * part / 3),
                "dependencies": int(dependencies * part),
                "changes": int(changes * part),
            }
            for phase, part in (("whole", 1), ("startup", 0.6), ("rest", 0.4))
        },
        "policies": policies,
        "facets": [facet(rank, chance) for rank in range(20)],
        "causes": {
            cause: {
                "changes": (many := chance.randrange(1, 1 + changes // 5)),
                "breaks": many // 9,
                "handles_hit": many // 3,
            }
            for cause in CAUSES
        },
        "timeline": {
            "edges": edges,
            "changes": [int(20 * level) for level in burst],
            "breaks": [int(level) for level in burst],
            "dropped": {name: [int(level * share * 4) for level in burst] for name, _, share in LINEUP},
        },
        "lifetimes": {
            "edges": [0, *(10**power * unit for power in range(-5, 1) for unit in (1, 3)[: 2 if power < 0 else 1]), 60],
            "broken": broken,
            "still_held": [0] * 8 + [dependencies // 9, dependencies // 5, dependencies // 2, dependencies // 7],
        },
    }


def policy(
    name: str,
    limit: int | None,
    part: float,
    hot_after: int,
    other: int | None,
    drops: int,
    calls: int,
    chance: random.Random,
) -> dict[str, Any]:
    dropped = int(drops * part * (HOT_AFTER / hot_after) ** 0.3)
    granular = name.startswith("granular")
    whole = {
        "dropped": dropped,
        "needlessly": int(dropped * 0.89) if "object" in name or name == "cpython" else 0,
        "undone": int(dropped * 0.9)
        if "object" in name or name == "cpython"
        else dropped // 3
        if name == "healing"
        else 0,
        "resumed": dropped // 3 if name == "healing" else 0,
        "recompiled": dropped - dropped // 3 if name == "healing" else dropped,
        "patches": drops // 11 if granular else 3 * dropped if name == "jettison" else 0,
        "deopts": drops // 90 if granular else 0,
        "deopt_calls": drops * 3 if granular else 0,
        "revalidations": dropped * 4 if name == "revalidation" else 0,
        "guards": calls // 3 if granular else 0,
        "false_drops": dropped // 50 if name == "cpython" else 0,
        "cold_calls": dropped * hot_after,
        "cold_share": dropped * hot_after / calls,
    }
    startup = {column: int(whole[column] * 0.7) for column in COUNTS} | {"cold_share": whole["cold_share"] * 1.2}
    rest = {column: whole[column] - startup[column] for column in COUNTS} | {"cold_share": whole["cold_share"] * 0.8}
    given_up = limit if other is None or limit is None else other
    return {
        "policy": name,
        "title": POLICIES[name].title_after(given_up),
        "hot_after": hot_after,
        "give_up_after": given_up,
        "whole": whole,
        "startup": startup,
        "rest": rest,
        "spread": ["dropped", "cold_calls"] if chance.random() < 0.1 else [],
        "unguarded": {
            "dependencies": drops // 400 if given_up else 0,
            "functions": drops // 900 if given_up else 0,
        },
        "unrelated_drops": int(dropped * 0.8) if "object" in name or name == "cpython" else 0,
        "cost": {prices: cost(whole, of) for prices, of in PRICES.items()},
    }


def cost(counts: dict[str, Any], prices: dict[str, Any]) -> float:
    return (
        counts["recompiled"] * prices["recompile"]
        + (counts["patches"] + counts["deopts"]) * prices["patch"]
        + counts["deopt_calls"] * prices["deopt"]
        + counts["guards"] * prices["guard"]
        + counts["revalidations"] * prices["revalidation"]
        + counts["cold_calls"] * prices["cold_call"]
    )


def facet(rank: int, chance: random.Random) -> dict[str, Any]:
    name, kind, file, line, cause, type = FACETS[rank % len(FACETS)]
    breaks = int(4000 / (rank + 1) ** 1.4) + chance.randrange(5)
    return {
        "facet": name if rank < len(FACETS) else f"{name}_{rank}",
        "kind": kind,
        "home": file,
        "changes": breaks * 2,
        "values": breaks,
        "returns": breaks,
        "types": [type],
        "deeds": ["modified"],
        "dropped": breaks * 2,
        "recompiled": int(breaks * chance.uniform(0.5, 2)),
        "breaks": breaks,
        "restores": int(breaks * 0.9) if rank % 2 else 0,
        "handles_hit": breaks * chance.randrange(1, 9),
        "file": file,
        "line": line,
        "cause": cause,
        "functions": ["Session.execute", "Cursor.fetchall", "price"][: 1 + rank % 3],
        "more_functions": rank % 4,
    }
