"""The extension that benchmarks compare with: built where none is, by however many processes that want it."""

import os
import subprocess
import sys
from pathlib import Path

from support import ROOT

BENCHMARKS = ROOT / "benchmarks"


def test_processes_that_build_the_noop_extension_at_once_all_load_a_whole_one(tmp_path):
    (tmp_path / "noop").symlink_to(BENCHMARKS / "noop")
    program = (
        f"import sys, pathlib; sys.path.insert(0, {str(BENCHMARKS)!r}); import measure;"
        f"measure.HERE = pathlib.Path({str(tmp_path)!r}); sys.stdin.readline(); print(measure.load_noop().__name__)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:  # which have imported all that they need by now, or soon will
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in started] == ["noop\n"] * 3
    kept = [Path(entry.path).name for entry in os.scandir(tmp_path / ".build")]
    assert len(kept) == 1 and kept[0].startswith("noop-"), kept
