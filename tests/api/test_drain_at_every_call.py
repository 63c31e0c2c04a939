"""Every public operation, while something else happens at each point at which it can: see interventions.py."""

import re
import types
from array import array

import pytest
from interventions import DEEDS, UNTOUCHED, Artifacts, Buffer, Mortal, Number, Optimized, Visits, Word, given, run

import depwatch
from depwatch import _core
from fuzz import labels


def committed(world, handle, **values):
    world.live[handle] = values
    return handle.valid


def commit_many(world):
    artifacts = given(Artifacts, world.visits, ["one", "two"])
    offsets, reads = array("Q", [0, 1, 2]), array("I", [0, 0])
    handles = world.recorder.commit_many(Buffer(world.visits, offsets), Buffer(world.visits, reads), artifacts)
    world.live[handles, 0], world.live[handles, 1] = {"B": 1}, {"B": 1}
    return [handle.artifact for handle in handles]


def ids_of_own(world, found):
    """Whether what is found has all of them that can be asked."""
    try:
        return [handle.id in found for handle in (world.handle, *world.handles)]
    except depwatch.Released as error:
        return error


def invalidate(world):
    def objects():
        world.visits()
        yield world.globals
        world.visits()

    world.all_may_retire = True
    found = depwatch.invalidate(objects(), given(Word, world.visits, "the shop is closed"))
    return ids_of_own(world, found)


def told_of_own(world):
    """What happens is told once, to those who are still there."""
    world.all_may_retire = True  # nobody has the old value
    world.globals["A"] = Mortal(world.visits)
    world.globals["B"] = 2
    world.globals["B"] = 1
    depwatch.drain()
    return sorted(str(name) for name, _ in world.told if name == "own listener" or name[0] in ("own", "own many"))


def a_value_that_replaces_another(world):
    """What was recorded before is dropped: handles that waited for it are retired."""
    world.all_may_retire = True
    world.globals["A"] = Mortal(world.visits)
    return type(world.recorder.read_global(world.globals, "A"))


def told_of_all(world):
    """What happens to the handle is told."""
    told = []
    listener = depwatch.on_any(lambda event: told.append((event.what, event.handle)))
    world.visits()
    try:
        world.handle.retire("enough")
    except depwatch.Released:
        told.append(("retired", world.handle))
    depwatch.drain()
    listener.cancel()
    return ("retired", world.handle) in told


def install(world):
    function = types.FunctionType(world.function.__code__, world.globals, "another", (0,))
    entry = depwatch.install(function, Optimized(world.visits), world.handle)
    return function(), entry.function is function, entry.remove()


def called(world):
    def cells():
        world.visits()
        yield world.recorder.value_cell(world.function, "F", "f64")
        world.visits()

    return depwatch.guarded_builtin("fast".format, Optimized(world.visits), cells=cells())


def rely(world):
    def variables():
        world.visits()
        yield types.CellType(1), types.CellType(1)
        world.visits()

    entry = called(world)
    entry.rely(world.handle, variables())
    entry.rely(None)
    return entry.handle


def life(world):
    depwatch.set_lifecycle_callback(lambda *told: world.visits())
    depwatch.get_lifecycle_callback()
    types.FunctionType(world.function.__code__, world.globals)
    depwatch.drain()
    depwatch.set_lifecycle_callback(None)


def created(world):
    subscription = depwatch.subscribe_created(world.call("own created"), world.function.__code__)
    types.FunctionType(world.function.__code__, world.globals)
    depwatch.drain()
    subscription.cancel()
    return [name for name, _ in world.told if name == "own created"]


