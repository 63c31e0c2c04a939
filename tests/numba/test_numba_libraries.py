"""Libraries from PyPI under patch(): their tests end as with plain numba, and most of their functions are watched."""

import subprocess
import sys

import pytest

from support import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("library", ["numba_stats", "quantecon", "stumpy", "pynndescent", "sparse"])
def test_a_part_of_a_librarys_tests_ends_as_with_plain_numba(library):
    command = [sys.executable, str(ROOT / "benchmarks" / "numba_libraries.py"), "--few", "--check", library]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
