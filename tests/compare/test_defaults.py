"""`depwatch compare` without a program."""

import sys
from pathlib import Path
from typing import Any

import pytest


def test_missing_packages_are_named_with_the_extra_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depwatch.compare import defaults

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert defaults.compare_defaults(None, 50) == 1
    line = "depwatch compare without a program needs networkx, pyperf, pyperformance, pytest: "
    assert capsys.readouterr().err == line + "pip install 'depwatch[compare]'\n"


def test_each_program_runs_in_a_process_of_its_own_and_gets_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depwatch.compare import defaults

    script = tmp_path / "program.py"
    script.write_text("print('output of the program')", encoding="utf-8")
    default = defaults.Default("small", ("json",), (str(script),))
    monkeypatch.setattr(defaults, "DEFAULTS", (default, default))
    monkeypatch.setattr(defaults, "_benchmarks", lambda: "")
    output = tmp_path / "reports.json"
    assert defaults.compare_defaults(str(output), 50) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("depwatch compare small") == 2
    assert output.read_text(encoding="utf-8").count('"missed_events": 0') == 2


def test_a_program_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depwatch.compare import defaults

    default = defaults.Default("failing", ("json",), (str(tmp_path / "missing.py"),))
    monkeypatch.setattr(defaults, "DEFAULTS", (default,))
    monkeypatch.setattr(defaults, "_benchmarks", lambda: "")
    assert defaults.compare_defaults(None, 50) == 1
    assert "failing: ended with status 2: " in capsys.readouterr().err


def test_the_modules_that_the_table_needs_are_not_imported_while_the_program_runs(programs: Any) -> None:
    observed = programs.observe("import sys\nprint([name for name in ('rich', 'json', 'csv') if name in sys.modules])")
    assert "rich" not in observed.out
    assert sys.version_info >= (3, 12)