# By the public name that is meant. Each works on what is called so in World, and gives something to compare.
OPERATIONS = {
    "Recorder": lambda world: depwatch.Recorder(given(Word, world.visits, "new"), given(Number, world.visits, 5)).name,
    "Recorder.read": lambda world: world.recorder.read(world.function, "B"),
    "Recorder.read of an absence": lambda world: world.recorder.read(world.module, "absent", default=None),
    "Recorder.read of a Fact": lambda world: world.recorder.read(depwatch.Fact(Mortal(world.visits))) is not None,
    "Recorder.read_global": lambda world: world.recorder.read_global(world.function, "B"),
    "Recorder.read_global of a dict": lambda world: world.recorder.read_global(world.globals, "B"),
    "Recorder.read_global of another value": a_value_that_replaces_another,
    "Recorder.read_attr": lambda world: world.recorder.read_attr(world.module, "A"),
    "Recorder.read_type_attr": lambda world: world.recorder.read_type_attr(world.cls, "A"),
    "Recorder.read_function": lambda world: world.recorder.read_function(world.function, "defaults", "kwdefaults"),
    "Recorder.read_all": lambda world: world.recorder.read_all(
        world.visits.apart(lambda: depwatch.discover(world.function))
    ),
    "Recorder.depend_on": lambda world: world.recorder.depend_on(world.module),
    "Recorder.value_cell": lambda world: world.recorder.value_cell(world.function, "F", "f64").value,
    "Recorder.guard_cell": lambda world: world.recorder.guard_cell(world.function, "B").value,
    "Recorder.commit": lambda world: committed(world, world.recorder.commit(Mortal(world.visits)), B=1),
    "Recorder.commit_many": commit_many,
    "Recorder.close": lambda world: world.recorder.close(),
    "Handle.retire": lambda world: world.handle.retire(given(Word, world.visits, "enough")),
    "Handle.release": lambda world: world.handle.release(),
    "Handle.artifact": lambda world: world.handles[0].artifact,
    "Handles.__getitem__": lambda world: world.handles[given(Number, world.visits, 1)].name,
    "Handles.__getitem__ of a slice": lambda world: [
        handle.name for handle in world.handles[given(Number, world.visits, 0) :]
    ],
    "Handles.__iter__": lambda world: [handle.artifact for handle in world.handles],
    "Handles.retire": lambda world: world.handles.retire(given(Word, world.visits, "enough")),
    "Handles.release": lambda world: world.handles.release(),
    "Subscription.cancel": lambda world: world.subscription.cancel(),
    "Entry.remove": lambda world: world.entry.remove(),
    "Entry.original": lambda world: world.entry.original(),
    "dependents": lambda world: ids_of_own(world, depwatch.dependents(world.globals)),
    "dependents of a name": lambda world: [
        world.handle.id in depwatch.dependents(world.globals, name) for name in ("A", "B", "F")
    ],
    "assume": lambda world: depwatch.assume(world.function, allow="all").valid,
    "discover": lambda world: [read.name for read in depwatch.discover(world.function).reads],
    "drain": told_of_own,
    "explain": lambda world: re.sub(r"(handle|object) \d+", r"\1", depwatch.explain(world.handle)),
    "forget_breaks": lambda world: depwatch.forget_breaks(world.globals),
    "id_of": lambda world: depwatch.id_of(world.cls) == depwatch.id_of(world.cls),
    "guarded": lambda world: depwatch.guarded(world.handle, Optimized(world.visits), world.function)(),
    "guarded_builtin": lambda world: type(called(world)),
    "GuardedBuiltin.function": lambda world: called(world).function(),
    "GuardedBuiltin.rely": rely,
    "install": install,
    "look": lambda world: depwatch.look(world.function, "B"),
    "on_any": told_of_all,
    "invalidate": invalidate,
    "set_lifecycle_callback": life,
    "stats": lambda world: type(depwatch.stats()),
    "subscribe": lambda world: depwatch.subscribe(world.call("own new"), world.globals, "A").cancel(),
    "subscribe_created": created,
}
if labels.SUPPORTED:
    OPERATIONS["Recorder.jump_label"] = lambda world: labels.new(world.recorder, world.function, "B").value
