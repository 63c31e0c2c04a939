"""Programs are observed in processes of their own: in this one, pytest itself would be observed."""

import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Outcome:
    status: int
    out: str
    err: str
    report: dict[str, Any] | None

    def policy(self, name: str, phase: str = "whole") -> dict[str, Any]:
        assert self.report is not None, self.err
        return self.report[phase]["policies"][name]

    def drops(self) -> dict[str, tuple[int, ...]]:
        """(dropped, needlessly, resumed, recompiled, patches) by policy."""
        assert self.report is not None, self.err
        columns = ("dropped", "needlessly", "resumed", "recompiled", "patches")
        return {
            name: tuple(row[column] for column in columns) for name, row in self.report["whole"]["policies"].items()
        }


class Programs:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, text: str, name: str = "program.py") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def plain(self, *arguments: str, input: str = "") -> Outcome:
        return self._run([sys.executable, *arguments], input)

    def observed(self, *arguments: str, input: str = "", options: tuple[str, ...] = ()) -> Outcome:
        path = self.directory / "report.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "depwatch", "compare", "-o", str(path), *options, *arguments]
        outcome = self._run(command, input)
        if path.exists():
            outcome.report = json.loads(path.read_text(encoding="utf-8"))
        return outcome

    def both(self, *arguments: str, input: str = "") -> tuple[Outcome, Outcome]:
        """Plain and observed, at the same time."""
        with ThreadPoolExecutor(1) as pool:
            plain = pool.submit(self.plain, *arguments, input=input)
            observed = self.observed(*arguments, input=input)
            return plain.result(), observed

    def observe(self, text: str, *arguments: str, options: tuple[str, ...] = ()) -> Outcome:
        self.write(text)
        return self.observed("program.py", *arguments, options=options)

    def _run(self, command: list[str], input: str) -> Outcome:
        done = subprocess.run(
            command, input=input, cwd=self.directory, capture_output=True, text=True, timeout=100, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr, None)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)
