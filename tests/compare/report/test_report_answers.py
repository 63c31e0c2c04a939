"""What the report answers: a sentence a program, whom a facet hit and what to do, which prices are assumed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_report_page import Page

from depwatch.compare.advice import advice
from depwatch.compare.replay.result import Facet
from pages.made import replay
from support import ROOT


def facet(**more: Any) -> Facet:
    usual = {"facet": "a.B", "kind": "global", "changes": 10, "breaks": 6, "restores": 0, "handles_hit": 6}
    return Facet(**usual | {"file": None, "line": None, "cause": "the program"} | more)


@pytest.mark.parametrize(
    ("more", "begins"),
    [
        ({"restores": 3}, "It is put back each time"),
        ({"restores": 3, "changes": 10_000}, "It is put back each time"),
        ({"changes": 10_000}, "It changes all the time: keep it in an instance"),
        ({"changes": 10_000, "cause": "library x"}, "It changes all the time, and not by code of the program"),
        ({"kind": "function"}, "A function gets other code or defaults"),
        ({"breaks": 1, "changes": 1}, "It is set late, and then settles"),
        ({}, "It goes from value to value"),
    ],
)
def test_what_to_do_about_a_facet_follows_from_how_it_broke(more: dict[str, Any], begins: str) -> None:
    said = advice(facet(**more))
    assert said.startswith(begins)
    assert said.endswith(".")


def test_the_report_of_a_trace_names_the_functions_when_on_what_and_the_command(reports: Any, tmp_path: Path) -> None:
    program = "RATE = 2\ndef cost(): return RATE\nfor _ in range(60): cost()\nRATE = 3\nfor _ in range(60): cost()\n"
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "depwatch", "record", "-o", "small.parquet", "program.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    text = Page(reports.make(str(tmp_path / "small.parquet"))).text
    assert re.search(r"Of \d+ dependenc\w+ of hot functions \d+ broke; an ID for each object drops code", text)
    assert re.search(r"Recorded: \d{4}-\d\d-\d\d [\d:]{8}Z; Linux \w+, \d+ processors; depwatch [\d.]+\.", text)
    assert "python program.py" in text
    assert "__main__.RATE global dropped code 1 time; compiled again: 1" in text
    assert "Changed 1 time, at <program>/program.py:4, by the program. Hit: cost. Instead: It is set late" in text


def test_each_program_of_several_has_its_answer_before_its_table(reports: Any) -> None:
    page = Page(reports.of(replay(3)))
    assert len([a for a in page.all("p") if a.get("class") == "answer"]) == 3


def test_a_price_that_nobody_has_measured_says_so_where_it_is_shown_and_used(reports: Any) -> None:
    data = replay(1)
    first, *_ = data["prices"]
    data["prices"] = {first: data["prices"][first] | {"assumed": ["recompile"]}}
    for policy in data["traces"][0]["policies"]:
        policy["cost"] = {first: policy["cost"][first]}
    text = Page(reports.of(data)).text
    assert f"cost, {first} recompile assumed" in text
    assert len(re.findall(r"\d (?:ms|s|µs|ns) assumed", text)) == 1
