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
# # A bloom filter is the smallest index of who relied on what, and finds handles that did not
#
# Every invalidation begins with one question: which handles depend on the facet that changed? In most programs most
# facets have one dependent, and a few (`len`, a module that everybody uses) have nearly all of them. The index has to
# be small for the first kind, fast for the second, and exact: a handle that is found without reason is compiled again
# for nothing.
#
# Everything here is read from the result of `./dev bench index`; [docs/the-index.md](../docs/the-index.md) describes
# the structures.

# %%
import matplotlib.pyplot as plt
import numpy as np

import results

data = results.load("index")
structures, workload = data["structures"], data["workload"]
sizes = sorted(map(int, structures))
names = sorted({name for size in structures.values() for name in size} - {"nothing"})
print(results.where(data), "; times:", data["method"]["times"])
print(f"processes that wanted a CPU meanwhile: {data['load']}; left out: {data['method']['left out']}")


def line(name, question):
    """Numbers of handles, and what was measured there; without the sizes at which this structure was left out."""
    there = [(size, structures[str(size)].get(name, {}).get(question)) for size in sizes]
    there = [(size, answer["median"]) for size, answer in there if answer]
    return [size for size, _ in there], [value for _, value in there]


def plot(axis, question, which=names):
    unit = ""
    for name in which:
        x, y = line(name, question)
        if x:
            unit = structures[str(x[0])][name][question]["unit"]
            axis.loglog(x, y, ".-", label=name, linewidth=2.5 if name == "depwatch" else 1)
    axis.set(title=question, xlabel="handles", ylabel=unit)


# %% [markdown]
# ## The workload
#
# Drawn at random, the same for each structure, so that the shares of facets by how many handles depend on them are like
# those of real programs: a quarter nobody, a third one, and one facet nearly everybody.

# %%
kinds = ("none", "one", "two", "3-16", "more")
for size in sizes:
    of = workload[str(size)]
    shares = "  ".join(f"{kind}: {of[kind]:6.1%}" for kind in kinds)
    print(f"{size:>9,} handles  {shares}  most: {of['most']:>9,}  edges a handle: {of['a handle']:.1f}")

# %% [markdown]
# ## Looking up
#
# An event on a facet with one dependent, *hot* (the facet in the caches) and *cold*; and one with about a thousand.
# Both axes are logarithmic: an exact index is flat but for the caches; a bloom filter for each handle is scanned, and
# grows with the handles.

# %%
questions = ("event, one dependent, hot", "event, one dependent, cold", "event, about 1000 dependents")
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for axis, question in zip(axes, questions, strict=True):
    plot(axis, question)
axes[0].legend(fontsize="small")
plt.show()

# %%
most = str(sizes[-1])
for name in names:
    answer = structures[most].get(name, {}).get("event, one dependent, hot")
    if answer:
        print(f"{name:18} {answer['median']:14,.1f} {answer['unit']} an event, one dependent, {sizes[-1]:,} handles")
growth = results.row(data, "growth of the event with one dependent, hot")
print(f"depwatch, from 10,000 to 1,000,000 handles: {growth['ratio']['median']:.2f} × (bound: {growth['bound']})")

# %% [markdown]
# ## Bytes an edge
#
# *Reverse* is facet to handles, what an event needs; *forward* is handle to facets, what the removal of a handle needs.
# A filter needs no forward map: dropping a handle drops its filter. Its bytes are for the handle, whatever that depends
# on. depwatch takes memory in pieces of 2 MiB: with few handles that is what counts.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
for axis, question in zip(axes, ("reverse map", "with the forward map"), strict=True):
    plot(axis, question)
axes[0].legend(fontsize="small")
plt.show()

# %%
print(f"{'bytes an edge':18} {'reverse':>10} {'and forward':>12}   {sizes[-1]:,} handles")
for name in names:
    answers = structures[most].get(name, {})
    if "reverse map" in answers:
        print(f"{name:18} {answers['reverse map']['median']:10.2f} {answers['with the forward map']['median']:12.2f}")

# %% [markdown]
# ## What a bloom filter gets wrong
#
# CPython's JIT keeps a filter of 256 bits for each executor, with six bits set for each thing depended on. That is
# small, and filled fast. It pays at look-up: with more dependencies more bits are set, until any object matches.

# %%
for name in names:
    inserted = structures[most].get(name, {}).get("edges inserted")
    if inserted:
        print(f"{name:18} {inserted['median']:6.1f} million edges inserted a second, {sizes[-1]:,} handles")

# %% [markdown]
# Handles found for an event although they do not depend on it:

# %%
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
question = "false invalidations an event"
for name in names:
    x, y = line(name, question)
    if any(y):
        axis.loglog(x, y, ".-", label=name)
    elif x:
        print(f"{name}: {max(y):.0f} false invalidations at every size")
axis.set(title=question, xlabel="handles", ylabel="handles")
axis.legend()
plt.show()

# %% [markdown]
# The formula for a filter of $m$ bits, $k$ of them set for each of $n$ things, is $(1-e^{-kn/m})^k$. It says from which
# number of dependencies on CPython's filter is of little use:

# %%
n = np.array([1, 2, 4, 8, 16, 32, 64, 128])
false = (1 - np.exp(-6 * n / 256)) ** 6
for count, share in zip(n, false, strict=True):
    print(f"{count:4} dependencies: an unrelated event invalidates with probability {share:.1e}")
edges = workload[most]["a handle"]
x, y = line("bloom", question)
expected = (1 - np.exp(-6 * edges / 256)) ** 6
print(f"this workload: {edges:.0f} each, so {expected:.1e} by the formula; measured: {y[-1] / x[-1]:.1e}")

# %% [markdown]
# The measured share is above the formula's at the mean: handles differ in how many things they depend on, and the share
# grows so steeply that those with many decide.
#
# ## Many facets at once, and handles that go
#
# A reload changes hundreds of facets of a module. That is one union; a filter is matched again for each of them.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
plot(axes[0], "union of 500 facets of a module")
plot(axes[1], "removal, an edge", [name for name in names if line(name, "removal, an edge")[0]])
axes[0].legend(fontsize="small")
plt.show()

# %% [markdown]
# ## What depwatch has
#
# One or two dependents in the facet's own eight bytes, then a sorted array, then roaring containers.

# %%
for case in (
    "bytes an edge, the reverse map",
    "union of 500 facets of a module",
    "a handle removed, in a batch of 5 %, an edge",
    "instructions for an event with one dependent, hot",
    "depwatch itself: store that breaks a facet with one dependent, hot",
):
    one = results.row(data, case)
    bound = "" if one["bound"] is None else f"(bound: {one['bound']})"
    print(f"{one['value']['median']:10.2f} {one['unit']:7} {one['case']} {bound}")

# %% [markdown]
# What a filter saves in memory and insertion has to be weighed against what its false invalidations cost. That depends
# on the compiler; for some prices of compiling once, what one event at the largest size costs:

# %%
wrong = structures[most]["bloom"]["false invalidations an event"]["median"]
for compiler, seconds in (("1 µs", 1e-6), ("1 ms", 1e-3), ("100 ms, as numba", 0.1)):
    print(f"{compiler:18} each: {wrong * seconds:10.3g} s for {wrong:,.0f} handles that did not depend on what changed")
