"""`./dev compare --corpus --full`: all versions of CPython, one after the other, each by ./dev."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from .entries import CorpusError
from .run import Options

RUNS: Final = {"3.13": 5, "3.12": 1, "3.14": 1, "3.15": 1}  # of each program
_DEV: Final = Path(__file__).parents[2] / "dev"
_VERSION: Final = "import platform; print(platform.python_version())"


def compare_all(options: Options, pythons: list[str]) -> int:
    """Run the corpus with each version; return the exit status. Raises CorpusError if one has no interpreter.

    pythons: interpreters to use, before those on PATH and in ~/.pyenv/versions.
    """
    found = _found(pythons)
    directory = options.directory.resolve()
    status = 0
    for minor, runs in RUNS.items():
        command = [str(_DEV), "compare", "--corpus", str(options.corpus), "--runs", str(runs)]
        command += ["--directory", str(directory), "--limit", str(options.limit)]
        command += [word for name in options.only for word in ("--only", name)]
        command += ["--fresh"] if options.fresh else []
        places = {"PYTHON": found[minor], "DEPWATCH_VENV": str(directory / f"dev-{minor}")}
        print(f"CPython {minor}: {found[minor]}, {runs} run{'s' * (runs != 1)} of each program", file=sys.stderr)
        status = max(status, subprocess.run(command, env=os.environ | places, check=False).returncode)
    return status


def _found(pythons: list[str]) -> dict[str, str]:
    """An interpreter for each version."""
    found: dict[str, str] = {}
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    on_path = [path for minor in RUNS if (path := shutil.which(f"python{minor}"))]
    installed = [str(path) for minor in RUNS for path in sorted(versions.glob(f"{minor}.*/bin/python3"))]
    for python in [*pythons, *on_path, *installed]:
        minor = _minor(python)
        if minor is None and python in pythons:
            raise CorpusError(f"--python {python}: it does not start")
        if minor in RUNS:
            found.setdefault(minor, python)
    if missing := [minor for minor in RUNS if minor not in found]:
        raise CorpusError(f"no CPython {', '.join(missing)} on PATH or in {versions}; name each with --python PATH")
    return found


def _minor(python: str) -> str | None:
    try:
        ran = subprocess.run([python, "-I", "-c", _VERSION], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return ".".join(ran.stdout.split(".")[:2])
