"""The virtual environment of a program: its packages, depwatch and what depwatch needs while a program runs."""

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Final

import depwatch
from depwatch.compare.process import Ended, Limits, run

from .entries import Corpus, CorpusError, Entry

INSTALL_LIMITS: Final = Limits(cpu=900.0, wall=1800.0)  # most of it waits for the network
_BENCHMARKS: Final = ("pyperformance", "data-files", "benchmarks")


class Environment:
    """Made in a directory of its own, and kept there until what it is made from changes.

    An entry without packages runs in the environment that we are in.
    """

    def __init__(self, corpus: Corpus, entry: Entry, directory: Path) -> None:
        self._corpus: Final = corpus
        self._entry: Final = entry
        self._path: Final = directory / "environment"
        self._sources: Final = self._path / "sources"
        self._log: Final = directory / "install.log"
        if entry.packages:
            self.python = str(self._path / "bin" / "python")
            at = {"base": str(self._path), "platbase": str(self._path)}
            self.site = Path(sysconfig.get_path("purelib", "venv", at))
        else:
            self.python = sys.executable
            self.site = Path(sysconfig.get_path("purelib"))

    def command(self) -> list[str]:
        """The program's command line, after the interpreter."""
        places = {
            "programs": str(self._corpus.programs.resolve()),
            "site": str(self.site),
            "sources": str(self._sources),
            "stdlib": sysconfig.get_path("stdlib"),
            "benchmarks": str(self.site.joinpath(*_BENCHMARKS)),
        }
        return [part.format_map(places) for part in self._entry.command]

    @property
    def is_ready(self) -> bool:
        if not self._entry.packages:
            return True
        try:
            return self._stamp.read_text(encoding="utf-8") == self._fingerprint()
        except OSError:
            return False

    def make(self) -> Ended | None:
        """Make it anew; return how the step that failed ended, or None. Raises CorpusError if there is no uv."""
        uv = find_uv()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._path)
        steps = [
            [*uv, "venv", "--quiet", "--python", sys.executable, str(self._path)],
            [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", self.python, *self._what()],
        ]
        if self._entry.sources:  # uv gets no sdist but to build it
            fetch = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(self._sources)]
            steps.append([sys.executable, "-m", "pip", *fetch, *self._entry.sources])
        for step in steps:
            ended = run(step, self._path.parent, dict(os.environ), self._log, INSTALL_LIMITS)
            if ended.status != 0:
                return ended
        if self._entry.sources:
            for archive in sorted(self._sources.iterdir()):
                shutil.unpack_archive(archive, self._sources, filter="data")
        # Not the whole checkout, as an editable install would do: its tests and benchmarks are none of the program's.
        (self.site / "depwatch").symlink_to(Path(depwatch.__file__).parent, target_is_directory=True)
        self._stamp.write_text(self._fingerprint(), encoding="utf-8")
        return None

    @property
    def _stamp(self) -> Path:
        return self._path / "depwatch-corpus.json"

    def _what(self) -> list[str]:
        what = [*self._entry.packages, f"pyroaring=={version('pyroaring')}"]
        for package in self._entry.from_source:
            what += ["--no-binary", package]
        if self._corpus.constraints is not None:
            what += ["--constraints", str(self._corpus.constraints.resolve())]
        return what

    def _fingerprint(self) -> str:
        constraints = self._corpus.constraints
        pins = hashlib.sha256(constraints.read_bytes()).hexdigest() if constraints is not None else None
        made_from = {
            "python": platform.python_version(),
            "executable": sys.executable,
            "depwatch": str(Path(depwatch.__file__).parent),
            "what": self._what(),
            "sources": self._entry.sources,
            "constraints": pins,
        }
        return json.dumps(made_from, indent=1) + "\n"


def find_uv() -> list[str]:
    """How to run uv. Raises CorpusError."""
    if path := shutil.which("uv"):
        return [path]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise CorpusError("no uv on PATH to make the programs' environments with: pip install uv")
