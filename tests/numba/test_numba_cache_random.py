"""cache=True with programs at random: in each of several processes code gives what plain Python gives."""

import pytest
from stored_programs import differences


@pytest.mark.parametrize(
    "seed, number, grown",
    [(101, 4, 1), *(pytest.param(seed, 14, 4, marks=pytest.mark.slow) for seed in range(4))],
)
def test_each_of_several_processes_finds_what_python_finds_and_some_code_on_the_disk(seed, number, grown):
    wrong, loaded = differences(seed, number, 3, grown)
    assert wrong == []
    assert loaded > 0
