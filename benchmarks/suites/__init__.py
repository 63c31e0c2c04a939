"""Test suites of libraries from PyPI: their sdists, unpacked and installed once into benchmarks/.build/suites."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from measure import HERE, ROOT


def run(
    *command: str,
    cwd: Path = HERE,
    path: Path | str | None = None,
    statuses: tuple[int, ...] = (0,),
    **environment: str,
) -> str:
    """What `python -m COMMAND` prints; ends this process unless its exit status is one of these.

    path: the child's PYTHONPATH.
    """
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)}) | environment
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode not in statuses:
        name = Path(sys.argv[0]).stem
        sys.exit(f"{name}: {' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


class Failed(Exception):
    """A command ended as it should not."""


def seconds_of(*command: str, cwd: Path, path: str, statuses: tuple[int, ...], **environment: str) -> float:
    """The processor time in seconds of `python -m COMMAND`, and of the processes that it waited for.

    Raises Failed unless its exit status is one of these.
    """
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": path} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)  # of this child alone: others may be running
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in statuses:
            output.seek(0)
            raise Failed(f"{' '.join(command)} failed ({child.returncode}):\n{output.read()[-4000:]}")
    return usage.ru_utime + usage.ru_stime


def prepared(suite: str, needs: list[str]) -> tuple[Path, Path]:
    """The unpacked sdist (NAME-VERSION), and the folder where it and what its tests import are installed."""
    folder = HERE / ".build" / "suites" / f"{sys.implementation.cache_tag}"
    unpacked, installed = folder / suite, folder / f"{suite}.installed"
    if not installed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        name, _, version = suite.rpartition("-")
        run("pip", "download", "--no-deps", "--no-binary", ":all:", "-d", str(folder), f"{name}=={version}")
        with tarfile.open(folder / f"{suite}.tar.gz") as file:
            file.extractall(folder, filter="data")
        constraints = ("-c", str(ROOT / "constraints.txt"))
        what = ("install", "--target", f"{installed}.new", *constraints, str(unpacked), *needs)
        if uv := shutil.which("uv"):  # which takes a tenth of the time
            subprocess.run([uv, "pip", what[0], "-q", "--python", sys.executable, *what[1:]], check=True)
        else:
            run("pip", *what)
        Path(f"{installed}.new").rename(installed)
    return unpacked, installed