# What runs no Python at all, and so cannot be interrupted.
AT_ONCE = {
    "Handle": (
        "assumptions",
        "breaks",
        "broken",
        "broken_address",
        "broken_facets",
        "check",
        "id",
        "name",
        "reason",
        "released",
        "retired",
        "valid",
    ),
    "Handles": (
        "assumptions",
        "breaks",
        "broken_addresses",
        "broken_facets",
        "check",
        "ids",
        "name",
        "released",
        "retired",
        "valid",
    ),
    "HandlesListener": ("cancel", "listener"),
    "Fact": ("name", "set", "value"),  # what a store of the program's runs, set() runs
    "Entry": ("active", "function", "function_name", "handle", "installed", "optimized"),
    "GuardedBuiltin": ("active", "changed", "fast", "handle", "slow"),
    "GuardCell": ("address", "holds", "name", "value"),
    "JumpLabel": ("address", "holds", "name", "target", "value"),
    "Subscription": ("listener",),
    "ValueCell": ("address", "guard_address", "kind", "name", "value"),
}
# And here all is done before the program's code can run.
ONE_STEP = ("Recorder.close", "Handle.release", "Handles.release", "Subscription.cancel", "Entry.original")
FEW = 8  # points of an operation that the quick test looks at
NOT_ASKED = (
    "MISSING",
    "UNKNOWN",
    "breaks_address",
    "get_include",
    "get_lifecycle_callback",
)  # they reach nothing that can change


def outcome(result):
    """Comparable."""
    return (type(result), str(result)) if isinstance(result, BaseException) else result


def outcome_differs(name, deed, result, expected):
    if outcome(result) == expected:
        return False
    if deed in UNTOUCHED:
        return True
    # What was done to it in between shows in what is answered, or in a documented error.
    return isinstance(result, BaseException) and not isinstance(result, depwatch.DepwatchError)


def points_of(name, every_bytecode):
    """(what the operation gives when nothing happens inside it, at how many points something could)"""
    visits = Visits(every_bytecode=every_bytecode)
    expected = outcome(run(OPERATIONS[name], visits))
    assert (visits.n == 0) == (name in ONE_STEP)
    return expected, visits.n


def wrong_at(name, places, every_bytecode):
    """What goes wrong: (deed, point, problem). places: of (deed, point)."""
    expected, _ = points_of(name, every_bytecode)
    wrong = []
    for deed, at in places:
        visits = Visits(at, every_bytecode=every_bytecode)
        try:
            result = run(OPERATIONS[name], visits, DEEDS[deed])
        except Exception as error:
            wrong.append((deed, at, repr(error)))
            continue
        if outcome_differs(name, deed, result, expected):
            wrong.append((deed, at, result))
    return wrong


def in_turn(points):
    """Another deed at each."""
    return [(list(DEEDS)[i % len(DEEDS)], at) for i, at in enumerate(points)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_happens_at_a_line_inside_an_operation_breaks_nothing(name, few_objects):
    _, points = points_of(name, every_bytecode=False)
    chosen = range(1, points + 1, max(1, points // FEW)) if points > FEW else [*range(1, points + 1)] * len(DEEDS)
    assert wrong_at(name, in_turn(chosen), every_bytecode=False) == []


def retire_by_number(world):
    number = world.handle.id
    world.visits()
    for handle in world.handles_now():
        if handle.id == number:
            handle.retire("enough")


def test_an_operation_that_acts_on_a_number_is_found(few_objects, monkeypatch):
    monkeypatch.setitem(OPERATIONS, "by number", retire_by_number)
    found = wrong_at("by number", [(deed, 1) for deed in DEEDS], every_bytecode=False)
    assert [(deed, at) for deed, at, _ in found] == [("it ends", 1)]
    assert "'new" in found[0][2]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_happens_between_two_bytecodes_of_an_operation_breaks_nothing(name, few_objects):
    _, points = points_of(name, every_bytecode=True)
    assert wrong_at(name, in_turn(range(1, points + 1)), every_bytecode=True) == []


def public():
    for name in depwatch.__all__:
        thing = getattr(depwatch, name)
        if not isinstance(thing, type):
            yield name
        elif issubclass(thing, (_core.Ours,)):
            own = vars(thing) if thing is depwatch.Recorder else dict.fromkeys(dir(thing))
            yield from (f"{name}.{each}" for each in own if not each.startswith("_"))


def test_every_public_operation_is_among_those_that_are_interrupted():
    asked = {name.partition(" ")[0] for name in OPERATIONS} | set(NOT_ASKED)
    asked |= {f"{kind}.{name}" for kind, names in AT_ONCE.items() for name in names}
    assert [name for name in public() if name not in asked] == []
