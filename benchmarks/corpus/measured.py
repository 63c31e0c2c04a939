"""What is known of a program that has been run, recorded and replayed; kept in a file, so that it is done once."""

import contextlib
import hashlib
import json
import platform
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

import depwatch.compare
from depwatch.compare.output import Output
from depwatch.compare.replay.run import Options

from .entries import Corpus, Entry

type Measured = dict[str, Any]  # an entry of "traces" in the results, with what is below

_FILE: Final = "measured.json"
_COMPARE: Final = Path(depwatch.compare.__file__).parent
_SOURCES: Final = frozenset({".py", ".pyx", ".pxi", ".c", ".h", ".toml"})
_GENERATED: Final = frozenset({"_tap.c", "_engine.c"})


def fingerprint(corpus: Corpus, entry: Entry, options: Options) -> str:
    """What a result depends on: what runs, its scripts, the pins, Python, depwatch and how it is replayed.

    Of depwatch: its version, and the code that records and replays, as results of two states of it must not be mixed.
    """
    contents = {str(path.name): path.read_text(encoding="utf-8") for path in corpus.scripts(entry)}
    if entry.packages and corpus.constraints is not None:
        contents["constraints"] = corpus.constraints.read_text(encoding="utf-8")
    runs = asdict(entry)
    del runs["kind"], runs["why"]
    depends = [runs, contents, platform.python_version(), version("depwatch"), _code(), msgspec.to_builtins(options)]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    found = hashlib.sha256()
    for room in ("record", "replay", "trace"):
        for path in sorted((_COMPARE / room).rglob("*")):
            if path.suffix in _SOURCES and path.name not in _GENERATED:
                found.update(path.relative_to(_COMPARE).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def load(directory: Path, wanted: str) -> Measured | None:
    """What is kept in directory, if its fingerprint is the wanted one."""
    try:
        kept = json.loads((directory / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if kept.get("fingerprint") != wanted:
        return None
    measured: Measured = kept["measured"]
    return measured


def keep(directory: Path, measured: Measured, wanted: str) -> None:
    """At once or not at all."""
    text = json.dumps({"fingerprint": wanted, "measured": measured}, indent=1) + "\n"
    with Output(str(directory / _FILE)) as file:
        file.write(text)


def forget(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (directory / _FILE).unlink()
