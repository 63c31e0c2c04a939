"""What docs/verdict.md says of the results of a corpus: its tables, and the numbers in its sentences."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

from depwatch.compare.output import Output
from depwatch.compare.policies import POLICIES

from .entries import CorpusError
from .lifecycle import lifecycle
from .measured import Measured, policy
from .memory import keeps, memory
from .tables import chosen, cost, costs, executed, explained, filters, middle, paid, policies, programs, units

_RECOMPILED: Final = (
    "bulk_by_object",
    "bulk_by_object_capped",
    "cpython",
    "bulk_by_facet",
    "bulk_by_facet_capped",
    "healing",
)
KINDS: Final = ("quiet", "mutating")
MAIN: Final = "3.13.0"  # the version that the page is about
_PLACE: Final = re.compile(r"(?P<begin><!-- table: (?P<name>[a-z]+) -->)\n.*?(?P<end><!-- end of table -->)", re.DOTALL)


def total(traces: list[Measured], name: str, count: str) -> int:
    return sum(int(policy(trace, name)["whole"][count]) for trace in traces)


def sentences(results: dict[str, Any]) -> dict[str, str]:
    """The numbers that the text of docs/verdict.md names, by what they are."""
    traces = results["traces"]
    by_kind = {kind: [trace for trace in traces if trace["kind"] == kind] for kind in KINDS}
    whole = {key: sum(trace["totals"]["whole"][key] for trace in traces) for key in traces[0]["totals"]["whole"]}
    dropped = {name: total(traces, name, "dropped") for name in POLICIES}
    by_object = f"{dropped['bulk_by_object']:,} pieces of code"
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
        "needless": f"{by_object}, {needless['bulk_by_object']:.0%} of them needlessly",
        "needless, capped": f"{needless['bulk_by_object_capped']:.0%}",
        "healed": f"{total(traces, 'healing', 'resumed') / dropped['healing']:.0%} of what was dropped came back",
        "recording": f"{median(trace['ratio'] for trace in traces):.2f} times",
    }
    most = sorted((total([trace], "bulk_by_object", "dropped") for trace in traces), reverse=True)
    found["three programs"] = f"{sum(most[:3]) / sum(most):.0%} of all drops"
    gave_up = {name: sum(policy(trace, name)["unguarded"]["dependencies"] for trace in traces) for name in POLICIES}
    found["given up, dicts"] = f"{gave_up['bulk_by_object_capped']:,}"
    found["given up, facets"] = f"{gave_up['healing']:,}"
    by = Counter[str]()
    for trace in traces:
        for facet in trace["facets"]:
            by[facet["kind"]] += facet["dropped"]
    for kind, name in (("global", "globals"), ("type attribute", "attributes of classes")):
        found[f"dropped by {name}"] = f"{by[kind] / by.total():.0%} by {name}"
    found["dropped by other facets"] = f"{by.total() - by['global'] - by['type attribute']:,} by parts of functions"
    is_spread = sum(any(entry["spread"] for entry in trace["policies"]) for trace in traces)
    found["spread"] = f"{is_spread} of {len(traces)} programs"
    for price, name in product(results["prices"], ("healing", "granular", "granular_capped")):
        found[f"cost, {price}, {name}"] = f"{sum(middle(trace, cost(name, price)) for trace in traces):,.2f} s"
    untouched = sum(not total([trace], "healing", "recompiled") for trace in traces)
    found["healing recompiles nothing"] = f"{untouched} of {len(traces)}"
    for name in _RECOMPILED:
        found[f"recompiled, {name}"] = f"{total(traces, name, 'recompiled'):,}"
    for kind, of_kind in by_kind.items():
        found[f"{kind}, by object"] = f"{total(of_kind, 'bulk_by_object', 'dropped'):,}"
        found[f"{kind}, by facet"] = f"{total(of_kind, 'bulk_by_facet', 'dropped'):,}"
    return found


def unrelated(results: dict[str, Any], name: str) -> int:
    """Handles that a policy dropped although nobody depends on what changed."""
    return sum(int(policy(trace, name)["unrelated_drops"]) for trace in results["traces"])


def tables(directory: Path) -> dict[str, str]:
    """Each table of the page by its name, from the results in directory: those of MAIN, and other versions beside."""
    found = {path.stem.removeprefix("corpus-"): path for path in sorted(directory.glob("corpus-*.json"))}
    if MAIN not in found:
        raise CorpusError(f"{directory}: no corpus-{MAIN}.json in it: run ./dev compare --corpus with that version")
    results = {version: json.loads(path.read_text(encoding="utf-8")) for version, path in found.items()}
    main = results.pop(MAIN)
    executors = _executors(directory)
    made = {"policies": policies(main), "costs": costs(main), "chosen": chosen(main), "filters": filters()}
    made |= {"programs": programs(main, results), "units": units(main, executors)}
    made |= {"memory": memory(main, keeps(_beside(directory, "memory"), _beside(directory, "index")))}
    made |= {"lifecycle": lifecycle(_beside(directory, "events"))}
    return made | peers(directory)


def peers(directory: Path) -> dict[str, str]:
    """Those of docs/prices.md and docs/executors.md, which need no results of the corpus."""
    prices = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("prices-*.json"))]
    executors = _executors(directory)
    made = {"prices": paid(prices)}
    return made if executors is None else made | {"executors": executed(executors), "explained": explained(executors)}


def _executors(directory: Path) -> dict[str, Any] | None:
    counted = next(iter(sorted(directory.glob("executors-*.json"))), None)
    found: dict[str, Any] | None = None if counted is None else json.loads(counted.read_text(encoding="utf-8"))
    return found


def _beside(directory: Path, benchmark: str) -> dict[str, Any]:
    """The results of a benchmark with the version that the page is about."""
    path = directory / f"{benchmark}-{MAIN}.json"
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}: run ./dev bench {benchmark} with that version") from None
    return results


def filled(page: str, made: dict[str, str]) -> str:
    """The page with these tables at their places. Raises CorpusError if it has a place for no table."""

    def fill(place: re.Match[str]) -> str:
        if place["name"] not in made:
            raise CorpusError(f"no table is called {place['name']!r}; there are {', '.join(made)}")
        return f"{place['begin']}\n\n{made[place['name']]}\n\n{place['end']}"

    return _PLACE.sub(fill, page)


def write(page: Path, directory: Path) -> None:
    """Put the tables of the results in directory into page. Raises CorpusError."""
    try:
        text = filled(page.read_text(encoding="utf-8"), tables(directory))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{page}: {error}") from None
    with Output(str(page)) as file:
        file.write(text)
