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
# # numba's code goes on with the value that a global had when it was compiled; depwatch's does not
#
# numba builds the globals that a function reads into its code, once. Its documentation says so, and the issues ask for
# the opposite ([numba#3267](https://github.com/numba/numba/issues/3267), open). It is a good place to compare the two
# proposals, as compiling is dear there and a call is not.
#
# `depwatch.integrations.numba.njit` takes the place of numba's, under a policy: `"bulk"` compiles values in and
# invalidates; `"granular"` has scalars in cells that the code loads.

# %%
import time

import matplotlib.pyplot as plt
import numba

import results
from depwatch.integrations.numba import njit, stats

RATE = 1.25


def price(x):
    return x * RATE


stale, bulk, granular = numba.njit(price), njit(policy="bulk")(price), njit(policy="granular")(price)
versions = {"plain numba": stale, "bulk": bulk, "granular": granular}


def show(what):
    answers = "   ".join(f"{name} {function(10.0):5}" for name, function in versions.items())
    compiled = f"compiled: bulk {stats(bulk).compiled}, granular {stats(granular).compiled}"
    print(f"{what:24} Python {price(10.0):5}   {answers}   {compiled}")


# %%
show("at first")
RATE = 1.5
show("RATE = 1.5")
assert (stale(10.0), bulk(10.0), granular(10.0)) == (12.5, 15.0, 15.0)
RATE = 1.25
show("RATE = 1.25, as it was")
assert stats(bulk).compiled == 2 and stats(granular).compiled == 1

# %% [markdown]
# Plain numba answers for ever what was right when it compiled. Bulk compiled once more for the new value, and put the
# first code back for the old one without compiling. Granular never compiled again.
#
# ## What the user waits for
#
# The first call after a change, timed once, here: an example, not a measurement.

# %%
waited = {}
for name, function in versions.items():
    RATE += 1.0
    start = time.perf_counter()
    function(10.0)
    waited[name] = time.perf_counter() - start
for name, seconds in waited.items():
    right = "right" if versions[name](10.0) == price(10.0) else "stale"
    print(f"{name:12} {seconds * 1e3:8.3f} ms   {right}")

# %% [markdown]
# Measured, by `./dev bench numba`:

# %%
data = results.load("numba")
print(results.where(data))
times = {
    "granular: store and call": results.median(data, "a global changed, a cell follows") / 1e3,
    "bulk: mock.patch undone,\n4 functions called": results.median(data, "bulk: mock.patch of a global, undone"),
    "bulk: kept code put back,\na function": results.median(data, "bulk: kept code put back"),
    "bulk: a new value,\n4 called, 3 compiled": results.median(data, "bulk: a new value") * 1e3,
    "plain numba: recompile()": results.median(data, "recompile() of plain numba") * 1e3,
}
figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
bars = axis.barh(list(times), list(times.values()))
axis.bar_label(bars, [f"{us:,.0f} µs" if us >= 100 else f"{us:.2g} µs" for us in times.values()], padding=4)
axis.set(xscale="log", xlabel="µs until the answer is right again", xlim=(None, max(times.values()) * 20))
axis.invert_yaxis()
plt.show()
factor = results.median(data, "that many times as long")
print(f"recompile() takes {factor:,.0f} times as long as a store and a call with a cell")

# %% [markdown]
# ## What it costs when nothing changes
#
# A cell is a load where a constant could have been folded. Ratios to plain numba, of samples taken in turn:

# %%
cases = ["a call that reads nothing", "a call that loads a cell", "a call, 8 globals watched"]
cases += [row["case"].strip() for row in data["rows"] if row["case"].startswith("cells in a")]
for case in cases:
    one = results.row(data, case)
    bound = "" if one["bound"] is None else f"(bound: {one['bound']})"
    print(f"{one['ratio']['median']:6.2f} × {case} {bound}")

# %% [markdown]
# One case stands out: a `nogil` loop must load on every iteration, as others may store meanwhile, so LLVM cannot
# vectorize it. Elsewhere the load is moved out of the loop, and put back behind anything that could run Python code.

# %%
loops = [one for one in data["rows"] if one["case"].startswith("cells in a")]
worst = max(loops, key=lambda one: one["ratio"]["median"])
print(f"dearest: {worst['case']}: {worst['ratio']['median']:.1f} ×")

# %% [markdown]
# ## Bulk is cheap until somebody calls
#
# Taking the right to run from a function is a store to one byte, in bulk for all that depend on a name. Nothing is
# compiled in the store; that comes with the next call, if one comes.

# %%
lose = results.median(data, "bulk: 100 functions lose or get back the right to run")
loads = results.row(data, "a store to a global that 1,000 compiled functions load")
print(f"bulk: {lose:.1f} ns a function")
print(f"granular: {loads['value']['median']:.0f} ns a store, {loads['ratio']['median']:.2f} × that for one function")

# %% [markdown]
# ## So
#
# - A scalar that changes belongs in a cell: the price is a load, and never a compilation.
# - What numba must know to compile (types, callees, arrays, strings) cannot be in a cell. There bulk by facet with
#   healing does what granular patching could not.
# - A call that runs while something that is built in changes goes on as it began, as with any bulk invalidation: see
#   [1_two_proposals](1_two_proposals.ipynb), and [docs/numba.md](../docs/numba.md) for what is guaranteed.
