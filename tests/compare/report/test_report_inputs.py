"""What depwatch report takes, and what it refuses: in one line, leaving nothing behind."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from depwatch.compare.replay.prices import load_prices
from depwatch.compare.report import page
from pages.made import replay

NOT_A_REPLAY = "replay.json is no replay of depwatch: it has no 'format' and 'traces'"


def test_the_command_makes_one_file_and_says_what_is_in_it(reports: Any, data: dict[str, Any]) -> None:
    reports.write(data)
    command = [sys.executable, "-m", "depwatch", "report", "replay.json", "-o", "page.html"]
    done = subprocess.run(command, cwd=reports.folder, capture_output=True, text=True, timeout=60, check=True)
    assert sorted(reports.files()) == ["page.html", "replay.json"]
    size = (reports.folder / "page.html").stat().st_size
    assert (done.stdout, done.stderr) == ("", f"page.html: 2 programs, {size / 1000:,.0f} kB\n")


def test_without_inputs_the_command_says_what_it_takes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "depwatch", "report"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    line = "depwatch report: nothing to report on: name at least one trace (*.parquet) or replay (JSON)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "replay.json is no JSON (Expecting value, line 1, column 1): depwatch replay -o writes it whole"),
        (
            '{"format": 2,\n "traces": [',
            "replay.json is no JSON (Expecting value, line 2, column 13): depwatch replay -o writes it whole",
        ),
        ("[]", NOT_A_REPLAY),
        ('{"benchmark": "index"}', NOT_A_REPLAY),
        ('{"format": 2}', NOT_A_REPLAY),
        (
            '{"format": 1, "traces": []}',
            "replay.json has format 1, this depwatch reads 2: replay its traces again",
        ),
        ('{"format": 3, "traces": []}', "replay.json has format 3, this depwatch reads 2: install a newer depwatch"),
        (
            json.dumps({"format": "x" * 999, "traces": []}),
            f"replay.json has format {'x' * 59}…, this depwatch reads 2: replay its traces again",
        ),
        ('{"format": NaN, "traces": []}', "replay.json is no replay: NaN is no number"),
        (
            '{"format": 2, "depwatch": "0.1.0", "prices": {}, "traces": [], "corpus": {"programs": 1e999}}',
            "replay.json is no valid replay: Expected `int`, got `float` - at `$.corpus.programs`",
        ),
        ("[" * 200_000, "replay.json is no replay: it is nested too deeply"),
        (
            '{"format": 2, "depwatch": "0.1.0", "prices": {}, "traces": []}',
            "replay.json has no traces in it: replay at least one",
        ),
        (
            '{"format": 2, "depwatch": "0.1.0", "traces": []}',
            "replay.json is no valid replay: Object missing required field `prices`",
        ),
    ],
)
def test_other_files_are_refused_in_one_line(reports: Any, text: str, line: str) -> None:
    assert reports.refused(reports.write(text)) == line


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("policies", 0, "whole", "dropped"), "9", "Expected `int`, got `str` - at `$.traces[1].policies[0].whole"),
        (("policies", 2, "rest", "patches"), -1, "Expected `int` >= 0 - at `$.traces[1].policies[2].rest.patches`"),
        (("rows",), 2**63, "Expected `int` <= 9223372036854775807 - at `$.traces[1].rows`"),
        (("rows",), 2.5, "Expected `int`, got `float` - at `$.traces[1].rows`"),
        (("seconds",), 1e31, "Expected `float` <= 1e+30 - at `$.traces[1].seconds`"),
        (("policies",), [], "no policies - at `$.traces[1]`"),
        (("title",), None, "Expected `str`, got `null` - at `$.traces[1].title`"),
        (("totals",), {}, "totals have no 'whole' - at `$.traces[1]`"),
        (
            ("timeline", "breaks"),
            [1],
            "101 edges for the 1 bins of 'breaks': there must be one more than bins - at `$.traces[1].timeline`",
        ),
        (("lifetimes", "edges", 0), 999, "edges descend - at `$.traces[1].lifetimes`"),
        (("policies", 1, "policy"), "bulk_by_object", None),
    ],
)
def test_a_replay_with_a_wrong_value_is_refused_and_the_place_named(
    reports: Any, data: dict[str, Any], path: tuple[Any, ...], value: Any, line: str | None
) -> None:
    put(data["traces"][1], path, value)
    if line is None:
        data["traces"][1]["policies"][1]["give_up_after"] = None
        line = "'bulk_by_object' is there 2 times with the same threshold and limit - at `$.traces[1]`"
    assert reports.refused(reports.write(data)).startswith(f"replay.json is no valid replay: {line}")


def test_what_cannot_be_read_is_refused(reports: Any, data: dict[str, Any]) -> None:
    good = reports.write(data)
    other = reports.write("x", "other.json")
    Path(other).write_bytes(b"PAR1\xff\xfe")
    assert reports.refused(other) == "other.json is no text: name a trace (*.parquet) or a replay (JSON)"
    assert reports.refused(f"{reports.folder}/none.json") == "none.json cannot be read: No such file or directory"
    assert reports.refused(f"{reports.folder}/none.parquet", good) == (
        "none.parquet: cannot be opened: No such file or directory"
    )
    assert reports.refused(good, str(reports.folder)) == (
        f"{reports.folder}: has no traces; name a folder of *.parquet files"
    )
    assert reports.refused(good, good) == "replay.json is given twice: each counts once"


def test_an_output_that_cannot_be_made_is_refused_before_anything_is_read(reports: Any, data: dict[str, Any]) -> None:
    good = reports.write(data)
    folder = reports.folder
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    assert reports.refused("none.json", output=f"{folder}/sub") == (
        "sub is a directory: name a file in it, such as sub/report.html"
    )
    assert reports.refused("none.json", output=f"{folder}/no/report.html") == (
        "no file can be made at no/report.html: there is no directory no"
    )
    assert reports.refused("none.json", output=f"{folder}/pipe") == "pipe is no regular file: name another one"
    assert (
        reports.refused(good, output=good) == "replay.json is one of the inputs, and would be lost: name another file"
    )


def test_a_full_disk_leaves_the_old_report_and_nothing_half_written(
    reports: Any, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports.output.write_text("old")

    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(page.os, "replace", full)
    assert reports.refused(reports.write(data)) == "report.html cannot be written: No space left on device"


def test_an_existing_report_is_replaced_and_keeps_its_mode_and_its_link(reports: Any, data: dict[str, Any]) -> None:
    real = reports.folder / "real.html"
    real.write_text("old")
    real.chmod(0o604)
    reports.output.symlink_to(real)
    reports.of(data)
    assert reports.output.is_symlink()
    assert real.read_text().startswith("<!DOCTYPE html>")
    assert real.stat().st_mode & 0o777 == 0o604


def test_a_new_report_can_be_read_by_those_whom_the_umask_lets(reports: Any, data: dict[str, Any]) -> None:
    before = os.umask(0o027)
    try:
        reports.of(data)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert reports.output.stat().st_mode & 0o777 == 0o640


def test_several_replays_are_one_report(reports: Any) -> None:
    whole = replay(4, variants=False)
    parts = [
        reports.write(whole | {"traces": traces}, f"{number}.json")
        for number, traces in enumerate((whole["traces"][:1], whole["traces"][1:]))
    ]
    sources = "<code>0.json</code>, <code>1.json</code>"
    assert reports.make(*parts).replace(sources, "<code>replay.json</code>") == reports.of(whole)


def test_the_sweeps_of_a_file_from_an_older_depwatch_are_of_no_concern(reports: Any, data: dict[str, Any]) -> None:
    assert reports.of(data | {"sweep": "anything"}) == reports.of(data)


def test_replays_with_different_prices_under_one_name_are_refused(reports: Any, data: dict[str, Any]) -> None:
    first = reports.write(data)
    data["prices"] = data["prices"] | {"numba": data["prices"]["numba"] | {"patch": 1.0}}
    assert reports.refused(first, reports.write(data, "other.json")) == (
        "replay.json and other.json have different prices under the name 'numba': "
        "replay their traces with the same --prices"
    )


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a program that changes a global under a hot function, and changes it back."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "program.py").write_text(
        "RATE = 2\n"
        "def cost(): return RATE\n"
        "def run(rate):\n"
        "    global RATE\n"
        "    for _ in range(100): cost()\n"
        "    RATE = rate\n"
        "    for _ in range(100): cost()\n"
        "run(3), run(2)\n"
    )
    command = [sys.executable, "-m", "depwatch", "record", "-o", "trace.parquet", "program.py"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
    return folder / "trace.parquet"


def test_traces_are_replayed_first(reports: Any, data: dict[str, Any], trace: Path) -> None:
    data["prices"] = {name: msgspec.to_builtins(prices) for name, prices in load_prices().items()}
    text = reports.make(str(trace), reports.write(data))
    assert "<code>trace.parquet</code>, <code>replay.json</code>" in text
    assert "3 programs" in text and "<h3>program.py</h3>" in text
    alone = reports.make(str(trace))
    assert "What invalidation costs: program.py" in alone
    assert str(trace.parent) not in text + alone
    assert "<code>&lt;program&gt;/program.py:6</code>" in alone.split('<section id="facets"')[1].split("</section>")[0]


def test_a_folder_stands_for_the_traces_in_it(reports: Any, trace: Path) -> None:
    folder = reports.folder / "traces"
    folder.mkdir()
    for name in ("b.parquet", "a.parquet"):
        shutil.copy(trace, folder / name)
    (folder / ".c.parquet").write_text("being written")
    (folder / "notes.txt").write_text("no trace")
    text = reports.make(str(folder))
    each = text.split('<section id="each"')[1]
    assert each.index("<code>a.parquet</code>, ") < each.index("<code>b.parquet</code>, ")
    assert "2 programs" in text and "from <code>traces</code>." in text


def test_a_trace_that_cannot_be_read_is_refused(reports: Any, trace: Path) -> None:
    cut = reports.write("", "cut.parquet")
    Path(cut).write_bytes(trace.read_bytes()[:-100])
    assert reports.refused(cut).startswith("cut.parquet: ")
