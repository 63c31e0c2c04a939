"""The numbers of docs/verdict.md, from the results of a corpus: `python benchmarks/corpus/verdict.py FILE`."""

import json
import sys
from statistics import median
from typing import Any, Final

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES

type Measured = dict[str, Any]  # an entry of "traces" in the results

KINDS: Final = ("quiet", "mutating")
_COLUMNS: Final = tuple(COUNTS)[:5]  # what there is room for


def policy(trace: Measured, name: str) -> dict[str, Any]:
    """What a policy did in a program, at the threshold and the limit that docs/verdict.md is about."""
    found: dict[str, Any] = next(
        one
        for one in trace["policies"]
        if (one["policy"], one["hot_after"]) == (name, HOT_AFTER) and one["give_up_after"] in (None, GIVE_UP_AFTER)
    )
    return found


def total(traces: list[Measured], name: str, count: str) -> int:
    return sum(int(policy(trace, name)["whole"][count]) for trace in traces)


def table(results: dict[str, Any]) -> str:
    """What each policy did in all programs together, in Markdown."""
    traces = results["traces"]
    prices = list(results["prices"])
    head = [
        "policy",
        *(COUNTS[name].title for name in _COLUMNS),
        "left unguarded",
        *(f"cost, {price}" for price in prices),
    ]
    lines = [" | ".join(head), "|".join(["---", *["---:"] * (len(head) - 1)])]
    for name, about in POLICIES.items():
        cells = [f"{total(traces, name, count):,}" for count in _COLUMNS]
        cells.append(f"{sum(policy(trace, name)['unguarded']['dependencies'] for trace in traces):,}")
        cells += [f"{sum(policy(trace, name)['cost'][price] for trace in traces) / 1e9:,.2f} s" for price in prices]
        proposal = f" (proposal {about.proposal})" if about.proposal else ""
        lines.append(" | ".join([about.name_after(GIVE_UP_AFTER).replace("\u00a0", " ") + proposal, *cells]))
    return "\n".join(f"| {line} |" for line in lines)


def sentences(results: dict[str, Any]) -> dict[str, str]:
    """The numbers that the text of docs/verdict.md names, by what they are."""
    traces = results["traces"]
    by_kind = {kind: [trace for trace in traces if trace["kind"] == kind] for kind in KINDS}
    whole = {key: sum(trace["totals"]["whole"][key] for trace in traces) for key in traces[0]["totals"]["whole"]}
    dropped = {name: total(traces, name, "dropped") for name in POLICIES}
    needless = {name: total(traces, name, "needlessly") / dropped[name] for name in POLICIES if dropped[name]}
    lifetimes = [trace["lifetimes"] for trace in traces]
    broken = sum(sum(each["broken"]) for each in lifetimes)
    dependencies = broken + sum(sum(each["still_held"]) for each in lifetimes)
    found = {
        "programs": f"{len(traces)} programs",
        "calls": f"{whole['calls'] / 1e6:,.0f} million calls",
        "hot functions": f"{whole['hot_functions']:,} hot functions",
        "changes": f"{whole['changes']:,} changes",
        "broken": f"{broken:,} of {dependencies:,} dependencies ({broken / dependencies:.1%})",
        "needless": f"{needless['bulk_by_object']:.0%} of them needlessly",
        "needless, capped": f"{needless['bulk_by_object_capped']:.0%}",
        "healed": f"{total(traces, 'healing', 'resumed') / dropped['healing']:.0%} of what was dropped came back",
        "recording": f"{median(trace['ratio'] for trace in traces):.2f} times",
    }
    most = sorted((total([trace], "bulk_by_object", "dropped") for trace in traces), reverse=True)
    found["three programs"] = f"{sum(most[:3]) / sum(most):.0%} of all drops"
    gave_up = {name: sum(policy(trace, name)["unguarded"]["dependencies"] for trace in traces) for name in POLICIES}
    found["given up, dicts"] = f"{gave_up['bulk_by_object_capped']:,}"
    found["given up, facets"] = f"{gave_up['healing']:,}"
    untouched = sum(not total([trace], "healing", "recompiled") for trace in traces)
    found["healing recompiles nothing"] = f"{untouched} of {len(traces)}"
    for name in ("bulk_by_object", "bulk_by_object_capped", "bulk_by_facet", "bulk_by_facet_capped", "healing"):
        found[f"recompiled, {name}"] = f"{total(traces, name, 'recompiled'):,}"
    for kind, of_kind in by_kind.items():
        found[f"{kind}, by object"] = f"{total(of_kind, 'bulk_by_object', 'dropped'):,}"
        found[f"{kind}, by facet"] = f"{total(of_kind, 'bulk_by_facet', 'dropped'):,}"
    return found


def unrelated(results: dict[str, Any], name: str) -> int:
    """Handles that a policy dropped although nobody depends on what changed."""
    return sum(int(policy(trace, name)["unrelated_drops"]) for trace in results["traces"])


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    print(table(results), end="\n\n")
    for what, text in sentences(results).items():
        print(f"{what}: {text}")


if __name__ == "__main__":
    main()
