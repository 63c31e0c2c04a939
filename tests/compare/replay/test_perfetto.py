"""`depwatch replay --perfetto`: what becomes of functions, in the format of Chrome's trace events."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from building import Building, hot_function

from depwatch.compare.replay.perfetto import export
from depwatch.compare.replay.run import Options

# What the format asks of each kind of event: ph X complete, i instant, C counter, M metadata.
ALL = {"name": str, "ph": str, "ts": (int, float), "pid": int, "tid": int, "cat": str}
MORE: dict[str, dict[str, Any]] = {
    "X": {"dur": (int, float)},
    "i": {"s": str, "args": dict},
    "C": {"args": dict},
    "M": {"args": dict},
}


def exported(paths: Sequence[Path], policy: str = "healing") -> list[dict[str, Any]]:
    """The events of a file that keeps to the format."""
    output = paths[0].parent / "events.json"
    export([str(path) for path in paths], Options(), policy, str(output))
    told = json.loads(output.read_text(encoding="utf-8"))
    assert set(told) == {"displayTimeUnit", "otherData", "traceEvents"}
    for event in told["traceEvents"]:
        form = ALL | MORE[event["ph"]]
        assert set(event) == set(form)
        assert all(isinstance(event[name], kinds) for name, kinds in form.items())
        assert event["ts"] >= 0 and event.get("dur", 0) >= 0
        assert event["ph"] != "M" or event["name"] in ("process_name", "thread_name")
        assert event.get("s", "t") in ("g", "p", "t")
    return told["traceEvents"]


def story(events: list[dict[str, Any]]) -> list[str]:
    """By name of the thread, in order of time; slices with their length."""
    threads = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    shown = [event for event in events if event["ph"] in "Xi"]
    shown.sort(key=lambda event: event["ts"])
    for event in shown:
        event["name"] += f" for {event['dur']:g}" if event["ph"] == "X" else ""
    return [f"{event['ts']:g} {threads[event['tid']]}: {event['name']}" for event in shown]


def changed(building: Building, module: int, rate: int, function: int) -> None:
    """At 1 ms it is hot, at 3 ms it changes, at 4 ms it is as before, and at 6 ms it ends."""
    building.passes(3_000_000)
    building.change(module, [(rate, 1)])
    building.drain()
    building.passes(1_000_000)
    building.change(module, [(rate, 0)])
    building.drain()
    building.passes(2_000_000)
    building.calls(function, 60)
    building.end()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "healing",
            ["3000 changes that dropped code: program.RATE",
             "3000 cost (<program>/program.py:1): dropped",
             "4000 cost (<program>/program.py:1): valid again",
             "4000 cost (<program>/program.py:1): optimized for 2000"],
        ),
        (
            "bulk_by_facet",
            ["3000 changes that dropped code: program.RATE", "3000 cost (<program>/program.py:1): dropped"],
        ),
    ],
)  # fmt: skip
def test_a_function_is_compiled_dropped_and_valid_again(tmp_path: Path, policy: str, expected: list[str]) -> None:
    building = hot_function()
    changed(*building)
    events = exported([building[0].write(tmp_path / "t.parquet")], policy)
    counted = [event["args"]["functions"] for event in events if event["ph"] == "C"]
    (dropped,) = (event["args"] for event in events if event["name"] == "dropped")
    told = story(events)
    first = ["0 cost (<program>/program.py:1): compiled", "0 cost (<program>/program.py:1): optimized for 3000"]
    assert [line for line in told if line in first] == first
    assert [line for line in told if line in expected] == expected
    assert counted[:2] == [1, 0] and counted[-1] == 1
    where = {"by": "program.RATE", "at": "<program>/program.py:7", "change": "modified", "changes": 1}
    assert dropped == {"times": 1} | where


def test_each_trace_is_a_process_and_a_child_begins_when_it_was_started(tmp_path: Path) -> None:
    paths = []
    for name, process in (("t", {"id": 7, "began": 5_000_000}), ("t.8", {"id": 8, "began": 7_000_000, "how": "fork"})):
        building = hot_function()
        changed(*building)
        building[0].metadata |= {"process": process} | ({"program": "t.parquet"} if name == "t.8" else {})
        paths.append(building[0].write(tmp_path / f"{name}.parquet"))
    events = exported(paths)
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert names == {1: "program.py (t.parquet)", 2: "program.py (t.8.parquet)"}
    dropped = {event["pid"]: event["ts"] for event in events if event["name"] == "dropped"}
    assert dropped == {1: 3000, 2: 5000}
