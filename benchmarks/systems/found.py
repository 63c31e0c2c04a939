"""Which systems there are to compare on this machine, and why others are not there."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import HERE, ROOT

CINDERX = "cinderx==2026.11.2.0"  # has wheels for 3.14 and later
VERSIONS = ("3.14", "3.15")  # that have a JIT, or CinderX
SYSTEMS = Path(__file__).parent
# Loops are hot after 64 iterations, not 4096, or a run would take minutes; what a write costs is not touched by that.
# Only 3.15 knows these; 3.14 ignores them.
JIT = {
    "PYTHON_JIT": "1",
    "PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE": "63",
    "PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF": "6",
}


@dataclass(frozen=True)
class System:
    """One of those compared, and the interpreter that it runs in."""

    name: str
    arming: str  # as in arming.py
    python: Path
    version: str
    environment: dict[str, str]

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), str(SYSTEMS / program), *arguments]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        # The same hashes everywhere, so that dicts of one shape lie in memory the same way.
        environment = inherited | {"PYTHON_JIT": "0", "PYTHONHASHSEED": "0"} | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    def described(self) -> dict[str, Any]:
        package = CINDERX if self.arming == "cinderx" else None
        jit = self.environment.get("PYTHON_JIT") == "1"
        return {"name": self.name, "python": self.version, "jit": jit, "package": package}


@dataclass(frozen=True)
class Interpreter:
    path: Path
    version: str  # all of it: 3.14.10
    has_jit: bool


PROBE = (
    "import json, platform, sys; jit = getattr(sys, '_jit', None);"
    "print(json.dumps([platform.python_version(), platform.python_implementation() == 'CPython'"
    " and sys._is_gil_enabled() and not hasattr(sys, 'gettotalrefcount'), jit is not None and jit.is_available()]))"
)


def probe(path: Path) -> Interpreter | None:
    """What this interpreter is; None if it does not run, is no release build of CPython 3.14 or 3.15 with the GIL."""
    try:
        done = subprocess.run([path, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60)
        version, is_fit, has_jit = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(path, version, has_jit) if is_fit and version.startswith(VERSIONS) else None


def candidates(named: Iterable[Path]) -> Iterator[Path]:
    yield Path(sys.executable)
    yield from named
    for version in VERSIONS:
        # sys._base_executable: what the virtual environment was made with; others may have been installed beside it.
        yield Path(sys._base_executable).with_name(f"python{version}")
        if on_path := shutil.which(f"python{version}"):
            yield Path(on_path)


def find_interpreters(named: Iterable[Path]) -> dict[str, Interpreter]:
    """The first of each minor version, beginning with the one that runs this."""
    found: dict[str, Interpreter] = {}
    for path in candidates(named):
        interpreter = probe(path)
        if interpreter is not None:
            found.setdefault(minor(interpreter.version), interpreter)
    return found


def minor(version: str) -> str:
    """3.15 of 3.15.2, and 3.15d of 3.15.2d, a debug build."""
    return version.rpartition(".")[0] + version[-1] * version.endswith("d")


def find_uv() -> Path | None:
    own = ROOT / "build" / "uv" / "bin" / "uv"  # where ./dev puts it
    if own.exists():
        return own
    on_path = shutil.which("uv")
    return Path(on_path) if on_path else None


def find_cinderx(interpreter: Interpreter) -> Path | str:
    """The Python of an environment that has CinderX, made if there is none; or a sentence that says why not."""
    folder = HERE / ".build" / f"{CINDERX.replace('==', '-')}-on-{interpreter.version}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    if (uv := find_uv()) is None:
        return f"no CinderX on {interpreter.version}: it is installed with uv, which is neither on PATH nor in build/uv"
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [uv, "venv", "-q", "--python", interpreter.path, folder],
        [uv, "pip", "install", "-q", "--python", python, CINDERX],
        [python, "-c", "import cinderx.jit as jit; assert jit.is_enabled()"],
    ):
        ended = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if ended.returncode != 0:
            said = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
            return f"no CinderX on {interpreter.version}: {said[-1].strip()}"
    done.touch()
    return python


def find_systems(named: Iterable[Path]) -> tuple[list[System], list[str]]:
    """Those that are there, depwatch last, and a sentence for each that is not. No peer: no systems."""
    interpreters = find_interpreters(named)
    peers: list[System] = []
    missing = []
    for version in VERSIONS:
        interpreter = interpreters.get(version)
        if interpreter is None:
            missing.append(f"no CPython {version} beside this one, on PATH or named with --python")
            continue
        if version == "3.14":  # the only one there are wheels for
            cinderx = find_cinderx(interpreter)
            if isinstance(cinderx, str):
                missing.append(cinderx)
            else:
                peers.append(System("CinderX", "cinderx", cinderx, interpreter.version, {}))
        if interpreter.has_jit:
            peers.append(System(f"JIT of {version}", "jit", interpreter.path, interpreter.version, JIT))
        else:
            missing.append(f"no JIT in this CPython {interpreter.version}: it was built without one")
    if not peers:
        return [], missing
    here, own = Path(sys.executable), platform.python_version() + sys.abiflags
    plain = {interpreter.version: interpreter.path for interpreter in interpreters.values()} | {own: here}
    systems = [
        System(f"plain {version.rpartition('.')[0]}", "plain", path, version, {})
        for version, path in sorted(plain.items())
    ]
    path = {"PYTHONPATH": str(ROOT)}
    systems += peers
    systems.append(System("depwatch", "depwatch", here, own, path))
    systems.append(System("depwatch, cells", "depwatch cells", here, own, path))
    return systems, missing
