"""./dev bench index: its alternatives answer the same, its workload is what it says, and it runs."""

import json
import subprocess
import sys

import numpy as np
import pytest

from measure import Row, Spread
from structures.flips import flips
from structures.native import Native
from structures.process import apart
from structures.pure import Bitmaps, Sets
from structures.workload import HOT_SHARES, distribution, draw
from support import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_objects")]  # they collect garbage often
BENCHMARKS = ROOT / "benchmarks"
EXACT = {
    "depwatch": lambda facets, handles: Native("depwatch", facets, handles),
    "sorted vector": lambda facets, handles: Native("sorted vector", facets, handles),
    "dict of sets": Sets,
    "dict of pyroaring": Bitmaps,
}


@pytest.fixture(scope="module")
def workload():
    return draw(2000)


@pytest.fixture(scope="module")
def removed(workload):
    return np.sort(np.random.default_rng(1).permutation(workload.n_handles)[:300].astype(np.uint32))


@pytest.fixture
def make(workload):
    made = []

    def make(factory):
        made.append(factory(workload.n_facets, workload.n_handles))
        made[-1].fill(workload)
        return made[-1]

    yield make
    for structure in made:
        structure.close()


def naive(workload, without=()):
    """The dependents of each facet, from the workload alone."""
    without = set(without)
    dependents = [set() for _ in range(workload.n_facets)]
    for handle in range(workload.n_handles):
        if handle not in without:
            for facet in workload.of(handle).tolist():
                dependents[facet].add(handle)
    return dependents


def found(structure, workload):
    return [set(structure.union(np.array([facet], np.uint32))) for facet in range(workload.n_facets)]


def make_bloom(name):
    def factory(facets, handles):
        try:
            return Native(name, facets, handles)
        except LookupError as missing:
            pytest.skip(str(missing))

    return factory


@pytest.mark.parametrize("name", EXACT)
def test_exact_structures_find_just_the_dependents_of_each_facet(name, make, workload, removed):
    structure = make(EXACT[name])
    assert found(structure, workload) == naive(workload)
    structure.remove(removed)
    assert found(structure, workload) == naive(workload, removed.tolist())


@pytest.mark.parametrize("name", ["bloom", "bloom, AVX2"])
def test_bloom_filters_find_all_dependents_and_some_others(name, make, workload, removed):
    structure = make(make_bloom(name))
    for without in ((), removed.tolist()):
        if without:
            structure.remove(removed)
        more = 0
        for got, expected in zip(found(structure, workload), naive(workload, without), strict=True):
            assert got >= expected and got.isdisjoint(without)
            more += len(got) - len(expected)
        assert more > 0


@pytest.mark.parametrize("name", [*EXACT, "bloom", "bloom, AVX2"])
def test_the_union_of_many_facets_is_that_of_their_dependents(name, make, workload):
    structure = make(EXACT.get(name) or make_bloom(name))
    rng = np.random.default_rng(2)
    for count in (0, 1, 40, 500):
        facets = rng.permutation(workload.n_facets)[:count].astype(np.uint32)
        of_each = [set(structure.union(facets[i : i + 1])) for i in range(count)]
        assert set(structure.union(facets)) == set().union(*of_each)


@pytest.mark.parametrize("name", [*EXACT, "bloom", "bloom, AVX2"])
def test_an_event_counts_in_the_byte_of_each_handle_that_is_found(name, make, workload):
    structure = make(EXACT.get(name) or make_bloom(name))
    facets = np.array([*workload.hot, *workload.with_degree(1)[:50], *workload.with_degree(0)[:5]], np.uint32)
    expected = np.zeros(workload.n_handles, np.uint8)
    for i in range(len(facets)):
        expected[list(structure.union(facets[i : i + 1]))] += 1
    structure.events(facets)
    assert structure.broken() == expected.tolist()
    structure.hot(facets, 2)
    assert structure.broken() == expected.tolist()
    structure.events(facets, mend=True)
    assert not any(structure.broken())


def test_the_workload_has_the_distribution_that_the_facts_report():
    workload = draw(10_000)
    shares = distribution(workload)
    for name, low, high in (("none", 0.24, 0.28), ("one", 0.33, 0.37), ("two", 0.21, 0.25), ("3-16", 0.13, 0.18)):
        assert low <= shares[name] <= high, name
    assert 0.002 <= shares["more"] <= 0.008
    assert 16 <= shares["a handle"] <= 18
    assert workload.degrees[list(workload.hot)] / workload.n_handles == pytest.approx(HOT_SHARES, abs=0.02)
    assert shares["most"] == workload.degrees[workload.hot[0]]
    assert workload.n_facets == 8 * workload.n_handles


def test_the_workload_is_sorted_without_repetition_and_within_its_bounds(workload):
    assert int(workload.offsets[-1]) == len(workload.facets)
    for handle in range(workload.n_handles):
        facets = workload.of(handle).tolist()
        assert facets == sorted(set(facets))
        assert len(facets) <= 32 + len(HOT_SHARES) and facets[-1] < workload.n_facets


def test_the_workload_is_the_same_for_the_same_seed_only(workload):
    assert np.array_equal(draw(2000).facets, workload.facets)
    assert not np.array_equal(draw(2000, seed=5).facets, workload.facets)


def test_only_handles_of_a_module_depend_on_the_facets_of_its_reload(workload):
    dependents = naive(workload)
    for module in range(workload.modules):
        facets = workload.module_facets(module, 500, np.random.default_rng(3))
        assert len(set(facets.tolist())) == 500
        handles = set().union(*(dependents[facet] for facet in facets))
        assert all(handle * workload.modules // workload.n_handles == module for handle in handles)


def test_bounds_hold_from_above_and_from_below():
    three, four = Spread(3, 3, 3), Spread(4, 4, 4)
    assert Row("", "", three).passed is None
    assert Row("", "", three, bound=3).passed and not Row("", "", three, bound=2).passed
    assert Row("", "", three, at_least=3).passed and not Row("", "", three, at_least=4).passed
    assert Row("", "", three, ratio=four, at_least=4).passed
    assert Row("", "", three, ratio=four, at_least=4, bound=5).bounds == "≥ 4 ×, ≤ 5 ×"


def test_what_is_measured_apart_comes_back_with_what_was_told():
    told = []
    taken = apart(flips, 1000, 100, tell=told.append)
    assert taken["depwatch"] and all(ns > 0 for samples in taken.values() for ns in samples)
    assert told == [f"{name}: 100 dependents of 1,000 handles" for name in ("depwatch", "sorted vector")]


def test_a_quick_run_writes_valid_json_and_a_plot(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "index.py"), "--quick", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = tmp_path.glob("index-*.json")
    data = json.loads(written.read_text())
    assert set(data["structures"]) == set(data["workload"]) == {"1000", "10000"}
    for structures in data["structures"].values():
        assert {"dict of sets", "dict of pyroaring", "sorted vector", "bloom", "depwatch"} <= set(structures)
        assert structures["depwatch"]["false invalidations an event"]["median"] == 0
    # The bounds are about a million handles, but for those that hold at any number.
    assert {row["passed"] for row in data["rows"]} <= {None, True}
    assert str(BENCHMARKS.parent) not in written.read_text()
    (plotted,) = tmp_path.glob("index-*.svg")
    assert plotted.read_text().rstrip().endswith("</svg>")
    assert plotted.stat().st_size < 60_000
