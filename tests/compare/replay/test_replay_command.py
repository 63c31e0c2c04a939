"""`depwatch replay` on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from building import Building, hot_function
from observing import Programs

from depwatch.compare.replay.title import title
from support import ROOT


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return small().write(tmp_path / "small.parquet")


def small() -> Building:
    building, module, rate, function = hot_function()
    building.change(module, [(rate, 1)])
    building.drain()
    building.calls(function, 60)
    building.end()
    return building


def test_a_table_goes_to_stdout_and_all_numbers_to_a_file(programs: Programs, trace: Path) -> None:
    done = programs.depwatch("replay", "small.parquet", "-o", "replay.json", "--check")
    assert (done.status, done.err) == (0, "")
    assert "program.py: 0.0 s, Python 3.13.0" in done.out
    assert "healing (depwatch)" in done.out
    replay = json.loads((programs.directory / "replay.json").read_text())
    assert set(replay) == {"format", "depwatch", "prices", "traces"}
    assert (replay["format"], len(replay["traces"])) == (2, 1)
    assert sorted(path.name for path in programs.directory.iterdir()) == ["replay.json", "small.parquet"]


def test_a_stdout_without_some_sign_of_the_tables_gets_them_all_the_same(programs: Programs, trace: Path) -> None:
    plain = programs.depwatch("replay", "small.parquet")
    command = [sys.executable, "-m", "depwatch", "replay", "small.parquet"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=programs.directory, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "µs" in plain.out and done.stdout == plain.out.encode("ascii", "replace").decode()


@pytest.mark.slow
def test_the_same_traces_give_the_same_bytes(programs: Programs, trace: Path) -> None:
    for output in ("a.json", "b.json"):
        done = programs.depwatch("replay", "small.parquet", "-o", output, "--give-up", "1-3,6")
        assert done.status == 0, done.err
    assert (programs.directory / "a.json").read_bytes() == (programs.directory / "b.json").read_bytes()


def test_a_folder_of_traces_is_replayed_in_the_order_of_their_names(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    for name in ("b", "a"):
        small().write(tmp_path / "traces" / f"{name}.parquet")
    done = programs.depwatch("replay", "traces", "-o", "replay.json", "--policies", "healing,granular")
    assert done.status == 0, done.err
    replay = json.loads((tmp_path / "replay.json").read_text())
    assert [entry["trace"] for entry in replay["traces"]] == ["a.parquet", "b.parquet"]


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("missing.parquet",), "depwatch replay: missing.parquet: cannot be opened: No such file or directory"),
    (("damaged.parquet",), "damaged.parquet: is damaged: it uses facet 7, which no row gives; record again"),
    (("small.parquet", "--policies", "bulk"), "there is no policy 'bulk'; there are bulk_by_object,"),
    (("small.parquet", "--hot-after", "5"), "'5' is not within 10 to 2147483647, ascending"),
    (("small.parquet", "--give-up", "six"), "'six' is no number: write 6, or 1,6,20, or 1-100"),
    (("small.parquet", "--give-up", "1-5000"), "'1-5000' are more than 1,000 numbers"),
    (("small.parquet", "--prices", "small.parquet"), "small.parquet: no prices can be read: "),
    (("small.parquet", "--resume"), "--resume needs -o FILE"),
    (("small.parquet", "-o", "missing/replay.json"), "missing/replay.json: No such file or directory"),
    ((), "the following arguments are required: TRACES"),
]


@pytest.mark.parametrize(("arguments", "problem"), REFUSED)
def test_what_cannot_be_replayed_is_refused_in_one_line_and_leaves_nothing(
    programs: Programs, trace: Path, arguments: tuple[str, ...], problem: str
) -> None:
    damaged = Building()
    damaged.object()
    damaged.change(1, [(7, 1)])
    damaged.end()
    damaged.write(programs.directory / "damaged.parquet")
    done = programs.depwatch("replay", *arguments)
    assert done.status != 0
    assert done.out == ""
    assert problem in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert sorted(path.name for path in programs.directory.iterdir()) == ["damaged.parquet", "small.parquet"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["app.py"], "app.py"),
        (["/somewhere/app.py", "--fast"], "app.py --fast"),
        (["-m", "pytest", "-q", "tests"], "pytest -q tests"),
        (["/x/benchmarks/bm_go/run_benchmark.py", "--worker"], "pyperformance: go"),
        (["app.py", "a" * 100], "app.py " + "a" * 72 + "…"),
        ([], "a program"),
        (None, "a program"),
    ],
)
def test_a_program_is_called_by_its_command(command: Any, expected: str) -> None:
    assert title(command) == expected
