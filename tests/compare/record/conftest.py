"""Programs are recorded in processes of their own: in this one, pytest itself would be recorded."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import journal
import pytest
from observing import Folder

from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.record.program import Program


@dataclass
class Outcome:
    status: int
    out: str
    err: str
    journal: journal.Journal

    @property
    def story(self) -> list[str]:
        return journal.story(self.journal)

    @property
    def counted(self) -> dict[str, Any]:
        return self.journal.json["counted"]

    def calls(self) -> dict[str, int]:
        """How often each of the program's own functions was called, by its last row."""
        own = {r["function"]: r["name"] for r in self.journal.of("function") if r["file"].startswith("<program>/")}
        return {own[row["function"]]: row["calls"] for row in self.journal.of("calls") if row["function"] in own}


class Programs(Folder):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "work")
        self.directory.mkdir()
        self.journals = directory / "journal"

    def plain(self, *arguments: str, input: str = "") -> Outcome:
        done = self.python(*arguments, input=input)
        return Outcome(done.returncode, done.stdout, done.stderr, journal.Journal())

    def record(self, *arguments: str, input: str = "", hot_after: int = HOT_AFTER) -> Outcome:
        shutil.rmtree(self.journals, ignore_errors=True)
        self.journals.mkdir()
        is_module = arguments[0] == "-m"
        program = Program(arguments[is_module], is_module, ())
        environment = program.environment(str(self.journals), hot_after, self.environment)
        done = self.python(*arguments, input=input, environment=environment)
        return Outcome(done.returncode, done.stdout, done.stderr, journal.read(self.journals))

    def both(self, *arguments: str, input: str = "") -> tuple[Outcome, Outcome]:
        """Plain and recorded, at the same time."""
        with ThreadPoolExecutor(1) as pool:
            plain = pool.submit(self.plain, *arguments, input=input)
            recorded = self.record(*arguments, input=input)
            return plain.result(), recorded

    def run(self, text: str, *arguments: str, hot_after: int = HOT_AFTER) -> Outcome:
        """Record a program that ends well."""
        self.write(text)
        outcome = self.record("program.py", *arguments, hot_after=hot_after)
        assert (outcome.status, outcome.err) == (0, "")
        assert "failure" not in outcome.journal.json
        return outcome


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)
