"""./dev bench soak: every counter says what was done, and a counter that does not is found."""

from collections import Counter

import pytest

import soak
from support import ROOT, python

pytestmark = pytest.mark.slow


def test_a_short_soak_counts_right():
    """In a process of its own, whose counters nobody else moves."""
    told = python(
        f"""
        import gc, sys
        sys.path.append({str(ROOT / "benchmarks")!r})
        import soak
        gc.disable()
        done, faults = soak.soak(1_000_000, 60)
        print(faults, done.events >= 1_000_000)
        """
    )
    assert told.splitlines()[-1] == "[] True"


def test_a_counter_that_wraps_is_a_fault():
    before = {"events": 2**32 - 1, "handles": 5, "drains": 1}
    assert soak.wrong(before, {"events": 1, "handles": 6, "drains": 9}, Counter(events=2)) == [
        f"events: 1, not {2**32 + 1}",
        "handles: 6, not 5",
    ]
