"""The compilers whose prices are measured: what runs a program under each, and what each thing took there."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, Final

from depwatch.compare.process import Limits, run

from .entries import Chosen, Corpus, CorpusError, Entry
from .environment import Environment, find_uv
from .measure import variables

JIT: Final = Path(__file__).parent / "jit"
BENCHMARKS: Final = Path(__file__).parents[1]
LIMITS: Final = Limits(300.0, 1800.0)
CINDERX: Final = "cinderx==2026.10.26.0"

type Rows = list[tuple[str, float]]  # function, ns
type Found = dict[str, Rows]  # by price


class Peer:
    """A compiler. has_none: by price, why it has none."""

    name = ""
    has_none: ClassVar[dict[str, str]] = {}

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def programs(self) -> list[str]:
        """In the order in which they are taken."""
        raise NotImplementedError  # each peer has its own

    def found(self, program: str) -> Found:
        """What each thing took, function by function. Raises CorpusError."""
        raise NotImplementedError  # each peer has its own

    def _in(self, program: str) -> Path:
        place = self.directory / program
        place.mkdir(parents=True, exist_ok=True)
        return place


class OfCorpus(Peer):
    """A JIT for whole programs, in the environment of each."""

    packages: tuple[str, ...] = ()

    def __init__(self, directory: Path, corpus: Corpus) -> None:
        super().__init__(directory)
        self.corpus = corpus

    def programs(self) -> list[str]:
        return [entry.name for entry in in_turn(self.corpus.entries)]

    def run(self, program: str, words: list[str], more: dict[str, str]) -> dict[str, Any]:
        """Run it once; what follows the interpreter: the first of words, a file to write, the other words."""
        directory = self._in(program)
        environment = self._environment(program, directory)
        out = directory / "out.json"
        out.unlink(missing_ok=True)
        command = [environment.python, "-W", "ignore", words[0], str(out), *words[1:], *environment.command()]
        ended = run(command, directory / "work", variables(directory) | more, directory / "run.log", LIMITS)
        if not out.exists():  # what it wrote is whole, even if a call that was made again has ended it
            raise CorpusError(f"running {ended.how}: {ended.line}")
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found

    def _environment(self, program: str, directory: Path) -> Environment:
        (entry,) = (entry for entry in self.corpus.entries if entry.name == program)
        environment = Environment(self.corpus, entry, directory)
        if environment.is_ready:
            return environment
        if (ended := environment.make()) is not None:
            raise CorpusError(f"installing {ended.how}: {ended.line}")
        if self.packages:
            install = [*find_uv(), "pip", "install", "--quiet", "--python", environment.python, *self.packages]
            subprocess.run(install, check=True)
        return environment


class Cpython(OfCorpus):
    """3.15 with its JIT: a release build, into which timed.c is loaded."""

    name = "cpython"
    has_none: ClassVar[dict[str, str]] = {
        "patch": "an executor is dropped whole; nothing in it is ever rewritten",
        "deopt": "code whose value has changed is not left but dropped",
    }

    def __init__(self, directory: Path, corpus: Corpus) -> None:
        super().__init__(directory, corpus)
        include = sysconfig.get_path("include")
        command = ["cc", "-O2", "-shared", "-fPIC", f"-I{include}", f"-I{include}/internal"]
        subprocess.run([*command, "-o", str(directory / "timed.so"), str(JIT / "timed.c")], check=True)

    def found(self, program: str) -> Found:
        words = str(JIT / "under_jit.py")
        jitted = self.run(program, [words, str(self.directory / "timed.so")], {"PYTHON_JIT": "1"})
        cold = dict(self.run(program, [words, "none"], {"PYTHON_JIT": "0"})["calls"])
        return {
            "recompile": [(str(code), ns) for code, ns, _ in jitted["made"]],
            "invalidation": [(str(number), ns) for number, (ns, _, n) in enumerate(jitted["dropped"]) if n],
            "guard": jitted["guard"],
            "guards of a function": jitted["guards"],
            "cold_call": [(name, cold[name] - ns) for name, ns in jitted["calls"] if name in cold],
        }


class Cinderx(OfCorpus):
    """On 3.14: its functions are asked to drop a function's code, and to compile it again."""

    name = "cinderx"
    packages = (CINDERX,)
    has_none: ClassVar[dict[str, str]] = {
        "guard": "no function can be compiled without its guards; how many a function has is counted",
    }

    def found(self, program: str) -> Found:
        words = str(JIT / "under_cinderx.py")
        found = self.run(program, [words, "code"], {}) | self.run(program, [words, "calls"], {})
        found["guards of a function"] = found.pop("guards")
        return found


class Numba(Peer):
    """Under depwatch, on the functions of libraries that use it: it compiles next to none of the corpus's."""

    name = "numba"
    has_none: ClassVar[dict[str, str]] = {
        "deopt": "the code has no exit in its middle; where the value of a cell has another type, the call raises",
    }
    LIBRARIES: Final = ("numba_stats", "quantecon", "pynndescent", "stumpy", "sparse", "clifford")

    def programs(self) -> list[str]:
        return list(self.LIBRARIES)

    def found(self, program: str) -> Found:
        from numba_libraries import SUITES  # beside prices.py; it moves numba.py of this directory out of the way
        from suites import prepared

        suite = SUITES[program]
        unpacked, installed = prepared(suite.sdist, [*suite.needs])
        directory = self._in(program)
        calls, out = directory / "calls.pickle", directory / "out.json"
        places = [installed, BENCHMARKS / "programs", JIT, BENCHMARKS.parent]
        more = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(map(str, places))}
        more |= {"PRICED_PACKAGE": suite.package, "PRICED_CALLS": str(calls), "NUMBA_CACHE_DIR": str(directory)}
        if not calls.exists():
            pytest = ["pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "-p", "numba_calls"]
            plain = more | {"NUMBA_DISABLE_JIT": "1"}  # so that calls from compiled code are seen; some tests fail so
            run([sys.executable, "-m", *pytest, *suite.tests], unpacked, plain, directory / "calls.log", LIMITS)
        out.unlink(missing_ok=True)
        command = [sys.executable, str(BENCHMARKS / "programs" / "numba_priced.py"), str(out), str(calls)]
        ended = run(command, unpacked, more, directory / "run.log", LIMITS)
        if not out.exists():
            raise CorpusError(f"running {ended.how}: {ended.line}")
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        left_out = ", ".join(f"{count} {why}" for why, count in found.pop("left_out").items())
        print(f"{program}: left out: {left_out}", file=sys.stderr)
        return found


def in_turn(entries: Sequence[Entry]) -> list[Entry]:
    """One of each way in which programs were chosen, then the next of each: so that none is missing from a part."""
    ways = [[entry for entry in entries if entry.chosen == how] for how in Chosen]
    return [entry for those in zip_longest(*ways) for entry in those if entry is not None]
