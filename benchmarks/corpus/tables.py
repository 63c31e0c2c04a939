"""The tables of docs/verdict.md, in Markdown, from the results of a corpus."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, Final

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, POLICIES

from .entries import Chosen
from .measured import Measured, summary
from .rows import table
from .units import SIZES, false_hits, simulated

type Results = dict[str, Any]
type Value = Callable[[Measured], float]  # a number of a summary

_COLUMNS: Final = ("dropped", "needlessly", "resumed", "recompiled", "patches", "unguarded")
_LARGEST: Final = 3
_SHOWN: Final = ("bulk_by_object", "bulk_by_object_capped", "bulk_by_facet_capped", "healing", "granular_capped")
_SECOND: Final = 1e9  # ns
_UNITS: Final = {"function": "a function", "inlined": "a function with what it inlines"}
_TIMES: Final = ((_SECOND, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_WITHOUT: Final = ("of these no trace begins in: called too rarely", "run inside traces of others")
_EXECUTORS: Final = {
    "first, in a hot function": "executors that begin in a hot function",
    "first, elsewhere": "in a function called less than 50 times",
    "at an exit": "at an exit of another",
    "again": "made again",
}
_MEDIAN: Final = 2  # of five: the least, three quartiles, the most


def runs_of(trace: Measured) -> list[Measured]:
    """Summaries of a program's runs; results from before there were several have one."""
    runs: list[Measured] = trace.get("runs") or [summary(trace)]
    return runs


def middle(trace: Measured, value: Value) -> float:
    """The median of a program's runs."""
    return median(value(run) for run in runs_of(trace))


def of_policy(name: str, count: str) -> Value:
    return lambda run: float(run["policies"][name][count])


def cost(name: str, price: str) -> Value:
    return lambda run: float(run["policies"][name]["cost"][price]) / _SECOND


def together(traces: Iterable[Measured], value: Value) -> tuple[float, float, float]:
    """Of all programs: the sum, the program in the middle, and the share of the three largest in the sum."""
    values = sorted((middle(trace, value) for trace in traces), reverse=True)
    whole = sum(values)
    return whole, median(values), sum(values[:_LARGEST]) / whole if whole else 0.0


def policies(results: Results) -> str:
    """What each policy did: sum, median program, share of the three largest."""
    head = ["policy", *(_title(name) for name in _COLUMNS)]
    rows = [
        [_named(policy), *(_three(results["traces"], of_policy(policy, name), "{:,.0f}") for name in _COLUMNS)]
        for policy in POLICIES
    ]
    return table(head, rows)


def costs(results: Results) -> str:
    """What each policy cost at each list of prices, in seconds: sum, median program, share of the three largest."""
    lists = list(results["prices"])
    head = ["policy", *(f"cost, {name}" for name in lists)]
    rows = [
        [_named(policy), *(_three(results["traces"], cost(policy, name), "{:,.2f} s") for name in lists)]
        for policy in POLICIES
    ]
    return table(head, rows)


def chosen(results: Results) -> str:
    """The policies that differ most, for each way in which programs were chosen."""
    head = ["programs", "how many", *(f"{_named(name)}: recompiled" for name in _SHOWN)]
    rows = []
    for how in Chosen:
        traces = [trace for trace in results["traces"] if _how(trace) == how]
        if traces:
            cells = (_three(traces, of_policy(name, "recompiled"), "{:,.0f}") for name in _SHOWN)
            rows.append([str(how), f"{len(traces)}", *cells])
    return table(head, rows)


def programs(results: Results, others: dict[str, Results]) -> str:
    """Each program: the median of its runs and, where runs differ, their range; then by object in other versions.

    others: by version, of the same corpus.
    """
    head = ["program", "chosen", "kind", "hot functions", "dependencies", "broken", "by object", "by facet, capped"]
    head += ["healing: recompiled", *(f"by object, {version}" for version in others)]
    rows = []
    for trace in results["traces"]:
        values = (
            lambda run: run["hot_functions"],
            lambda run: run["broken"] + run["held"],
            lambda run: run["broken"],
            of_policy("bulk_by_object", "dropped"),
            of_policy("bulk_by_facet_capped", "dropped"),
            of_policy("healing", "recompiled"),
        )
        cells = [_ranged(trace, value) for value in values]
        for other in others.values():
            there = [each for each in other["traces"] if each["title"] == trace["title"]]
            cells += [_ranged(each, of_policy("bulk_by_object", "dropped")) for each in there] or ["–"]
        rows.append([trace["title"], str(_how(trace)), trace["kind"], *cells])
    return table(head, rows)


