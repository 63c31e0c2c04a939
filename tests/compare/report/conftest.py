"""Replays as files, and the command on them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from depwatch.commands.report import _report
from pages.made import replay


@dataclass
class Reports:
    """A folder with inputs, and what the command makes there."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def write(self, data: Any, name: str = "replay.json") -> str:
        path = self.folder / name
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return str(path)

    @property
    def output(self) -> Path:
        return self.folder / "report.html"

    def make(self, *inputs: str, output: str | None = None) -> str:
        """The page."""
        _report(output or str(self.output), inputs)
        return Path(output or self.output).read_text(encoding="utf-8")

    def of(self, data: Any) -> str:
        return self.make(self.write(data))

    def refused(self, *inputs: str, output: str | None = None) -> str:
        """The one line that says why; nothing but what was there is there afterwards."""
        before = self.files()
        with pytest.raises(SystemExit) as ended:
            _report(output or str(self.output), inputs)
        assert self.files() == before
        assert self.capture.readouterr() == ("", "")
        line = str(ended.value.code)
        assert line.startswith("depwatch report: ") and "\n" not in line and len(line) < 500
        return line.removeprefix("depwatch report: ").replace(f"{self.folder}/", "")

    def files(self) -> dict[str, bytes | None]:
        return {path.name: path.read_bytes() if path.is_file() else None for path in self.folder.iterdir()}


@pytest.fixture
def reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    return Reports(tmp_path, capsys)


@pytest.fixture
def data() -> dict[str, Any]:
    """A valid replay of two programs."""
    return replay(2, variants=False)
