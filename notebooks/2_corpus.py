# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # In real programs fewer than one in twenty of the assumptions that hot code makes ever breaks
#
# The few that do break again and again. Which lever matters for them, and for which kind of program?
#
# `./dev compare --corpus` records real programs and replays each under every policy. Three things can be done about
# bulk invalidation by object, as CPython has it, and they are separate levers:
#
# | lever | what it does | policies before and after it |
# |---|---|---|
# | **granularity** | depend on the name, not on the whole dict | bulk by object → bulk by facet |
# | **giving up** | do not build on what has changed too often | bulk by facet → unstable facets given up |
# | **healing** | let code run again when a change is undone | unstable facets given up → with healing |
#
# and then the other proposal: **patching** one place instead of dropping the code. This reads
# `benchmarks/results/corpus-*.json`.

# %%
import json
from collections import Counter
from itertools import pairwise
from statistics import median

import matplotlib.pyplot as plt

import results
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER
from depwatch.compare.replay.prices import Prices
from depwatch.compare.replay.sweep import added, break_even

PRICE = "numba"  # which of the price lists costs are in
BUSY = 1.0  # changes a second in the steady state that make a program a mutating one, where the corpus does not say

files = results.found("corpus")
data = [json.loads(path.read_text()) for path in files]
traces = [trace for one in data for trace in one["traces"]]
if traces:
    broke = sum(sum(trace["lifetimes"]["broken"]) for trace in traces)
    made = broke + sum(sum(trace["lifetimes"]["still_held"]) for trace in traces)
    ways = ", ".join(f"{count} {way}" for way, count in Counter(map(results.chosen, traces)).items())
    print(f"{len(traces)} programs (chosen: {ways}) in {', '.join(path.name for path in files)}")
    print(f"{broke:,} of {made:,} dependencies of hot functions broke ({broke / max(made, 1):.1%})")
    assert 20 * broke <= made
else:
    print("There is no result of the corpus yet: ./dev compare --corpus makes one; what follows is empty until then.")


def policy(trace, name):
    """What one policy did, in the variant that is looked at; None where it was not replayed."""
    for one in trace["policies"]:
        if (one["policy"], one["hot_after"]) == (name, HOT_AFTER) and one["give_up_after"] in (None, GIVE_UP_AFTER):
            return one
    return None


def steady(trace, name, count):
    """A count of a policy after start-up."""
    one = policy(trace, name)
    return None if one is None else one["rest"][count]


def changes_a_second(trace):
    return trace["totals"]["rest"]["changes"] / max(trace["seconds"] - trace["startup_seconds"], 1e-9)


def kind(trace):
    if "kind" in trace:
        return trace["kind"]
    return "mutating" if changes_a_second(trace) >= BUSY else "quiet"


KINDS = ("quiet", "mutating")
by_kind = {name: [trace for trace in traces if kind(trace) == name] for name in KINDS}

# %% [markdown]
# ## The programs
#
# What is *mutating* and what *quiet* is said in `benchmarks/corpus.toml`, program by program, with the reason. It is no
# prediction made blindly: some were moved to the other half after their traces had been seen. How each was *chosen*
# stands beside it: by hand, or by one of the two rules of `benchmarks/corpus/rule.md`, where nobody picked.

# %%
print(f"{'program':32} {'chosen':13} {'kind':9} {'seconds':>8}", end=" ")
print(f"{'hot':>6} {'dependencies':>12} {'changes':>9} {'a second':>9}")
for trace in sorted(traces, key=changes_a_second):
    totals = trace["totals"]["rest"]
    print(
        f"{trace['title'][:32]:32} {results.chosen(trace):13} {kind(trace):9} {trace['seconds']:8.1f}"
        f" {totals['hot_functions']:6,} {totals['dependencies']:12,} {totals['changes']:9,}"
        f" {changes_a_second(trace):9.1f}"
    )

# %% [markdown]
# ## What each lever saves
#
# In the steady state: of the recompilations under bulk by object, the share that each lever takes away, in the order of
# the table above. What is left is what depwatch does. A negative share would be a lever that made things worse.

# %%
STEPS = ("bulk_by_object", "bulk_by_facet", "bulk_by_facet_capped", "healing")
LEVERS = ("granularity", "giving up", "healing")


def shares(trace, count="recompiled"):
    """Of what bulk by object does: the share that each lever saves, and what is left. None if there is nothing."""
    counts = [steady(trace, name, count) for name in STEPS]
    if None in counts or not counts[0]:
        return None
    saved = [(before - after) / counts[0] for before, after in pairwise(counts)]
    return dict(zip((*LEVERS, "left"), (*saved, counts[-1] / counts[0]), strict=True))


if traces:
    concerned = [(trace, of) for trace in sorted(traces, key=changes_a_second) if (of := shares(trace))]
    print(f"{len(traces) - len(concerned)} of {len(traces)} programs recompile nothing under bulk by object")
    figure, axis = plt.subplots(figsize=(9, 1.5 + 0.25 * len(concerned)), layout="constrained")
    names = [f"{trace['title']} ({kind(trace)}, {results.chosen(trace)})" for trace, _ in concerned]
    start = [0.0] * len(concerned)
    for part in (*LEVERS, "left"):
        widths = [of[part] for _, of in concerned]
        axis.barh(names, widths, left=start, label=part)
        start = [a + b for a, b in zip(start, widths, strict=True)]
    axis.set_xlabel("share of the recompilations under bulk by object")
    figure.legend(loc="outside upper center", ncols=4)
    plt.show()

