"""Programs put together of a place and a value, changed in turn: each call gives what plain Python gives."""

import random

import pytest
from situations import PLACES, VALUES, difference, is_possible, may_be_refused, one_of_each

QUICK = (
    ("itself", "flag that selects a type"), ("a mapped function", "a type that changes"), ("a sort key", "int"),
    ("copied in, nested", "str"), ("objmode", "int"), ("a chooser: itself; itself", "int"),
    ("a chooser: decorated; in a callee", "str of a module"), ("the operator of v @ 1", "int"),
)  # fmt: skip


def check(place, value, changes):
    found = difference(place, value, changes)
    assert found is None or (found.startswith("refused: ") and may_be_refused(place, value)), (place, value, changes)


@pytest.mark.parametrize("place, value", [
    pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow) for pair in (*QUICK, *one_of_each())
])  # fmt: skip
def test_a_value_that_changes_is_what_python_finds_wherever_it_is_read(place, value):
    check(place, value, VALUES[value].changes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_values_that_change_at_random_are_what_python_finds(seed):
    chance = random.Random(seed)
    for _ in range(8):
        place = chance.choice(list(PLACES))
        value = chance.choice([value for value in VALUES if is_possible(place, value)])
        changes = VALUES[value].changes
        in_turn = [change for change in chance.choices(changes, k=6) if not change.startswith("del ")]
        check(place, value, (*changes, *in_turn))
