"""DEPWATCH=0: nothing is watched and nothing is optimized; a program that uses depwatch goes on as without it."""

from pathlib import Path

import pytest

from support import python

PROGRAMS = Path(__file__).with_name("programs")


def test_switched_off_all_of_the_api_works_and_nothing_is_watched():
    """Once a handle is retired from the start, all that follows is what clients do with any that is."""
    printed = python(PROGRAMS / "switched_off.py", cold=True, DEPWATCH="0")
    assert printed.splitlines() == ["0 BitMap([]) True", "{'handles_committed': 5}"]


@pytest.mark.parametrize("value", ["1", "", "no"])
def test_any_other_value_leaves_it_on(value):
    program = """
        import depwatch
        recorder = depwatch.Recorder("r")
        recorder.read_global(globals(), "recorder")
        print(recorder.commit().valid)
    """
    assert python(program, cold=True, DEPWATCH=value) == "True\n"


def test_switched_off_numba_is_plain_numba():
    program = """
        import warnings
        warnings.simplefilter("ignore", ResourceWarning)  # numba's, on debug builds
        import numba
        from depwatch.integrations.numba import njit, watch
        RATE = 2
        @njit(policy="bulk")
        def price(x):
            return x * RATE
        plain = numba.njit(lambda x: x * RATE)
        print(type(price) is type(plain), price(3), watch(plain) is plain, plain(3))
        RATE = 5
        print(price(3), plain(3))
    """
    assert python(program, cold=True, DEPWATCH="0") == "True 6 True 6\n6 6\n"


def test_a_recording_says_that_it_would_see_nothing():
    program = "import sys, depwatch.cli; sys.argv[1:] = ['record', 'program.py']; depwatch.cli.main()"
    printed = "depwatch record: depwatch is switched off (DEPWATCH=0), so nothing would be seen; unset it\n"
    assert python(program, cold=True, status=1, stderr=printed, DEPWATCH="0") == ""
