"""A core with a fault, built in build/sabotage/ from a copy of the sources: what the fuzzers must find.

benchmarks/timing.py builds another variant of the core from such a copy.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from support import ROOT

ABI = sysconfig.get_config_var("SOABI")
SOURCES = ("ext", "depwatch", "setup.py", "pyproject.toml", "README.md", "LICENSE")

# Handle.retire() as it was in Python: it tested, and then acted on the number, and others could run in between.
RETIRES_BY_NUMBER = {
    "ext/api/handle.pxi": (
        "            return False\n        self.why_retired = reason\n",
        "            return False\n        others_run()\n        self.why_retired = reason\n",
        '\n\ncdef object others_run = eval("lambda: None", {})\n',
    )
}


def build(name: str, faults: dict[str, tuple[str, str, str]]) -> Path:
    """The directory to run in. faults: by file, what to replace, by what, and what to put at the file's end."""
    folder = ROOT / "build" / "sabotage" / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy(folder)
        copy_built(folder)
        for file, (old, new, end) in faults.items():
            text = (ROOT / file).read_text()
            assert text.count(old) == 1, f"{file} is not what it was: the fault needs another place"
            (folder / file).write_text(text.replace(old, new) + end)
        build_in(folder)
    return folder


def copy(folder: Path) -> None:
    """The sources, and nothing that is built."""
    ignore = shutil.ignore_patterns("*.so", "*.so.*", "__pycache__")
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, folder / source)


def copy_built(folder: Path) -> None:
    """What is built already, the first time: only what has the fault is compiled."""
    for built in ("cython", ABI):
        if (ROOT / "build" / built).exists() and not (folder / "build" / built).exists():
            shutil.copytree(ROOT / "build" / built, folder / "build" / built)


def build_in(folder: Path, **environment: str) -> None:
    """Build the extension modules of a copy of the sources, with these variables set."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stdout + done.stderr