# %% [markdown]
# By kind of program, the medians, and which lever saves most in how many programs:

# %%
for name in KINDS:
    found = [of for trace in by_kind[name] if (of := shares(trace))]
    if not found:
        continue
    medians = ", ".join(f"{part} {median(of[part] for of in found):.0%}" for part in (*LEVERS, "left"))
    most = {lever: sum(max(LEVERS, key=of.__getitem__) == lever for of in found) for lever in LEVERS}
    print(f"{name}: {len(found)} programs; medians: {medians}; saves most: {most}")

# %% [markdown]
# By how programs were chosen, the same: if the ones that nobody picked came out otherwise, picking would have made the
# answer.

# %%
for way in dict.fromkeys(map(results.chosen, traces)):
    found = [of for trace in traces if results.chosen(trace) == way and (of := shares(trace))]
    if found:
        medians = ", ".join(f"{part} {median(of[part] for of in found):.0%}" for part in (*LEVERS, "left"))
        print(f"chosen by {way}: {len(found)} programs; medians: {medians}")

# %% [markdown]
# ## Giving up without granularity
#
# The order of the levers is a choice. CPython has taken the second one first: it gives up a *dict* after six changes,
# and stays with whole objects. Recompilations after start-up, against those of the three levers together, and what
# giving up costs: dependencies that nothing guards any more, so that code has to look each time.

# %%
OTHERS = ("bulk_by_object", "bulk_by_object_capped", "cpython", "bulk_by_facet", "bulk_by_facet_capped", "healing")
for name in KINDS:
    for one in OTHERS:
        told = [policy(trace, one) for trace in by_kind[name]]
        told = [answer for answer in told if answer]
        if told:
            recompiled = sum(answer["rest"]["recompiled"] for answer in told)
            unguarded = sum(answer["unguarded"]["dependencies"] for answer in told)
            print(f"{name:9} {told[0]['title'].strip():44} {recompiled:9,} recompiled, {unguarded:7,} left unguarded")

# %% [markdown]
# ## The other proposal: patching
#
# Granular patching never drops what it can patch, and pays for it with guards and patches. Cost of a whole run under
# the price list, as a ratio to that of bulk by facet with healing: below 1 patching wins.

# %%
if traces:
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in KINDS:
        points = []
        for trace in by_kind[name]:
            healing, granular = policy(trace, "healing"), policy(trace, "granular_capped")
            if healing and granular and healing["cost"].get(PRICE):
                points.append((max(changes_a_second(trace), 0.01), granular["cost"][PRICE] / healing["cost"][PRICE]))
        if points:
            axis.plot(*zip(*points, strict=True), "o", label=name)
            ratios = [ratio for _, ratio in points]
            wins = f"{sum(ratio < 1 for ratio in ratios)} of {len(ratios)} programs"
            print(f"{name}: patching is cheaper in {wins}; median {median(ratios):.2f}")
    axis.axhline(1, color="grey", linewidth=1)
    axis.set(xscale="log", yscale="log", xlabel="changes a second", ylabel=f"granular / healing, prices of {PRICE}")
    axis.legend()
    plt.show()

# %% [markdown]
# Where the break-even lies, by price list: what recompiling would have to cost for the two to be equal.

# %%
counted = added(traces)
lists = {name: Prices(**found) for result in data for name, found in result["prices"].items()}
for a, b in (("healing", "granular_capped"), ("bulk_by_object", "granular_capped")):
    for name, prices in lists.items():
        even = break_even(counted[a], counted[b], "recompile", prices)
        at = "at no price" if even is None else f"at {even:,.0f} ns"
        print(f"{a} and {b} (others as {name}): equal {at} a recompile")

# %% [markdown]
# ## Unrelated writes
#
# What the issue asks of the mechanisms that know names: a change of a name nobody depends on drops nobody.

# %%
for name in ("bulk_by_object", "bulk_by_facet", "healing", "granular"):
    told = [answer for trace in traces if (answer := policy(trace, name))]
    if told:
        dropped = sum(answer["unrelated_drops"] for answer in told)
        print(f"{told[0]['title'].strip():32} {dropped:9,} handles dropped so")

# %% [markdown]
# ## Who does it
#
# Breaks of what hot code depends on, by who caused them, over all programs of a kind.

# %%
for name in KINDS:
    causes = {}
    for trace in by_kind[name]:
        for cause, counts in trace["causes"].items():
            group = "a library" if cause.startswith("library ") else cause
            causes[group] = causes.get(group, 0) + counts["breaks"]
    total = sum(causes.values())
    for cause, breaks in sorted(causes.items(), key=lambda item: -item[1]):
        if breaks:
            print(f"{name:9} {cause:24} {breaks:9,} breaks ({breaks / total:.0%})")

# %% [markdown]
# ## What this cannot say
#
# - A replay knows what a program's bytecode would depend on, not what a given compiler would have asked for.
# - Programs of a corpus run for seconds. What changes once a day is in none of them.
# - A function is one piece of optimized code here; traces of loops, as CPython's JIT has them, depend on less each.
