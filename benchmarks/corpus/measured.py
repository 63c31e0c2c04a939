"""What is known of a program that has been run, recorded and replayed, once or several times; kept in a file."""

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
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES
from depwatch.compare.replay.prices import Prices
from depwatch.compare.replay.run import Options

from .entries import Corpus, Entry

type Measured = dict[str, Any]  # an entry of "traces" in the results, with what is below

_FILE: Final = "measured.json"
_COMPARE: Final = Path(depwatch.compare.__file__).parent
_SOURCES: Final = frozenset({".py", ".pyx", ".pxi", ".c", ".h", ".toml"})
_NOT_OURS: Final = frozenset({"_tap.c", "_engine.c", "prices.toml"})  # generated; and what runs do not depend on


def fingerprint(corpus: Corpus, entry: Entry, options: Options) -> str:
    """What a result depends on: what runs, its scripts, the pins, Python, depwatch and how it is replayed.

    Of depwatch: its version, and the code that records and replays, as results of two states of it must not be mixed.
    """
    contents = {str(path.name): path.read_text(encoding="utf-8") for path in corpus.scripts(entry)}
    if entry.packages and corpus.constraints is not None:
        contents["constraints"] = corpus.constraints.read_text(encoding="utf-8")
    runs = asdict(entry)
    del runs["kind"], runs["why"], runs["chosen"]
    replays = msgspec.to_builtins(options)
    del replays["prices"]  # which are applied when results are written
    depends = [runs, contents, platform.python_version(), version("depwatch"), _code(), replays]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    found = hashlib.sha256()
    for room in ("record", "replay", "trace"):
        for path in sorted((_COMPARE / room).rglob("*")):
            if path.suffix in _SOURCES and path.name not in _NOT_OURS:
                found.update(path.relative_to(_COMPARE).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def load(directory: Path, wanted: str) -> list[Measured]:
    """The runs that are kept in directory, if their fingerprint is the wanted one."""
    try:
        kept = json.loads((directory / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    runs: list[Measured] = kept["runs"] if kept.get("fingerprint") == wanted else []
    return runs


def keep(directory: Path, runs: list[Measured], wanted: str) -> None:
    """At once or not at all."""
    text = json.dumps({"fingerprint": wanted, "runs": runs}, indent=1) + "\n"
    with Output(str(directory / _FILE)) as file:
        file.write(text)


def typical(runs: list[Measured]) -> Measured:
    """Of several runs the one in the middle, by what is dropped by object; of two in the middle the one with less."""
    in_order = sorted(runs, key=lambda run: policy(run, "bulk_by_object")["whole"]["dropped"])
    return in_order[(len(runs) - 1) // 2]


def policy(run: Measured, name: str) -> dict[str, Any]:
    """What a policy did in a run, at the threshold and the limit that docs/verdict.md is about."""
    found: dict[str, Any] = next(
        one
        for one in run["policies"]
        if (one["policy"], one["hot_after"]) == (name, HOT_AFTER) and one["give_up_after"] in (None, GIVE_UP_AFTER)
    )
    return found


def priced(run: Measured, prices: dict[str, Prices]) -> Measured:
    """The same run at these prices: it may have been replayed when others were known."""
    policies = [
        each | {"cost": {name: round(one.cost(each["whole"])) for name, one in prices.items()}}
        for each in run["policies"]
    ]
    return run | {"policies": policies}


def summary(run: Measured) -> Measured:
    """What the spread of several runs is of: times, totals, and the counts of each policy."""
    totals, lifetimes = run["totals"]["whole"], run["lifetimes"]
    return {
        **{name: run[name] for name in ("plain_seconds", "recorded_seconds")},
        **{name: totals[name] for name in ("calls", "hot_functions", "dependencies", "changes")},
        "broken": sum(lifetimes["broken"]),
        "held": sum(lifetimes["still_held"]),
        "policies": {name: _counts(policy(run, name)) for name in POLICIES},
    }


def _counts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: found["whole"][name] for name in ("dropped", "needlessly", "resumed", "recompiled", "patches")},
        "unguarded": found["unguarded"]["dependencies"],
        "cost": found["cost"],
    }
