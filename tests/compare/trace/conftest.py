"""Programs that write their journal themselves (fake_start/), recorded by `depwatch record`."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rows import parquet_rows

from parent import depwatch

HERE = Path(__file__).parent

DRIVE = f"""
import sys
sys.argv[0] = "depwatch"
import depwatch.compare.record.program as program
program.START = {str(HERE / "fake_start")!r}
from depwatch.cli import main
main()
"""


@dataclass
class Recorded:
    status: int
    out: str
    err: str
    rows: list[dict[str, Any]] | None  # of the trace; None: there is none


class Recorders:
    def __init__(self, directory: Path) -> None:
        self.directory = directory / "work"
        self.temporary = directory / "tmp"
        self.directory.mkdir()
        self.temporary.mkdir()

    @property
    def trace(self) -> Path:
        return self.directory / "trace.parquet"

    def command(
        self,
        text: str,
        *arguments: str,
        options: tuple[str, ...] = (),
        python: tuple[str, ...] = (),
        program: str = "program.py",
        real: bool = False,
        run: str = "record",
    ) -> list[str]:
        """real: with the real child; else text writes the journal itself. program: "" is none. run: or compare."""
        (self.directory / "program.py").write_text(textwrap.dedent(text), encoding="utf-8")
        start = ["-m", "depwatch"] if real else ["-c", DRIVE]
        return [sys.executable, *python, *start, run, *options, *([program] if program else []), *arguments]

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(HERE), "TMPDIR": str(self.temporary)}

    def start(
        self, text: str, *arguments: str, real: bool = False, run: str = "record", **more: Any
    ) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(text, *arguments, real=real, run=run),
            cwd=self.directory,
            env=self.environment(),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            **more,
        )

    def record(self, text: str, *arguments: str, input: str = "", **more: Any) -> Recorded:
        """In a child of a warm process, but for options of the interpreter."""
        command = self.command(text, *arguments, **more)
        how: dict[str, Any] = {"input": input, "cwd": self.directory}
        if more.get("python"):
            done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60, **how)
        else:
            program = {} if more.get("real") else {"program": DRIVE}
            done = depwatch(*command[3:], environment=self.environment(), **program, **how)
        return self.recorded(done.returncode, done.stdout, done.stderr)

    def recorded(self, status: int, out: str, err: str) -> Recorded:
        """Also checks that nothing else was left behind."""
        assert list(self.temporary.iterdir()) == []
        there = {path.name for path in self.directory.iterdir()} - {"program.py", "script", "__pycache__"}
        children = {path.name for path in self.children()}
        assert there - children <= {"trace.parquet"}
        return Recorded(status, out, err, parquet_rows(self.trace) if there else None)

    def children(self) -> list[Path]:
        """The traces of child processes."""
        return sorted(self.directory.glob("trace.*.parquet"))

    def plain(self, text: str) -> "subprocess.CompletedProcess[str]":
        """Run the program as it is."""
        self.command(text)
        command = [sys.executable, "program.py"]
        return subprocess.run(command, cwd=self.directory, env=self.environment(), capture_output=True, text=True)


@pytest.fixture
def recorders(tmp_path: Path) -> Recorders:
    return Recorders(tmp_path)
