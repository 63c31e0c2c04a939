"""The index by itself against its naive twin: every tier of a set, both directions, snapshots."""

import random
import subprocess
import sys
from array import array

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from model import GraphModel
from pyroaring import BitMap

import depwatch
from depwatch import Graph, _core
from support import EXT_INCLUDES, NATIVE, compiler, ext_source, freeze, freeze_attribute, namespace

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often
FACETS = 12  # few, so that many handles share one

# Around the ends of containers, in the middle of one, and close together.
near_ends = st.builds(lambda chunk, offset: max(0, chunk * 65536 + offset), st.integers(0, 4), st.integers(-4, 4))
handles = st.one_of(near_ends, st.integers(0, 300), st.integers(0, 5 * 65536))
facets = st.integers(0, FACETS - 1)


class Machine(RuleBasedStateMachine):
    """Everything that changes a graph; both sides are compared, and the structure is checked, after each step."""

    def __init__(self):
        super().__init__()
        self.graph, self.model = Graph(), GraphModel()
        self.breaking = []  # facets that broke and did not mend since the last handle came or went

    def add(self, added):
        """added: {handle: facets}."""
        new = sorted(added.keys() - self.model.facets.keys())
        offsets, depended = array("Q", [0]), array("I")
        for handle in new:
            depended.extend(added[handle])
            offsets.append(len(depended))
            self.model.add(handle, added[handle])
        self.graph.add(array("I", new), offsets, depended)
        self.breaking.clear()

    @initialize(first=st.integers(0, 3 * 65536), n=st.sampled_from([0, 100, 5000]))
    def begin_large(self, first, n):
        self.add({handle: [0, handle % 3] for handle in range(first, first + n)})

    @rule(added=st.dictionaries(handles, st.lists(facets, max_size=5), max_size=20))
    def add_some(self, added):
        self.add(added)

    @rule(first=handles, n=st.sampled_from([60, 70, 4090, 4100, 65536]), step=st.sampled_from([1, 2, 63]), facet=facets)
    def add_many(self, first, n, step, facet):
        self.add({handle: [facet] for handle in range(first, first + min(n * step, 70_000), step)})

    @rule(gone=st.lists(handles, max_size=20))
    def remove_some(self, gone):
        self.remove(gone)

    def remove(self, gone):
        self.graph.remove(gone)
        for handle in gone:
            self.model.remove(handle)
        self.breaking.clear()

    @precondition(lambda self: self.model.facets)
    @rule(keep=st.sampled_from([0, 1, 3, 40, 4000]), seed=st.integers(0, 3))
    def remove_most(self, keep, seed):
        there = sorted(self.model.facets)
        random.Random(seed).shuffle(there)
        self.remove(there[keep:])

    @rule(facet=st.integers(0, FACETS + 2))
    def breaks(self, facet):
        self.graph.breaks(facet)
        self.model.breaks(facet)
        self.breaking.append(facet)

    @precondition(lambda self: self.breaking)
    @rule()
    def mends(self):
        facet = self.breaking.pop()
        self.graph.mends(facet)
        self.model.mends(facet)

    @rule(avx2=st.booleans())
    def choose_instructions(self, avx2):
        _core.use_avx2(avx2)

    @rule()
    def restore(self):
        """What goes on is a graph that was written and read; counts are not written."""
        self.graph = depwatch.restore(self.graph.to_bytes())
        self.model.broken = dict.fromkeys(self.model.facets, 0)
        self.breaking.clear()

    @rule(asked=st.lists(facets, max_size=4))
    def union(self, asked):
        assert set(self.graph.dependents(*asked)) == self.model.dependents(asked)

    @invariant()
    def check(self):
        self.graph._check()
        assert set(self.graph.handles) == self.model.facets.keys()
        assert len(self.graph) == sum(map(len, self.model.facets.values()))
        reverse = {facet: set() for facet in range(FACETS)}
        for handle, own in self.model.facets.items():
            for facet in own:
                reverse[facet].add(handle)
        for facet, dependents in reverse.items():
            assert set(self.graph.dependents(facet)) == dependents
        for handle in sorted(self.model.facets)[:50]:
            assert list(self.graph.facets(handle)) == sorted(self.model.facets[handle])
        bytes_ = {handle: self.graph.broken(handle) for handle in self.model.facets}
        assert bytes_ == self.model.broken

    def teardown(self):
        _core.use_avx2(True)


def test_the_graph_does_what_its_naive_twin_does():
    examples = 6 if hasattr(sys, "gettotalrefcount") else 20  # debug builds are slow
    suite = settings(settings.get_profile("suite"), max_examples=examples, stateful_step_count=25)
    run_state_machine_as_test(Machine, settings=suite)


