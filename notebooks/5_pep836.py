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
# # In real programs a hot function relies on fewer than ten things
#
# [PEP 836](https://peps.python.org/pep-0836/) (a draft of July 2026) proposes a JIT for CPython that compiles
# methods, not traces, and works with free threading. It leaves four questions open that recorded programs can answer
# in part. Each is quoted below; the data are those of `./dev compare --corpus`, as in [2_corpus](2_corpus.ipynb).

# %%
import random
from collections import Counter

import results
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER

files = results.found("corpus")
data = results.load("corpus") if files else {"traces": [], "prices": {}}
traces = data["traces"]


def policy(trace, name):
    """What one policy did, in the variant that is looked at."""
    return next(
        one
        for one in trace["policies"]
        if (one["policy"], one["hot_after"]) == (name, HOT_AFTER) and one["give_up_after"] in (None, GIVE_UP_AFTER)
    )


def added(name, count, phase="whole"):
    return sum(policy(trace, name)[phase][count] for trace in traces)


if traces:
    whole = [trace["totals"]["whole"] for trace in traces]
    each = sum(one["dependencies"] for one in whole) / sum(one["hot_functions"] for one in whole)
    broke = sum(sum(trace["lifetimes"]["broken"]) for trace in traces)
    held = sum(sum(trace["lifetimes"]["still_held"]) for trace in traces)
    ways = ", ".join(f"{count} {way}" for way, count in Counter(map(results.chosen, traces)).items())
    print(f"{len(traces)} programs (chosen: {ways})")
    print(f"{each:.1f} dependencies a hot function; {broke / (broke + held):.1%} ever break")
    assert each < 10
else:
    print("There is no result of the corpus yet: ./dev compare --corpus makes one; what follows is empty until then.")

# %% [markdown]
# ## 1. “removing their guards altogether may be unsafe in free-threading”
#
# The PEP's authors expect 1 to 2 % from putting the guards back that dict and type watchers have saved. What would
# the guards cost here? The policy *granular* tests one for each place that can be patched, once a call; a look-up in
# a loop would be tested more often. The price of a guard is that of a load and a comparison beside other work.

# %%
guards, seconds = (added("granular", "guards"), sum(trace["seconds"] for trace in traces)) if traces else (0, 1.0)
for ns in sorted({prices["guard"] for prices in data["prices"].values()}):
    share = guards * ns / 1e9 / seconds
    print(f"{guards:,} guards at {ns} ns each are {share:.3%} of the {seconds:,.0f} s that the programs took")

# %% [markdown]
# That is far below what the authors expect, and leaves out what a guard keeps an optimizer from doing: a value that
# is not known to stay cannot be folded. depwatch needs the GIL, and says nothing on what a watcher costs without it.
#
# ## 2. “We do not have a strong pulse on whether the JIT currently benefits larger real-world workloads”
#
# How much code would CPython's own rule (a dict is given up after six changes, filters drop some by mistake) drop
# after start-up?

# %%
dropped = sorted(
    ((policy(trace, "cpython")["rest"]["dropped"], f"{trace['title']}, {results.chosen(trace)}") for trace in traces),
    reverse=True,
)
if traces:
    total = sum(number for number, _ in dropped)
    none = sum(number == 0 for number, _ in dropped)
    print(f"{none} of {len(traces)} programs drop nothing; the median program drops {dropped[len(dropped) // 2][0]:,}")
    three = ", ".join(f"{title} ({number:,})" for number, title in dropped[:3])
    share = sum(number for number, _ in dropped[:3]) / max(total, 1)
    print(f"three programs have {share:.0%} of the {total:,}: {three}")
    needlessly = added("cpython", "needlessly", "rest")
    print(f"{needlessly:,} of them needlessly ({needlessly / max(total, 1):.0%}): no value relied on had changed")

# %% [markdown]
# ## 3. “Evolve the frontend from trace recording to method-based”
#
# A method that inlines relies on more than a trace does. CPython has a filter of 256 bits for each piece of code,
# with six bits for each thing relied on, and three things that all rely on. How often is it hit by a change of
# something else? Drawn at random, with a fixed seed:

# %%
BITS, HASHES, ALWAYS, FILTERS, CHANGES = 256, 6, 3, 200, 200
draw = random.Random(836)


def some_bits():
    bits = 0
    for _ in range(HASHES):
        bits |= 1 << draw.randrange(BITS)
    return bits


wrong = {}
for dependencies in (4, 8, 64, 256):
    filters = []
    for _ in range(FILTERS):
        bits = 0
        for _ in range(dependencies + ALWAYS):
            bits |= some_bits()
        filters.append(bits)
    hits = 0
    for _ in range(CHANGES):
        changed = some_bits()
        hits += sum(changed & ~bits == 0 for bits in filters)
    wrong[dependencies] = hits / (FILTERS * CHANGES)
    print(f"{dependencies:4} dependencies: {wrong[dependencies]:7.2%} of unrelated changes drop the code")
assert wrong[8] < 0.01 < 0.1 < wrong[64] < wrong[256]
if traces:
    false, all_of_them = added("cpython", "false_drops"), added("cpython", "dropped")
    print(f"in the corpus, a function each: {false:,} of {all_of_them:,} drops are such mistakes")

# %% [markdown]
# With functions as they are the filter is good enough; with 64 dependencies it is not. Recorded functions inline
# nothing here, so how many dependencies a method of the new frontend would have is not known.
#
# ## 4. “improving the pre-existing interfaces are best left to a separate PEP”
#
# The authors mean those by which JITs of others live (PEP 523), and such a JIT needs to be told of changes, too. What
# would a finer interface save? Recompilations after start-up, in all programs together, if what is watched is a key and
# not a dict; if it is given up by key; and if code may come back when a value does:

# %%
STEPS = {
    "cpython": "CPython's rule",
    "bulk_by_facet_capped": "by key, given up by key",
    "healing": "and code comes back",
}
for name, title in STEPS.items():
    unguarded = sum(policy(trace, name)["unguarded"]["dependencies"] for trace in traces)
    print(f"{title:24} {added(name, 'recompiled', 'rest'):8,} recompiled, {unguarded:6,} dependencies left unguarded")
if traces:
    assert added("healing", "recompiled", "rest") <= added("cpython", "recompiled", "rest")

# %% [markdown]
# ## What this cannot say
#
# - No code was in fact compiled by CPython's JIT: these are predictions from what the programs looked up and changed.
#   [What it did in some of them](../docs/executors.md) stands beside a prediction, and why they differ.
# - Programs of a corpus run for seconds, in one thread for the most part.
# - Nothing here was run on a free-threaded build.
