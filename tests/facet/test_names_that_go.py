"""Names that come and go: what is remembered of one goes with it, when nobody relies on it any more."""

from pathlib import Path

import pytest

import depwatch
from support import freeze, namespace, python

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("place", ["dict", "class", "module"])
@pytest.mark.parametrize("first", ["release", "delete"])
def test_a_place_whose_names_come_and_go_does_not_grow(place, first):
    assert python(PROGRAMS / "names_that_go.py", place, first) == "[0, 0, 0] True\n"


def test_a_name_that_breaks_and_stays_is_remembered():
    space = namespace(X=0)
    for i in range(1, 7):
        freeze(space, "X").commit().release()
        handle = freeze(space, "X").commit()
        space["X"] = i
        depwatch.drain()
        handle.release()
        depwatch.drain()
    with pytest.raises(depwatch.Unstable):
        freeze(space, "X")


def test_a_name_that_goes_to_and_fro_under_a_handle_is_remembered():
    space = namespace(X=0)
    handle = freeze(space, "X").commit()
    for _ in range(6):
        del space["X"]
        depwatch.drain()
        space["X"] = 0
        depwatch.drain()
    assert handle.retired
    with pytest.raises(depwatch.Unstable):
        freeze(space, "X")
