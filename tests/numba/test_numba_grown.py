"""Programs that grow and change at random: each call gives what plain Python or numba gives."""

import pytest
from cases import CASES
from grown import difference
from grown_parts import ATOMS, FORMS
from situations import one_of_each

from support import ROOT

QUICK, ALL = range(2), range(2, 10)  # seeds; tests/numba/grown.py runs as many as one likes


@pytest.mark.parametrize("seed", QUICK)
def test_each_call_of_a_program_that_grew_gives_what_python_gives(seed):
    assert difference(seed, 6, parallel=False) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", ALL)
def test_each_call_of_a_program_that_changes_for_long_gives_what_python_gives(seed):
    assert difference(seed) is None


def test_the_document_says_how_many_programs_are_made_up():
    document = " ".join((ROOT / "docs" / "numba.md").read_text().split())
    assert f"{len(CASES)} cases by hand" in document
    assert f"with some value that changes ({len(one_of_each())})" in document
    assert f"from {len(FORMS)} forms of functions and {len(ATOMS)} kinds of data" in document
