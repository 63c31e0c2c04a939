"""The index against its naive twin in model.py: random changes, reads, commits and releases, each step checked."""

import random
import sys
from array import array

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from model import MISSING, Model

import depwatch
from depwatch import _core
from support import (
    UNKNOWN,
    Counted,
    byte_at,
    dependents,
    freeze,
    namespace,
    same,
    seen_in,
    store_at_once,
    without_automatic_drain,
)

NAMES = ["x", "y", "z"]
OBJECTS = [object(), ["list"]]
SCALARS = [10**6, 2**70, 1.5, "sn\u00f6"]  # few values, so that changes are often undone
BASES = [("A",), ("B",), ("A", "B"), ("B", "A")]

names = st.sampled_from(NAMES)
values = st.integers(0, len(OBJECTS) + len(SCALARS) - 1)
slots = st.integers(0, 2)  # of a namespace, a recorder
owners = st.one_of(slots, st.sampled_from("ABCD"))
places = st.one_of(slots, st.sampled_from(["A", "B", "C", "D", "builtins"]))


def value_of(number):
    """The same object each time, or a scalar that is equal but new each time where CPython has no such object yet."""
    if number < len(OBJECTS):
        return OBJECTS[number]
    scalar = SCALARS[number - len(OBJECTS)]
    if type(scalar) is str:
        return "".join(list(scalar))
    return type(scalar)(repr(scalar))


class Compilation:
    def __init__(self, unstable_after):
        self.recorder = depwatch.Recorder("compilation", unstable_after)
        self.unstable_after = unstable_after
        self.reads = []
        self.guards = []
        self.cells = []  # (facet, real)


