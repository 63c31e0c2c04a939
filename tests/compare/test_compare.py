"""`depwatch compare`: a program is recorded, replayed and gone."""

import json
import signal
from argparse import ArgumentParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from observing import Programs

from depwatch.commands import compare
from depwatch.commands.arguments import program
from depwatch.compare import defaults
from depwatch.compare.process import Limits
from depwatch.compare.record.program import Program

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
    assert "healing (depwatch)" in done.err
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


@pytest.mark.parametrize(
    "start", [["x"], ["--", "x"], ["-m", "x"], ["-o", "y", "x"], ["-m", "--hot-after=9", "--", "x"]]
)
def test_a_program_gets_all_that_follows_its_name(start: list[str]) -> None:
    parser = ArgumentParser()
    compare.add(parser.add_subparsers())
    given = ("--", "-o", "x", "--help", "-m", "--version", "-1", "--bogus")
    found = program(parser.parse_args(["compare", *start, *given]))
    assert found == Program("x", "-m" in start, given)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--hot-after", "0", "program.py"], "argument --hot-after: '0' is no whole number of at least 1"),
        (["--hot-after", "many", "program.py"], "argument --hot-after: 'many' is no whole number of at least 1"),
        (["--hot", "5", "program.py"], "unknown arguments: --hot"),
        (["--corpus"], "unknown arguments: --corpus"),
        (["-m"], "-m needs the name of a module"),
    ],
)
def test_arguments_that_are_wrong_are_refused_before_the_program_runs(
    programs: Programs, arguments: list[str], problem: str
) -> None:
    programs.write("print('ran')")
    done = programs.depwatch("compare", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("usage: depwatch compare ")
    assert done.err.splitlines()[-1] == f"depwatch compare: error: {problem}"


# --- without a program ----------------------------------------------------------------------------------------------


@dataclass
class Defaults:
    """Programs to be run in place of the three that `depwatch compare` has."""

    directory: Path
    programs: list[Any] = field(default_factory=list)

    def add(self, title: str, text: str | None, limits: Limits = defaults.LIMITS) -> None:
        """text None: a script that is not there."""
        script = self.directory / f"{title}.py"
        if text is not None:
            script.write_text(text, encoding="utf-8")
        self.programs.append(defaults.Default(title, (str(script),), limits))

    def compare(self, output: Path | None = None) -> int:
        return defaults.compare_defaults(str(output) if output is not None else None, 50)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Defaults:
    small = Defaults(tmp_path)
    monkeypatch.setattr(defaults, "DEFAULTS", small.programs)
    monkeypatch.setattr(defaults, "_benchmarks", lambda: "")
    return small


def titles(output: Path) -> list[str]:
    return [trace["title"] for trace in json.loads(output.read_text(encoding="utf-8"))["traces"]]


def lines_of_ours(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("depwatch ")]


QUICK = "print('output of the program')"
BUSY = "while True: pass"
WAITING = "import time; time.sleep(1000)"


def test_without_a_program_each_default_runs_in_its_own_process_and_gets_a_table(
    small: Defaults, capsys: pytest.CaptureFixture[str]
) -> None:
    small.add("one", QUICK)
    small.add("two", QUICK)
    output = small.directory / "replay.json"
    assert small.compare(output) == 0
    captured = capsys.readouterr()
    assert (captured.out.count("one: "), captured.out.count("two: ")) == (1, 1)
    assert lines_of_ours(captured.err) == []
    assert titles(output) == ["one", "two"]


def test_a_default_does_not_run_in_the_directory_that_one_is_in(
    small: Defaults, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There pytest would load the conftest.py of whatever project that is."""
    small.add("one", "import os; assert os.listdir() == []")
    monkeypatch.chdir(small.directory)
    assert small.compare() == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "limits", "why"),
    [
        (BUSY, Limits(cpu=0.2), "it used more than 0.2 s of CPU time"),
        (WAITING, Limits(cpu=60, wall=1), "it did not end within 1 s, though it used less than 60 s of CPU time"),
    ],
)
def test_a_default_that_passes_its_limits_is_left_out_and_is_no_failure(
    small: Defaults, capsys: pytest.CaptureFixture[str], text: str, limits: Limits, why: str
) -> None:
    small.add("slow", text, limits)
    small.add("quick", QUICK)
    output = small.directory / "replay.json"
    assert small.compare(output) == 0
    sentence = f"depwatch compare: slow is left out: {why}; the last line that it wrote: no output"
    assert lines_of_ours(capsys.readouterr().err) == [sentence]
    assert titles(output) == ["quick"]


def test_if_all_defaults_pass_their_limits_nothing_was_compared(
    small: Defaults, capsys: pytest.CaptureFixture[str]
) -> None:
    small.add("slow", BUSY, Limits(cpu=0.2))
    output = small.directory / "replay.json"
    assert small.compare(output) == 1
    assert len(lines_of_ours(capsys.readouterr().err)) == 1
    assert not output.exists()


@pytest.mark.slow
def test_a_default_that_fails_is_named_and_the_others_are_compared(
    small: Defaults, capsys: pytest.CaptureFixture[str]
) -> None:
    small.add("broken", "raise ValueError('by design')")
    small.add("missing", None)
    small.add("quick", QUICK)
    output = small.directory / "replay.json"
    assert small.compare(output) == 1
    broken, missing = lines_of_ours(capsys.readouterr().err)
    why = "it ended with status 1; the last line that it wrote: ValueError: by design"
    assert broken == f"depwatch compare: broken is left out: {why}"
    assert missing.startswith("depwatch compare: missing is left out: it ended with status 2; ")
    assert titles(output) == ["quick"]


def test_each_default_has_two_minutes_of_cpu_time_and_ten_by_the_clock() -> None:
    assert [default.limits for default in defaults.DEFAULTS] == [Limits(cpu=120, wall=600)] * 3
