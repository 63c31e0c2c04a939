"""What replays look like: one sentence first, one name for each policy, tables that fit, no path that is broken."""

import io
import json
from pathlib import Path

import pytest
from building import hot_function
from observing import Programs
from rich.console import Console
from test_replay_command import small

from depwatch.compare.policies import POLICIES
from depwatch.compare.replay.fitting import print_table, print_worst


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return small().write(tmp_path / "small.parquet")


def written(width: int) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, highlight=False), file


def test_one_sentence_comes_first_and_a_legend_with_both_proposals_last(programs: Programs, trace: Path) -> None:
    lines = programs.depwatch("replay", "small.parquet").out.splitlines()
    title, sentence = lines[1:3]
    assert title.startswith("program.py: ")
    assert sentence == (
        "Of 2 dependencies of hot functions 1 broke; an ID for each object drops code once, by facet with giving up 1."
    )
    legend = lines[lines.index("policies (A and B: the two that gh-91053 proposed)") :]
    names = [line.strip().partition(": ")[0] for line in legend[1:] if line.startswith("  ")]
    assert names == [about.title_after(6) for about in POLICIES.values()]
    assert "bulk by object (B)" in names and "granular (A)" in names
    rows = {line.strip().partition("  ")[0] for line in lines[: lines.index(legend[0])]}
    assert set(names) <= rows  # the tables call them the same


def test_a_program_in_which_nothing_was_hot_gets_a_sentence_and_no_table(programs: Programs, tmp_path: Path) -> None:
    building, *_ = hot_function()
    building.end()
    building.write(tmp_path / "cold.parquet")
    lines = programs.depwatch("replay", "cold.parquet", "--hot-after", "1000").out.splitlines()
    assert " ".join(" ".join(lines[2:]).split()) == (
        "Nothing was hot: none of 1 function was called 1,000 times, so no policy had anything to drop. Let the "
        "program run for longer, or lower --hot-after."
    )


@pytest.mark.parametrize("option", [["--json"], ["-o", "-"]])
def test_json_goes_to_stdout_in_place_of_the_tables(programs: Programs, trace: Path, option: list[str]) -> None:
    done = programs.depwatch("replay", "small.parquet", *option)
    assert (done.status, done.err) == (0, "")
    programs.depwatch("replay", "small.parquet", "-o", "replay.json")
    assert json.loads(done.out) == json.loads((programs.directory / "replay.json").read_text())


def test_a_recording_says_what_it_wrote_as_json_and_keeps_off_stdout(programs: Programs) -> None:
    programs.write("def f(): return len('')\nfor _ in range(60): f()")
    done = programs.depwatch("record", "--json", "program.py")
    told = json.loads(done.out)
    assert (done.err, told["trace"], told["exit"], told["problem"]) == ("", "trace.parquet", 0, None)
    assert told["bytes"] == (programs.directory / "trace.parquet").stat().st_size
    refused = programs.depwatch("record", "-o", "-", "program.py")
    assert refused.status == 2
    assert "'-' is stdout, where the program's own output goes: name a file for the trace" in refused.err


def test_columns_that_matter_least_are_left_out_where_there_is_no_room_and_named() -> None:
    rows = [("  a policy (A)", ["1", "22", "333"])]
    columns = ["dropped", "resumed", "patches"]
    for width, shown, gone in (
        (70, columns, []),
        (36, columns[:2], ["patches"]),
        (24, ["dropped"], ["patches", "resumed"]),
    ):
        console, file = written(width)
        print_table(console, "handles", columns, rows, ["patches", "resumed"])
        head, row, *note = file.getvalue().splitlines()
        assert head.split() == ["handles", *shown]
        assert row.split()[3:] == [rows[0][1][columns.index(name)] for name in shown]
        said = f"no room for: {', '.join(gone)} (a terminal of {width} columns; --json has all)"
        assert " ".join(" ".join(note).split()) == (said if gone else "")


def test_a_name_and_a_path_are_whole_in_a_line_of_their_own_however_narrow() -> None:
    console, file = written(30)
    path = "<site>/a/long/path/to/a/module_that_has_a_name.py:12345"
    print_worst(
        console, "facets that broke most", ("changes", "breaks"), [(("12", "3"), "a.module.NAME" * 4, path, "x")]
    )
    assert file.getvalue().splitlines() == [
        "changes  breaks  facets that broke most",
        f"     12       3  {'a.module.NAME' * 4}",
        f"{' ' * 19}{path}, by x",
    ]
