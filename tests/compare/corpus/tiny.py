"""A corpus of programs of the standard library only, and a way to run it as a user would."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

COUNT = """
import sys
RATE = 0
def rate():
    return RATE
for number in range(300):
    RATE = number % {changes}
    rate()
with open(sys.argv[1], 'a') as file:
    print({name!r}, file=file)
print('done', {name!r})
"""


@dataclass
class Tiny:
    directory: Path

    @property
    def toml(self) -> Path:
        return self.directory / "tiny.toml"

    @property
    def ran(self) -> Path:
        """The programs write their names there, each time that they run."""
        return self.directory / "ran"

    @property
    def results(self) -> Path:
        return self.directory / "results.json"

    def write(self, programs: dict[str, str]) -> None:
        """name -> text of the script; {name} is its name."""
        entries = []
        self.ran.touch()
        for name, text in programs.items():
            (self.directory / f"{name}.py").write_text(text, encoding="utf-8")
            kind = "quiet" if name.startswith("quiet") else "mutating"
            command = json.dumps([f"{{programs}}/{name}.py", str(self.ran)])
            entries.append(f'[[program]]\nname = "{name}"\nkind = "{kind}"\nwhy = "made so"\ncommand = {command}\n')
        self.toml.write_text("\n".join(entries), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        own = ["--corpus", str(self.toml), "--directory", str(self.directory / "cache"), "-o", str(self.results)]
        return [sys.executable, str(ROOT / "benchmarks" / "corpus.py"), *own, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, env=variables())

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.results.read_text(encoding="utf-8"))
        return report

    def runs(self) -> list[str]:
        return self.ran.read_text(encoding="utf-8").split()


def program(name: str, changes: int = 7) -> str:
    return COUNT.format(name=name, changes=changes)


def recorded(directory: Path, text: str) -> Path:
    """The trace of a program with this text."""
    (directory / "program.py").write_text(text, encoding="utf-8")
    trace = directory / "trace.parquet"
    command = [sys.executable, "-m", "depwatch", "record", "-o", str(trace), str(directory / "program.py")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return trace


def variables() -> dict[str, str]:
    return os.environ | {"COLUMNS": "200"}
