"""Programs are recorded in processes of their own (in this one, pytest itself would be), and replayed here."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from parent import depwatch

AGREEING = ("dropped", "resumed", "recompiled", "cold_calls")


@dataclass
class Outcome:
    status: int
    out: str
    err: str
    replay: dict[str, Any]  # of the trace
    live: dict[str, Any]  # what depwatch's own handles did meanwhile: see live.py

    def policy(self, name: str, phase: str = "whole") -> dict[str, Any]:
        (entry,) = (entry for entry in self.replay["policies"] if entry["policy"] == name)
        return entry[phase] | {"spread": entry["spread"], "unrelated_drops": entry["unrelated_drops"]}

    def drops(self) -> dict[str, tuple[int, ...]]:
        """(dropped, needlessly, resumed, recompiled, patches, deopts) by policy."""
        columns = ("dropped", "needlessly", "resumed", "recompiled", "patches", "deopts")
        return {
            entry["policy"]: tuple(entry["whole"][column] for column in columns) for entry in self.replay["policies"]
        }


class Folder:
    """Where programs are written and run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = dict(os.environ)  # of the programs

    def write(self, text: str, name: str = "program.py") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def python(
        self, *arguments: str, input: str = "", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        how: dict[str, Any] = {"cwd": self.directory, "env": environment or self.environment, "input": input}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=100, **how)


TWIN = {"PYTHONPATH": str(Path(__file__).parent / "twin"), "DEPWATCH_TWIN": "1"}


class Programs(Folder):
    def depwatch(self, *arguments: str, input: str = "", **options: Any) -> Outcome:
        done = depwatch(*arguments, cwd=self.directory, input=input, **options)
        return Outcome(done.returncode, done.stdout, done.stderr, {}, {})

    def observe(self, text: str, *arguments: str, hot_after: int = 50, room: str | None = None) -> Outcome:
        """Record a program that ends well, and replay it: depwatch's own handles agree with their replay."""
        from depwatch.compare.replay.run import Options, replay_trace
        from depwatch.compare.trace import check
        from depwatch.compare.trace.reader import Trace

        self.write(text)
        options = ("--hot-after", str(hot_after), "-o", "trace.parquet")
        environment = TWIN | ({} if room is None else {"DEPWATCH_ROOM": room})
        outcome = self.depwatch("record", *options, "program.py", *arguments, environment=environment)
        assert outcome.status == 0, outcome.err
        path = self.directory / "trace.parquet"
        with Trace(path) as trace:
            assert check(trace) == []
            live = trace.program["live"]
        outcome = replace(
            outcome, replay=msgspec.to_builtins(replay_trace(str(path), Options(hot_after=(hot_after,)))), live=live
        )
        assert live["missed"] == []
        assert outcome.replay["totals"]["whole"]["calls"] == trace.program["counted"]["calls"]
        healing = outcome.policy("healing")
        counts = [{name: of[name] for name in AGREEING} for of in (healing, live)]
        assert counts[0] == counts[1], counts
        return outcome
