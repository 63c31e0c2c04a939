"""`depwatch compare`: a program is recorded, replayed and gone."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from observing import Programs

PROGRAM = """
    import sys
    RATE = 2
    def cost(): return RATE
    for _ in range(60): cost()
    RATE = 3
    print("output of the program", len(sys.argv))
"""


def left(programs: Programs) -> list[str]:
    return sorted(path.name for path in programs.directory.iterdir())


def test_the_table_comes_after_the_program_and_the_replay_is_written(programs: Programs) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "-o", "replay.json", "program.py", "--an-option")
    assert (done.status, done.out) == (0, "output of the program 2\n")
    assert "program.py --an-option: " in done.err
    assert "__main__.RATE" in done.err
    replay = json.loads((programs.directory / "replay.json").read_text(encoding="utf-8"))
    (trace,) = replay["traces"]
    assert (trace["title"], trace["exit"], trace["complete"]) == ("program.py --an-option", 0, True)
    assert left(programs) == ["program.py", "replay.json"]


def test_what_a_program_does_until_it_fails_is_compared_and_its_status_kept(programs: Programs) -> None:
    programs.write(PROGRAM + "    sys.exit(3)\n")
    done = programs.depwatch("compare", "program.py")
    assert (done.status, done.out) == (3, "output of the program 1\n")
    assert "__main__.RATE" in done.err


def test_a_program_that_is_killed_is_compared_up_to_there(programs: Programs) -> None:
    programs.write(PROGRAM + "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    done = programs.depwatch("compare", "-o", "replay.json", "program.py")
    assert done.status == -signal.SIGKILL
    assert "that, with healing: depwatch" in done.err
    replay = json.loads((programs.directory / "replay.json").read_text(encoding="utf-8"))
    assert replay["traces"][0]["exit"] == -signal.SIGKILL


def test_a_program_that_is_not_there_is_named_as_python_names_it(programs: Programs) -> None:
    done = programs.depwatch("compare", "-o", "replay.json", "missing.py")
    assert done.status == 2
    assert "can't open file" in done.err
    assert left(programs) == []


def test_a_replay_that_cannot_be_written_stops_the_program_from_running(programs: Programs) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "-o", "missing/replay.json", "program.py")
    assert (done.status, done.out) == (2, "")
    assert "no file can be made at 'missing/replay.json'" in done.err
    (programs.directory / "directory").mkdir()
    done = programs.depwatch("compare", "-o", "directory", "program.py")
    assert (done.status, done.out) == (2, "")


def test_missing_packages_are_named_with_the_extra_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depwatch.compare import defaults

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert defaults.compare_defaults(None, 50) == 1
    line = "depwatch compare without a program needs networkx, pyperf, pyperformance, pytest: "
    assert capsys.readouterr().err == line + "pip install 'depwatch[compare]'\n"


def default(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    from depwatch.compare import defaults

    small = defaults.Default("small", ("json",), arguments)
    monkeypatch.setattr(defaults, "DEFAULTS", (small, small))
    monkeypatch.setattr(defaults, "_benchmarks", lambda: "")
    return defaults


def test_without_a_program_each_default_runs_in_its_own_process_and_gets_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "program.py"
    script.write_text("print('output of the program')", encoding="utf-8")
    output = tmp_path / "replay.json"
    assert default(monkeypatch, str(script)).compare_defaults(str(output), 50) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("small: ") == 2
    replay = json.loads(output.read_text(encoding="utf-8"))
    assert [trace["title"] for trace in replay["traces"]] == ["small", "small"]


def test_a_default_does_not_run_in_the_directory_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There pytest would load the conftest.py of whatever project that is."""
    script = tmp_path / "program.py"
    script.write_text("import os; assert not os.path.exists('program.py')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert default(monkeypatch, str(script)).compare_defaults(None, 50) == 0, capsys.readouterr().err


def test_a_default_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.py")
    assert default(monkeypatch, missing).compare_defaults(None, 50) == 1
    assert "small: ended with status 2: " in capsys.readouterr().err