# --- when memory runs out ---------------------------------------------------------------------------------------------


def test_no_failed_allocation_changes_the_graph_or_loses_an_edge(tmp_path):
    """tests/native/scarce.c lets each allocation of the index fail in turn, with the sanitizers of the compiler."""
    command, flags = compiler()
    names = [
        "graph", "edges", "facet_list", "dependents", "containers", "walk", "bytes", "byte_chunks", "blocks", "pages",
        "pool", "gathering",
    ]  # fmt: skip
    sources = [NATIVE / "scarce.c", *(ext_source(f"{name}.c") for name in names)]
    options = [flag for flag in flags if flag.startswith(("-I", "-D"))] + [
        *EXT_INCLUDES,
        "-std=gnu11",
        "-O1",
        "-w",
    ]
    options += ["-fsanitize=undefined", "-fno-sanitize-recover"]
    options += [f"-Wl,--wrap={name}" for name in ("block_take", "malloc", "calloc", "realloc", "pages_take")]
    program = tmp_path / "scarce"
    subprocess.run([*command, *options, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    failed, succeeded = map(int, done.stdout.split())
    assert failed > 200 and succeeded > 200


# --- sets in every tier, bytes ----------------------------------------------------------------------------------------


def graph_of(*groups):
    """A graph in which facet i has the handles of the i-th group."""
    graph = Graph()
    own = {}
    for facet, group in enumerate(groups):
        for handle in group:
            own.setdefault(handle, []).append(facet)
    numbers = sorted(own)
    offsets = array("Q", [0])
    for handle in numbers:
        offsets.append(offsets[-1] + len(own[handle]))
    graph.add(numbers, offsets, [facet for handle in numbers for facet in own[handle]])
    return graph


SHAPES = {
    "one": [70000],
    "two far apart": [3, 2**31 - 65537],
    "three close together": [10, 40, 70],
    "three with the largest gaps that fit inline": [0, 2**15 - 1, 2**16 - 2],
    "three with a gap that does not": [0, 2**15, 2**16 - 1],
    "four with the largest gaps that fit inline": [100, 1123, 2146, 3169],
    "four with gaps that do not": [100, 1124, 2148, 3172],
    "the most in an array": range(64),
    "more than in an array": range(65),
    "an array of lower halves": range(0, 65536, 16),
    "one more, a bitset": [*range(0, 65536, 16), 1],
    "a full bitset": range(65536),
    "both kinds of containers": [*range(0, 40000, 2), *range(65536, 65600), *range(200000, 270000)],
}


@pytest.mark.parametrize("avx2", [True, False], ids=["as the CPU can", "without AVX2"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_set_of_any_shape_is_exact_and_changes_the_bytes_of_its_handles_only(shape, avx2):
    members = BitMap(SHAPES[shape])
    around = BitMap(m + d for m in [*list(members)[:50], *list(members)[-50:]] for d in (-1, 1) if 0 <= m + d < 2**21)
    if members.max() > 2**21:
        members -= BitMap([members.max()])  # 2 GB of bytes
    graph = graph_of(members, around - members, members | around)
    used = _core.use_avx2(avx2)
    try:
        graph._check()
        assert graph.dependents(0) == members
        assert graph.dependents(2) == graph.dependents(0, 1) == members | around
        for broken in (1, 2, 3):
            graph.breaks(0)
            assert {graph.broken(h) for h in members} == {broken}
            assert {graph.broken(h) for h in around - members} <= {0}
        graph.mends(0)
        assert {graph.broken(h) for h in members} == {2}
        for _ in range(260):
            graph.breaks(0)
        graph.mends(0)
        assert {graph.broken(h) for h in members} == {255}, "255 stays: retired"
        assert {graph.broken(h) for h in around - members} <= {0}
    finally:
        _core.use_avx2(True)
    assert used <= avx2


def test_the_portable_format_is_what_pyroaring_writes():
    members = [*range(0, 70000, 3), 200000, 200001]
    graph = graph_of(members)
    assert graph._edges.dependents(array("I", [0])) == BitMap(members).serialize()
    assert graph._edges.dependents(array("I")) == BitMap().serialize()


# --- a graph as its users see it --------------------------------------------------------------------------------------


def test_a_graph_answers_in_both_directions():
    graph = Graph()
    graph.add([3, 70000], [0, 2, 3], [5, 1, 5])
    assert (len(graph), graph.handles) == (3, BitMap([3, 70000]))
    assert repr(graph) == "<Graph of 2 handles with 3 dependencies>"
    assert [graph.dependents(facet) for facet in (1, 5, 9)] == [BitMap([3]), BitMap([3, 70000]), BitMap()]
    assert list(graph.facets(3)) == [1, 5]
    graph.breaks(5)
    assert (graph.broken(3), graph.broken(70000)) == (1, 1)
    graph.remove([3, 4])
    assert (len(graph), graph.handles, graph.dependents(1, 5)) == (1, BitMap([70000]), BitMap([70000]))
    graph.add([3], [0, 0], [])
    assert (graph.broken(3), list(graph.facets(3))) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([1], [0], []), "there are 1 offsets for 1 handles; give one more"),
        (([1], [], []), "offsets must go from 0 to the number of facets"),
        (([1], [0, 2], [1]), "offsets must go from 0"),
        (([1], [1, 1], [1]), "offsets must go from 0"),
        (([1, 2], [0, 2, 1], [1]), "must ascend"),
        (([1, 2, 3], [0, 1, 0, 1], [1]), r"offsets\[2\] is 0"),
        (([2, 1], [0, 0, 0], []), r"handles\[1\] is 1"),
        (([1, 1], [0, 0, 0], []), r"handles\[1\] is 1"),
        (([7], [0, 0], []), "handle 7 is there already"),
        (([2**31], [0, 0], []), "handles has 2147483648; the largest number is 2147418111"),
        (([1], [0, 1], [2**32 - 1]), "facets has 4294967295"),
        (([1], [0, 1], [-1]), "numbers are from 0"),
    ],
)
def test_what_cannot_be_added_is_refused_and_changes_nothing(arguments, told):
    graph = Graph()
    graph.add([7], [0, 1], [3])
    with pytest.raises(ValueError, match=told):
        graph.add(*arguments)
    graph._check()
    assert (graph.handles, len(graph), graph.dependents(3)) == (BitMap([7]), 1, BitMap([7]))


def test_there_is_no_handle_that_was_not_added():
    graph = Graph()
    for ask in (graph.facets, graph.broken):
        with pytest.raises(KeyError, match="no handle 3"):
            ask(3)
    graph.breaks(10**6)
    graph.mends(-1)
    assert graph.dependents(-1, 10**6) == BitMap()


# --- snapshots of the live index --------------------------------------------------------------------------------------


def test_a_snapshot_has_every_handle_with_what_it_depends_on():
    class Shape:
        area = 1

    globals_ = namespace(RATE=0.19, **{"sn\u00f6 \ud800": 1})
    one = freeze(globals_, "RATE").commit()
    both = freeze(globals_, "RATE", "sn\u00f6 \ud800").commit()
    attribute = freeze_attribute(Shape, "area").commit()
    retired = freeze(globals_, "RATE").commit()
    retired.retire("not needed")
    graph = depwatch.restore(depwatch.snapshot())
    assert set(graph.handles) == {one.id, both.id, attribute.id}
    described = {handle.name: {graph.described[f] for f in graph.facets(handle.id)} for handle in (attribute,)}
    assert described == {"frozen": {depwatch.FacetDescription(depwatch.id_of(Shape), "attribute", "area")}}
    of_globals = depwatch.id_of(globals_)
    names = {graph.described[f].name for f in graph.facets(both.id) if graph.described[f].object_id == of_globals}
    assert names == {"RATE", "sn\u00f6 \ud800", "__builtins__"}
    for facet, description in graph.described.items():
        if description.name == "RATE":
            assert graph.dependents(facet) == depwatch.dependents(globals_, "RATE") == BitMap([one.id, both.id])


def test_a_restored_graph_is_apart_from_the_live_index():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    data = depwatch.snapshot()
    graph = depwatch.restore(data)
    globals_["X"] = 2
    assert (handle.broken, graph.broken(handle.id)) == (1, 0)
    graph.remove([handle.id])
    assert set(depwatch.dependents(globals_, "X")) == {handle.id}
    assert depwatch.restore(data).to_bytes() == data


@pytest.mark.parametrize("length", [0, 7, 20, 43, -1])
def test_a_snapshot_that_was_cut_is_refused(length):
    globals_ = namespace(X=1)
    data = freeze(globals_, "X").commit() and depwatch.snapshot()
    with pytest.raises(ValueError, match="snapshot"):
        depwatch.restore(data[:length])


def test_a_snapshot_that_was_changed_is_refused_whatever_the_byte():
    globals_ = namespace(X=1, YY=2)
    freeze(globals_, "X", "YY").commit()
    data = depwatch.snapshot()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match="snapshot"):
            depwatch.restore(bytes(changed))


def test_only_bytes_are_restored():
    with pytest.raises(TypeError, match="a snapshot is bytes, not 'text'"):
        depwatch.restore("text")
