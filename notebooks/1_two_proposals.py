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
# # A write that code does not rely on drops it under proposal B of gh-91053, and not under proposal A
#
# This notebook shows it on a program of twenty lines, and then the API that the issue proposed.
#
# An optimizer for Python assumes things: that a global keeps its value, that a class finds the same method, that a
# function keeps its code. When [gh-91053](https://github.com/python/cpython/issues/91053) proposed watchers for
# functions, two ways to learn that an assumption broke were argued for:
#
# | | **A: granular** | **B: bulk** |
# |---|---|---|
# | told | each change, with its details, to a callback | that an object changed: each one relied on has an ID |
# | done | the one place in the code that relied on it is patched | all code that depends on that ID is invalidated |
# | why | right in the middle of a call; valid code is kept | one simple mechanism for dicts, functions and classes |
#
# depwatch has both on one index. What follows runs: change it and see.

# %%
import ctypes
import types

import matplotlib.pyplot as plt

import depwatch
import results

SOURCE = """\
RATE = 1.25
CURRENCY = "EUR"
DEBUG = False


class Shape:
    side = 2.0

    def area(self):
        return self.side * self.side


def convert(amount):
    return amount * RATE


def price(shape):
    if DEBUG:
        print("price of", shape)
    return convert(shape.area())
"""
program = types.ModuleType("program")
exec(compile(SOURCE, "program.py", "exec"), vars(program))
len(SOURCE.splitlines()), program.price(program.Shape())

# %% [markdown]
# ## What optimized code of `price` relies on
#
# Compiled with `convert` inlined, `price` needs seven facts. Reading them through a `Recorder` gives the value and
# records the assumption that it stays; `commit` makes the handle of the finished code, one byte of which says whether
# it may run.


# %%
def read_all(recorder):
    """What a compiler would ask for while it compiles price."""
    recorder.read_global(program.price, "DEBUG")
    recorder.read_global(program.price, "convert")
    recorder.read_function(program.convert, "code", "defaults", "kwdefaults")
    recorder.read_global(program.convert, "RATE")
    recorder.read_type_attr(program.Shape, "area")


recorder = depwatch.Recorder("price")
read_all(recorder)
print(recorder.reads, "facets read")
by_facet = recorder.commit()
by_facet

# %% [markdown]
# ## Proposal B: a set of objects
#
# The same code, depending on whole objects: the module's dict, the function and the class. One rule for all three: a
# change of anything in them retires the handle. A whole object has no value that could come back, so this is for good.

# %%
recorder = depwatch.Recorder("price, bulk")
for obj in (program, program.convert, program.Shape):
    recorder.depend_on(obj)
by_object = recorder.commit()
{getattr(obj, "__name__", obj): depwatch.id_of(obj) for obj in (program, program.convert, program.Shape)}

# %% [markdown]
# Now something changes that `price` never reads. By object, the code is lost; by facet, nobody is touched.

# %%
program.CURRENCY = "USD"
print("by object:", by_object)
print("by facet: ", by_facet)
assert by_object.retired and by_facet.valid

# %% [markdown]
# Which handles a change would reach is a look-up in the index, as a set of handle numbers. The whole module's set holds
# what any of its names would reach.

# %%
for facet in ("RATE", "CURRENCY", None):
    print(f"{facet or 'anything in program':20}", list(depwatch.dependents(program, facet)))
assert list(depwatch.dependents(program, "CURRENCY")) == []

# %% [markdown]
# And when it is something that `price` does read, the byte is set inside the store, before the change takes effect. The
# rest can wait for a `drain`: who did it, for people.

# %%
program.RATE = 1.5
print(by_facet)
print(depwatch.explain(by_facet))
assert not by_facet.valid and not by_facet.retired

# %% [markdown]
# ## Assumptions heal
#
# By facet, depwatch knows the value that was recorded. When it comes back (a `mock.patch` that is undone), the code may
# run again: two changes of one byte, and nothing compiled. An ID alone could not tell that.

# %%
program.RATE = 1.25
print(by_facet)
assert by_facet.valid

# %% [markdown]
# ## Proposal A: a place in the code
#
# A patch point is a place in the code that can be put right alone. Here it is a word that native code loads (a *value
# cell*) for `RATE`, and a byte that it tests (a *guard cell*) for `DEBUG`. These are no assumptions of the handle: a
# change patches them, and the handle stays valid.

