"""What another thread does in the very pause of a call that ends many handles; pausing.c puts it there."""

from pathlib import Path

import pytest

import helpers
from support import python

PROGRAM = Path(__file__).with_name("programs") / "in_a_pause.py"

each_end = pytest.mark.parametrize("end", ["invalidate", "retire", "release"])


def run(end, deed):
    assert python(PROGRAM, end, deed, cold=True, LD_PRELOAD=str(helpers.build("pausing"))) == ""


@each_end
def test_handles_that_get_the_numbers_in_the_pause_stay_valid(end):
    run(end, "release_and_commit_others")


def test_a_facet_that_is_to_be_invalidated_keeps_its_number_in_the_pause():
    run("invalidate", "release_one_and_commit_another")


@each_end
@pytest.mark.parametrize("deed", ["drain", "break_and_drain", "commit_more"])
def test_all_are_ended_whatever_comes_in_the_pause(end, deed):
    run(end, deed)