class Machine(RuleBasedStateMachine):
    """Runs in a thread that is not the main one: nothing drains but what is said here."""

    def __init__(self):
        super().__init__()
        depwatch.drain()
        A, B = type("A", (), {"x": OBJECTS[0]}), type("B", (), {"x": OBJECTS[1], "y": 1})
        C = type("C", (A,), {})
        D = type("D", (C,), {"z": "z"})
        self.model = Model({"x": OBJECTS[0], "y": "builtin"}, [A, B, C, D])
        self.made = 0
        self.keys = []
        for slot in range(3):
            self.keys.append(None)
            self.new_namespace(slot)
        self.compilations = {}
        self.guards, self.cells, self.committed = [], [], {}  # of handles: handle -> its guards and cells

    # --- changes

    def new_namespace(self, slot):
        self.made += 1
        self.keys[slot] = self.made
        self.model.versions[self.made] = 0
        self.model.namespaces[self.made] = {"__builtins__": self.model.builtins, "x": OBJECTS[0]}

    def owner(self, which):
        return self.keys[which] if isinstance(which, int) else which

    def real(self, owner):
        return self.model.namespaces[owner] if isinstance(owner, int) else self.model.classes[owner]

    def reader_of(self, owner):
        """What to read from. A function: that a dict keeps its builtins is an assumption which the twin lacks."""
        return seen_in(self.real(owner)) if isinstance(owner, int) else self.real(owner)

    def change(self, place, action):
        """Apply the action to the dict at that place, if it changes anything there."""
        if isinstance(place, int):
            mapping = self.model.namespaces[place]
            before = dict(mapping)
            action(mapping)
            changed = before.keys() != mapping.keys() or any(before[name] is not mapping[name] for name in before)
            self.model.changed(place if changed else None)
        else:
            action(self.model.mapping(place))
            self.model.changed()

    @rule(which=places, name=names, numbers=st.lists(values, min_size=1, max_size=3))
    def store_some(self, which, name, numbers):
        for number in numbers:
            self.store(which, name, number)

    @rule(which=places, name=names, number=values)
    def store(self, which, name, number):
        place, value = self.owner(which), value_of(number)
        if place in self.model.classes:
            setattr(self.model.classes[place], name, value)
            self.model.changed()
        else:
            self.change(place, lambda mapping: mapping.__setitem__(name, value))

    @rule(which=places, name=names)
    def delete(self, which, name):
        place = self.owner(which)
        if name not in self.model.mapping(place):
            return
        if place in self.model.classes:
            delattr(self.model.classes[place], name)
            self.model.changed()
        else:
            self.change(place, lambda mapping: mapping.__delitem__(name))

    @rule(which=slots, number=values)
    def clear_and_clone(self, which, number):
        key = self.owner(which)
        source = {"__builtins__": self.model.builtins} | dict.fromkeys(NAMES[: number % 4], value_of(number))
        self.change(key, dict.clear)
        self.change(key, lambda mapping: mapping.update(source))

    @rule(which=slots, name=names, number=values)
    def update_from_an_odd_key(self, which, name, number):
        """It finds the key that is there; one that is not is kept, and refused (tests/event/test_odd_keys.py)."""
        odd = type("Odd", (str,), {})(name)
        value = value_of(number)
        if name not in self.model.mapping(self.owner(which)):
            return
        self.change(self.owner(which), lambda mapping: mapping.__setitem__(odd, value))

    @rule(bases=st.sampled_from(BASES))
    def change_bases(self, bases):
        self.model.classes["C"].__bases__ = tuple(self.model.classes[name] for name in bases)
        self.model.changed()

    @rule(which=slots)
    def a_namespace_dies(self, which):
        key = self.owner(which)
        self.model.died(key)
        self.model.changed()
        self.new_namespace(which)

    # --- compilations

    def compilation(self, slot):
        if slot not in self.compilations:
            self.compilations[slot] = Compilation([2, 4, 60000][slot])
        return self.compilations[slot]

    def settle(self):
        depwatch.drain()
        self.check_settled()

    def read_real(self, facet, reader, kind):
        """What this way of reading returns, or MISSING; None where the facet is unstable."""
        owner, name = facet
        of_type = owner in self.model.classes
        try:
            if kind == "guard":
                return reader.recorder.guard_cell(self.reader_of(owner), name)
            if of_type:
                return reader.recorder.read_type_attr(self.real(owner), name)
            return reader.recorder.read_global(self.reader_of(owner), name)
        except (AttributeError, NameError) as error:
            assert type(error) is (AttributeError if of_type else NameError)
            return MISSING
        except depwatch.Unstable:
            assert self.model.facets[facet].breaks_at_most >= reader.unstable_after
            return None

    @rule(slot=slots, which=owners, name=names)
    def read(self, slot, which, name):
        self.settle()
        reader, facet = self.compilation(slot), (self.owner(which), name)
        found = self.read_real(facet, reader, "read")
        assert found is None or found is self.model.now(facet)
        if found is not None and found is not MISSING:
            reader.reads.append(self.model.read(facet))

    @rule(slot=slots, which=slots)
    def read_whole(self, slot, which):
        self.settle()
        reader, key = self.compilation(slot), self.owner(which)
        reader.recorder.depend_on(self.model.namespaces[key])
        reader.reads.append(self.model.read((key, None)))

    @rule(slot=slots, which=owners, name=names)
    def guard(self, slot, which, name):
        self.settle()
        reader, facet = self.compilation(slot), (self.owner(which), name)
        found = self.read_real(facet, reader, "guard")
        assert (found is MISSING) == (found is not None and self.model.now(facet) is MISSING)
        if found is not None and found is not MISSING:
            reader.guards.append(self.model.guard(found, facet))

    @rule(slot=slots, which=owners, name=names, kind=st.sampled_from(["object", "i64", "f64"]))
    def value_cell(self, slot, which, name, kind):
        self.settle()
        reader, facet = self.compilation(slot), (self.owner(which), name)
        try:
            cell = reader.recorder.value_cell(self.reader_of(facet[0]), name, kind)
        except (NameError, AttributeError):
            assert self.model.now(facet) is MISSING
        except TypeError:
            assert not fits(self.model.now(facet), kind)
        else:
            reader.cells.append((facet, cell))

    @rule(slot=slots, reads=st.lists(st.tuples(owners, names), min_size=1, max_size=4), guards=st.booleans())
    def compile_at_once(self, slot, reads, guards):
        for which, name in reads:
            self.read(slot, which, name)
            if guards:
                self.guard(slot, which, name)
        self.commit(slot)

    @rule(slot=slots)
    def commit(self, slot):
        self.settle()
        reader = self.compilations.pop(slot, None)
        if reader is None:
            return
        fresh = self.model.is_fresh(reader.reads)
        try:
            real = reader.recorder.commit(undone="allow")
        except depwatch.Stale:
            assert not fresh
            self.end(reader.guards)
        else:
            assert fresh
            handle = self.model.commit(real, reader.reads, reader.unstable_after)
            self.committed[handle] = (reader.guards, reader.cells)
            assert real.valid
        self.model.finished(reader.reads)

    def end(self, guards):
        for guard in guards:
            self.model.drop_guard(guard)

    @rule(slot=slots)
    def drop_recorder(self, slot):
        if reader := self.compilations.pop(slot, None):
            self.model.finished(reader.reads)
            self.end(reader.guards)
            reader.recorder.close()

    @rule(which=st.integers(0, 20))
    def release(self, which):
        if self.committed:
            handle = list(self.committed)[which % len(self.committed)]
            guards, _ = self.committed.pop(handle)
            self.end(guards)
            handle.real.release()
            handle.gone = "released"

    @rule(which=st.integers(0, 20))
    def retire(self, which):
        if self.committed:
            handle = list(self.committed)[which % len(self.committed)]
            if handle.real.retire("by hand"):
                handle.gone = handle.gone or "by hand"

    # --- what must be so

    @invariant()
    def both_sides_of_the_index_agree(self):
        _core.check_index()

    @invariant()
    def a_valid_handle_may_run(self):
        """At any moment, drained or not."""
        for handle in self.committed:
            byte = byte_at(handle.real.broken_address)
            assert (byte == 0) is handle.real.valid
            assert byte >= self.model.broken(handle)
            assert byte == 255 or handle.gone in (None, "another value")

    @invariant()
    def a_raised_guard_tells_the_truth(self):
        for guards, cells in self.everything_with_cells():
            for guard in guards:
                if byte_at(guard.real.address):
                    assert not guard.superseded
                    assert same(guard.value, self.model.now(guard.facet))
            for facet, cell in cells:
                if byte_at(cell.guard_address):
                    assert same(cell.value, self.model.now(facet))

    def everything_with_cells(self):
        return [*self.committed.values(), *((reader.guards, reader.cells) for reader in self.compilations.values())]

    @rule()
    def drain(self):
        self.settle()
        assert depwatch.drain() == 0
        for place in [*self.keys, *self.model.classes, "builtins"]:
            real = self.model.builtins if place == "builtins" else self.real(place)
            for name in [*NAMES, "nobody"]:
                assert dependents(real, name) == self.model.dependents(place, name), (place, name)
            everything = set().union(*(self.model.dependents(place, name) for name in NAMES))
            assert dependents(real) >= everything

    def check_settled(self):
        """After a drain: what holds is valid, what does not is broken, exactly; nothing is retired without reason."""
        for handle in list(self.model.handles):
            real = handle.real
            if handle.gone is None and real.retired:
                assert "too often" in real.reason
                assert any(self.model.facets[f].breaks_at_most >= handle.unstable_after for f in handle.wants)
                handle.gone = "unstable"
            elif handle.gone is None:
                assert real.broken == self.model.broken(handle)
            else:
                assert real.released or real.retired
        self.model.settled()
        for guards, cells in self.everything_with_cells():
            for guard in guards:
                expected = not guard.superseded and same(guard.value, self.model.now(guard.facet))
                assert byte_at(guard.real.address) == expected
            for facet, cell in cells:
                assert byte_at(cell.guard_address) == fits(self.model.now(facet), cell.kind)
                assert cell.value is UNKNOWN or same(cell.value, self.model.now(facet))

    def teardown(self):
        for handle in self.committed:
            handle.real.release()
        self.compilations.clear()
        depwatch.drain()