# %%
recorder = depwatch.Recorder("price, granular")
rate = recorder.value_cell(program, "RATE", "f64")
debug = recorder.guard_cell(program, "DEBUG")
recorder.read_global(program.price, "convert")
recorder.read_function(program.convert, "code", "defaults", "kwdefaults")
recorder.read_type_attr(program.Shape, "area")
granular = recorder.commit()

program.RATE = 2.0
loaded = ctypes.c_double.from_address(rate.address).value  # what native code would load
print(f"cell: {loaded}; granular: {granular}; by facet: {by_facet}")
assert loaded == 2.0 and granular.valid and not by_facet.valid

# %% [markdown]
# ## In the middle of a call
#
# This is where the proposals differ in what is *right*, not only in what is fast. Below, optimized code adds up prices,
# and half-way a callback of the program changes `RATE`. Bulk invalidation says what may *start*; code that is already
# running goes on with what it has compiled in, unless it looks at its byte again.


# %%
def in_plain_python(shapes, meanwhile):
    total = 0.0
    for i, shape in enumerate(shapes):
        meanwhile(i)
        total += program.price(shape)
    return total


def optimize(kind):
    """Stands for machine code; what the loop reads from `byte` and `word` native code reads from these addresses."""
    recorder = depwatch.Recorder(kind)
    constant = recorder.read_global(program.convert, "RATE") if kind != "patched" else None
    word = recorder.value_cell(program, "RATE", "f64") if kind == "patched" else None
    handle = recorder.commit()
    byte = ctypes.c_ubyte.from_address(handle.broken_address)

    def loop(shapes, meanwhile):
        total = 0.0
        for i, shape in enumerate(shapes):
            meanwhile(i)
            if kind == "bulk, looking again" and byte.value:
                return total + in_plain_python(shapes[i:], lambda i: None)  # an invalidation point: leave the code
            now = ctypes.c_double.from_address(word.address).value if word else constant
            total += shape.side * shape.side * now
        return total

    return loop


def change_half_way(i):
    if i == 5:
        program.RATE = 10.0


shapes = [program.Shape() for _ in range(10)]
answers = {}
for kind in ("plain Python", "bulk", "bulk, looking again", "patched"):
    program.RATE = 1.0
    run = in_plain_python if kind == "plain Python" else optimize(kind)
    answers[kind] = run(shapes, change_half_way)
for kind, answer in answers.items():
    print(f"{kind:20} {answer:6} {'right' if answer == answers['plain Python'] else 'STALE'}")

# %% [markdown]
# Proposal A is right as it stands. Proposal B is right if the code looks at its byte where a change could have happened
# (JavaScriptCore's *invalidation points*), which costs a test of a byte for each; or if its user can live with a change
# that takes effect at the next call.

# %%
assert answers["bulk"] != answers["plain Python"]
assert answers["bulk, looking again"] == answers["patched"] == answers["plain Python"]

# %% [markdown]
# ## A change while compiling
#
# Both proposals need this: what was read must still be so when the code is published. `commit` can refuse.

# %%
recorder = depwatch.Recorder("slow to compile")
recorder.read_global(program.convert, "RATE")
program.RATE = 3.0
try:
    recorder.commit()
except depwatch.Stale as stale:
    print(stale)

# %% [markdown]
# ## The API that gh-91053 proposed
#
# A callback for every function of the process, when it is created, modified or destroyed, with the attribute and the
# new value. CPython 3.12 has it for C (`PyFunction_AddWatcher`), without the attributes that turned out to be
# read-only; depwatch has the proposal's for Python, called in a drain. It tells that a function has other code, and
# not who relied on that.

# %%
heard = []


def hear(event, function, attribute, value):
    """Of any function of the process; one that has died since is a DestroyedFunction."""
    if getattr(function, "__qualname__", None) == "rebate":
        heard.append((event.name, function.__qualname__, attribute.name))


depwatch.set_lifecycle_callback(hear)
exec("def rebate(amount, share=0.1): return amount * share", vars(program))
program.rebate.__defaults__ = (0.2,)
program.rebate.__code__ = program.convert.__code__
depwatch.drain()
depwatch.set_lifecycle_callback(None)
for one in heard:
    print(*one)