def units(results: Results, executors: Results | None) -> str:
    """How many dependencies a unit of code has: of all programs the median of their medians, and the largest."""
    head = ["unit", "programs", "functions in it", "facets", "objects", "false hits, an ID per facet"]
    head += ["false hits, an ID per object"]
    rows = []
    for kind, name in _UNITS.items():
        found = [trace["units"][kind] for trace in results["traces"] if "units" in trace]
        if found:
            cells = [_middle_and_most(each[what] for each in found) for what in ("functions", "facets", "objects")]
            for what in ("false hits by facet", "false hits by object"):
                shares = [each[what][0] for each in found]
                cells.append(f"{median(shares):.2%}, at most {max(shares):.2%}")
            rows.append([name, f"{len(found)}", *cells])
    if executors is not None:
        of = executors["programs"].values()
        dependencies = _middle_and_most(one["counted"]["dependencies"] for one in of)
        rows.append(["a trace of CPython 3.15's JIT", f"{len(of)}", "–", "–", dependencies, "–", "–"])
    return table(head, rows)


def filters() -> str:
    """What a bloom filter of 256 bits answers to what is not in it."""
    rows = [[f"{size}", f"{false_hits(size):.2%}", f"{simulated(size):.2%}"] for size in SIZES]
    return table(["dependencies of a unit", "false hits, calculated", "counted in 20,000 filters"], rows)


def executed(executors: Results) -> str:
    """What a replay says of CPython's rule, and what its JIT did in the same program."""
    head = ["program", "chosen", "made: predicted", "if as hot as for the JIT", "counted"]
    head += ["dropped: predicted", "if as hot as for the JIT", "counted", "otherwise", "at the end"]
    head += ["dependencies each: predicted", "counted", "dropped by mistake"]
    rows = []
    for name, one in executors["programs"].items():
        predicted, counted = one["predicted"], one["counted"]
        as_hot = predicted["as hot as for the JIT"]
        cells = [predicted["made"], as_hot["made"], counted["made"]]
        cells += [predicted["dropped"], as_hot["dropped"], counted["dropped"], counted["dropped otherwise"]]
        cells += [counted["dropped at the end"]]
        cells += [predicted["dependencies"][_MEDIAN], counted["dependencies"][_MEDIAN]]
        rows.append([name, one["chosen"], *(f"{cell:,.0f}" for cell in cells), f"{counted['dropped by mistake']:,.1f}"])
    return table(head, rows)


def explained(executors: Results) -> str:
    """In which functions executors begin and in which they do not: why there are not as many as hot functions."""
    head = ["program", "chosen", "hot functions", *_WITHOUT, *_EXECUTORS.values()]
    rows = []
    for name, one in executors["programs"].items():
        why = one["explained"]
        cells = [one["predicted"]["hot functions"], *why["hot functions in which none begins"].values()]
        cells += [why["executors"][kind] for kind in _EXECUTORS]
        rows.append([name, one["chosen"], *(f"{cell:,.0f}" for cell in cells)])
    return table(head, rows)


def paid(reports: Iterable[Results]) -> str:
    """What each thing costs in each compiler: of functions that were timed the quartiles; or why there is none."""
    head = ["compiler", "what", "functions", "least", "a quarter below", "median", "three quarters below", "most"]
    rows = []
    for report in reports:
        for name, price in report["prices"].items():
            what = [report["peer"], name.replace("_", " ")]
            if "none" in price:
                rows.append([*what, f"has none: {price['none']}", *["–"] * 5])
            else:
                form = _ns if "ns" in price else "{:,.0f}".format
                rows.append([*what, f"{price['functions']:,}", *map(form, price.get("ns") or price["number"])])
    return table(head, rows)


def _ns(value: float) -> str:
    size, unit = next(((size, unit) for size, unit in _TIMES if abs(value) >= size), _TIMES[-1])
    number = value / size
    return f"{number:,.0f} {unit}" if abs(number) >= 100 else f"{number:.3g} {unit}"


def _middle_and_most(found: Iterable[list[float]]) -> str:
    """Of quartiles with the least and the most."""
    values = list(found)
    return f"{median(each[_MEDIAN] for each in values):,.0f}, at most {max(each[-1] for each in values):,.0f}"


def _how(trace: Measured) -> Chosen:
    return Chosen(trace.get("chosen", Chosen.HAND))


def _named(policy: str) -> str:
    about = POLICIES[policy]
    proposal = f" (proposal {about.proposal})" if about.proposal else ""
    return about.name_after(GIVE_UP_AFTER).replace("\u00a0", " ") + proposal


def _title(name: str) -> str:
    return COUNTS[name].title if name in COUNTS else "left unguarded"


def _three(traces: Iterable[Measured], value: Value, form: str) -> str:
    whole, middle_one, share = together(traces, value)
    return f"{form.format(whole)} · {form.format(middle_one)} · {share:.0%}" if whole else form.format(0)


def _ranged(trace: Measured, value: Value) -> str:
    values = [value(run) for run in runs_of(trace)]
    spread = "" if min(values) == max(values) else f" ({min(values):,.0f}–{max(values):,.0f})"
    return f"{median(values):,.0f}{spread}"
