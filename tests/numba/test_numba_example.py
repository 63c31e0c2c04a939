"""The example prints plain numba's stale answer next to the right one."""

import subprocess
import sys

import pytest

from support import ROOT


@pytest.mark.slow
def test_the_example_shows_the_stale_answer_and_the_right_one():
    example = ROOT / "examples" / "numba_live_global.py"
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, timeout=60, check=True)
    *lines, last = done.stdout.splitlines()
    assert [
        [float(word) for word in line.split() if word[0].isdigit() and word[-1].isdigit()][-3:] for line in lines
    ] == [
        [14.5, 14.5, 14.5],
        [14.5, 17.0, 17.0],
        [14.5, 20.0, 20.0],
        [14.5, 17.0, 17.0],
    ]
    assert last == "Stats(compiled=2, put_back=1, renewed=0, aside=1)"