assert [one[0::2] for one in heard] == [
    ("CREATED", "NOT_APPLICABLE"),
    ("MODIFIED", "DEFAULTS"),
    ("MODIFIED", "CODE"),
]

# %% [markdown]
# Each closure and each comprehension that is a function makes two such events. What that costs, from `./dev bench
# events`:

# %%
events = results.load("events")
made = "nested function created and destroyed, no function watcher"
for case in (
    made,
    "the same under function watchers, nobody interested",
    "the same, a lifecycle callback hears of both",
):
    print(f"{results.median(events, case):8.1f} ns  {case}")

# %% [markdown]
# ## What a change costs
#
# From `./dev bench events`: what a store to a watched dict costs, as a ratio to the same under a watcher that does
# nothing.

# %%
print(f"{results.where(events)}; a store under a watcher that does nothing:", end=" ")
print(f"{results.median(events, 'store, under a watcher that does nothing'):.0f} ns")
for case in (
    "store to a watched dict, key nobody depends on",
    "the same, a live value cell (f64) depends on the key",
    "the same, the store invalidates a handle",
    "value cell that 10,000 handles share",
):
    one = results.row(events, case)
    print(f"{one['ratio']['median']:5.2f} × {one['case']}" + (f" ({one['note']})" if one["note"] else ""))
each = results.median(events, "10,000 handles invalidated by one store, a handle")
print(f"{each:5.2f} ns a handle, when one store invalidates 10,000 of them")

# %% [markdown]
# And beside those that have one of the two already (`./dev bench peers`): CinderX patches cells and empties inline
# caches; CPython's JIT invalidates in bulk, by object. How the time of one write grows with the code that depends on
# the class or module written to:

# %%
peers = results.load("peers")
names = [system["name"] for system in peers["systems"] if not system["name"].startswith("plain")]
writes = ("M.Y = v, unrelated", "C.other = v, unrelated", "M.X = v", "f.__code__ = c")
figure, axes = plt.subplots(1, len(writes), figsize=(13, 3.4), sharey=True, layout="constrained")
for axis, write in zip(axes, writes, strict=True):
    for name in names:
        line = [one for one in peers["writes"] if (one["write"], one["system"]) == (write, name)]
        if line:
            axis.loglog([one["dependents"] for one in line], [one["median"] for one in line], ".-", label=name)
    # The same under no optimizer: what grows here is what running so many functions leaves of the caches.
    line = [one for one in peers["writes"] if (one["write"], one["system"]) == (write, "depwatch")]
    axis.loglog([one["dependents"] for one in line], [one["plain"] for one in line], ":", color="grey", label="plain")
    axis.set(title=write, xlabel="dependents")
axes[0].set_ylabel("ns a write")
axes[0].legend(fontsize="small")
plt.show()

# %%
most = max(one["dependents"] for one in peers["writes"])
cell = {(one["write"], one["system"]): one for one in peers["writes"] if one["dependents"] == most}
for name in names:
    one = cell["C.other = v, unrelated", name]
    dropped = "does not tell" if one["dropped"] is None else f"{one['dropped']:,} dropped"
    print(f"C.other = v, {most:,} dependents, none concerned: {name:15} {one['median']:12,.0f} ns, {dropped}")
alike = results.row(peers, "depwatch: C.other = v")
print(f"depwatch, caches alike: {alike['ratio']['median']:.2f} × that with 1 dependent (bound: {alike['bound']})")

# %% [markdown]
# Being told is not enough: the optimizer has to rely on the right facet. In these programs a hot loop reads `o.v` or
# calls `o.m()`, `o` a global, and what it finds is replaced. Its answers, one before the change and three after it:

# %%
for program_, told in peers["answers"].items():
    right = told["right"]
    wrong = [f"{name}: {answer}" for name, answer in told.items() if answer != right]
    print(f"{program_}: right is {right!r};", ", ".join(wrong) or "all are right")

# %% [markdown]
# Which of the two a real program needs is a question about programs, not mechanisms: see
# [2_corpus](2_corpus.ipynb). What the index behind both costs is in [3_index](3_index.ipynb).
