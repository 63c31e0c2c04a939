"""How many dependencies a unit of code has: by hand for a small program, and for graphs of calls."""

from pathlib import Path

import pytest
from tiny import recorded

from corpus.units import SIZES, false_hits, inlined, quartiles, simulated, size_of, units

PROGRAM = """
A = 1; B = 2
def leaf(x): return x + A + len("abc")
def middle(x): return leaf(x) + B
def top(x): return middle(x) + leaf(x)
def caller(x): return top(x)
for number in range(300): caller(number)
"""


@pytest.mark.slow
def test_a_unit_has_the_dependencies_of_what_it_inlines(tmp_path: Path) -> None:
    found = units(recorded(tmp_path, PROGRAM))
    # leaf: A, len, that no global hides it. middle: leaf, its code and defaults, B. top: two functions. caller: one.
    assert found["function"]["facets"] == [3.0, 3.0, 3.5, 4.5, 6.0]
    assert found["function"]["functions"] == [1.0] * 5
    # leaf: itself. middle: and leaf. top: and both. caller: and all three, which is two levels of calls.
    assert found["inlined"]["functions"] == [1.0, 1.75, 2.5, 3.25, 4.0]
    assert found["inlined"]["facets"] == [3.0, 6.0, 8.5, 10.75, 13.0]


def test_callees_are_inlined_two_levels_deep_and_only_if_they_are_called_often() -> None:
    called = {1: {2}, 2: {3}, 3: {4}, 5: {6}}
    calls = {1: 100, 2: 100, 3: 100, 4: 100, 5: 100, 6: 49}
    assert inlined(called, calls, set(calls)) == {1: {1, 2, 3}, 2: {2, 3, 4}, 3: {3, 4}, 4: {4}, 5: {5}, 6: {6}}
    assert inlined(called, calls | {6: 50}, set(calls))[5] == {5, 6}


def test_a_callee_that_is_not_hot_or_calls_its_caller_is_inlined_at_most_once() -> None:
    called = {1: {1, 2}, 2: {1, 3}}
    calls = {1: 100, 2: 100, 3: 100}
    assert inlined(called, calls, {1, 2}) == {1: {1, 2}, 2: {1, 2}}


def test_quartiles_of_few_numbers_are_these_numbers() -> None:
    assert quartiles([]) == [0.0] * 5
    assert quartiles([7]) == [7.0] * 5
    assert quartiles([3, 1, 2]) == [1.0, 1.5, 2.0, 2.5, 3.0]


@pytest.mark.parametrize("size", SIZES)
def test_the_false_hits_of_a_filter_are_as_calculated(size: int) -> None:
    assert simulated(size, 5000) == pytest.approx(false_hits(size), abs=0.02)


def test_the_size_of_a_filter_is_found_again_from_its_bits() -> None:
    assert [size_of(bits) for bits in (0, 6, 12, 24, 66, 256)] == [0, 1, 2, 4, 13, 236]
