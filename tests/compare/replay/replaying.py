"""Replays traces that were made by hand."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from building import Building

from depwatch.compare.replay.run import Options, replay_trace


def replay(building: Building, **options: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        found = replay_trace(str(building.write(Path(directory) / "trace.parquet")), Options(**options))
        return msgspec.to_builtins(found)


def policies(building: Building, **options: Any) -> dict[str, dict[str, Any]]:
    """By name: the counts of the whole that are not 0, and what was left unguarded if anything was."""
    found = {}
    for entry in replay(building, **options)["policies"]:
        counts = {name: count for name, count in entry["whole"].items() if count and name != "cold_share"}
        if entry["unrelated_drops"]:
            counts["unrelated_drops"] = entry["unrelated_drops"]
        if entry["unguarded"]["functions"]:
            counts["unguarded"] = tuple(entry["unguarded"].values())
        if entry["spread"]:
            counts["spread"] = entry["spread"]
        found[entry["policy"]] = counts
    return found