def fits(value, kind):
    if kind == "object":
        return value is not MISSING
    if kind == "f64":
        return type(value) is float
    return type(value) is int and -(2**63) <= value < 2**63


def handles_up_to(last):
    """Handles without dependencies, so that the next ones have IDs after the last."""
    recorder = depwatch.Recorder("filler")
    n = max(0, last - depwatch.stats()["handles"])
    made = recorder.commit_many(array("Q", [0] * (n + 1)), array("I"))
    recorder.close()
    return made


@pytest.mark.parametrize("last", [0, *(pytest.param(n * 2**16 - 8, marks=pytest.mark.slow) for n in (1, 2))])
@without_automatic_drain
def test_the_index_does_what_its_naive_twin_does(last):
    """With handle IDs from 0 on, and around multiples of 2**16."""
    filler = handles_up_to(last)
    examples = settings.default.max_examples * 4 // 5
    if hasattr(sys, "gettotalrefcount"):
        examples //= 4  # debug builds are slow
    suite = settings(max_examples=examples, stateful_step_count=60)
    try:
        run_state_machine_as_test(Machine, settings=suite)
    finally:
        filler.release()
        depwatch.drain()


# --- exact sets of every size ----------------------------------------------------------------------------------------


def test_dependents_are_exact_at_every_size_and_in_any_order_of_removal():
    numbers = random.Random(0)
    globals_ = namespace(X=1)
    handles = []
    for size in [*range(1, 20), 62, 63, 64, 65, 126, 127, 254, 1023, 1024, 1025, 2600, 4095, 4096, 4097, 5000]:
        handles += [freeze(globals_, "X", unstable_after=1000).commit() for _ in range(size - len(handles))]
        assert dependents(globals_, "X") == {handle.id for handle in handles}
    numbers.shuffle(handles)
    while handles:
        for handle in handles[len(handles) - max(1, len(handles) // 3) :]:
            handle.release()
        del handles[len(handles) - max(1, len(handles) // 3) :]
        assert dependents(globals_, "X") == {handle.id for handle in handles}
        globals_["X"] = 2
        assert all(handle.broken == 1 for handle in handles)
        globals_["X"] = 1
        assert all(handle.valid for handle in handles)


def test_dependents_are_a_bitmap_of_handle_ids():
    from pyroaring import BitMap

    globals_ = namespace(X=1, Y=1)
    one, both = freeze(globals_, "X").commit(), freeze(globals_, "X", "Y").commit()
    found = depwatch.dependents(globals_, "X")
    assert type(found) is BitMap
    assert found == BitMap([one.id, both.id])
    assert found - depwatch.dependents(globals_, "Y") == BitMap([one.id])
    found.clear()
    assert depwatch.dependents(globals_, "X") == BitMap([one.id, both.id])


def test_a_handle_with_many_facets_is_in_each_of_them_and_leaves_each_of_them():
    globals_ = namespace(**{f"N{i}": i for i in range(3000)})
    handle = freeze(seen_in(globals_), *list(globals_)[1:]).commit()
    other = freeze(globals_, "N5", "N2999").commit()
    assert dependents(globals_) == {handle.id, other.id}
    assert "3000 assumptions hold" in depwatch.explain(handle)
    handle.release()
    assert dependents(globals_) == dependents(globals_, "N5") == {other.id}
    assert dependents(globals_, "N6") == set()


def test_dependencies_are_counted_exactly():
    before = depwatch.stats()["dependencies"]
    globals_ = namespace(X=1, Y=2)
    handles = [freeze(owner, "X", "Y", "X").commit() for owner in (seen_in(globals_), globals_) for _ in range(5)]
    assert depwatch.stats()["dependencies"] == before + 10 + 15  # "__builtins__" of the dict, too
    for handle in handles[:5]:
        handle.release()
    assert depwatch.stats()["dependencies"] == before + 15
    globals_ = None
    assert depwatch.stats()["dependencies"] == before


@without_automatic_drain
def test_an_event_concerns_only_the_handles_that_depend_on_its_facet():
    globals_ = namespace(HOT=0, LONELY=0, **{f"N{i}": i for i in range(2000)})
    lonely = freeze(globals_, "LONELY").commit()
    crowd = [freeze(globals_, "HOT", f"N{i}").commit() for i in range(2000)]
    with Counted() as counted:
        store_at_once(globals_, "LONELY", 1, 0, 1)
    # One facet, broken, mended and broken again; the 2000 others were not touched. What it costs: ./dev bench events.
    assert counted("events", "breaks", "restores") == {"events": 3, "breaks": 2, "restores": 1}
    assert lonely.broken == 1
    assert all(handle.broken == 0 for handle in crowd)
    globals_["HOT"] = 1
    assert lonely.broken == 1
    assert all(handle.broken == 1 for handle in crowd)
    assert len(dependents(globals_, "HOT")) == 2000
