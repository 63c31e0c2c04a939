"""./dev bench peers: the worlds are what it says, depwatch answers right in them, and it runs or says why not."""

import builtins
import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT

BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS / "systems"))

from arming import Depwatch, DepwatchCells, Plain  # noqa: E402
from worlds import PROBE, WRITES, World, nothing  # noqa: E402
from wrong import PROGRAMS, RIGHT  # noqa: E402

from systems import found  # noqa: E402

pytestmark = pytest.mark.slow

EACH_WRITE = [(kind, name) for kind, writes in WRITES.items() for name in writes]


@pytest.fixture(autouse=True)
def no_probe_is_left():
    yield
    vars(builtins).pop(PROBE, None)


def contents(world):
    """What a write can change."""
    classes = [dict(vars(cls)) for cls in (world.cls, world.base)]
    return [dict(vars(world.module)), *classes, id(world.function.__code__), getattr(builtins, PROBE, None)]


@pytest.mark.parametrize(("kind", "name"), EACH_WRITE)
def test_each_write_changes_one_thing(kind, name):
    world = World(kind, 3)
    Plain(world).arm()
    before = contents(world)
    assert nothing(world) > 0
    assert contents(world) == before
    assert WRITES[kind][name](world) > 0
    assert sum(old != new for old, new in zip(before, contents(world), strict=True)) == 1


@pytest.mark.parametrize(("kind", "name"), EACH_WRITE)
def test_under_depwatch_dependents_are_dropped_by_what_they_depend_on_alone(kind, name):
    for dependents in (1, 7):
        armed = Depwatch(World(kind, dependents))
        armed.arm()
        assert armed.holding() == dependents
        WRITES[kind][name](armed.world)
        assert armed.holding() == (dependents if "unrelated" in name else 0)


@pytest.mark.parametrize(("kind", "name"), [one for one in EACH_WRITE if one[0] in DepwatchCells.kinds])
def test_with_value_cells_no_dependent_is_dropped(kind, name):
    armed = DepwatchCells(World(kind, 7))
    armed.arm()
    WRITES[kind][name](armed.world)
    assert armed.holding() == 7


def test_dependents_of_a_builtin_are_in_a_module_each_and_have_code_of_their_own():
    world = World("builtin", 5)
    assert (
        len({id(use.__globals__) for use in world.dependents})
        == len({id(use.__code__) for use in world.dependents})
        == 5
    )


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("arming", ["plain", "depwatch"])
def test_plain_python_and_depwatch_answer_right_where_jits_are_stale(program, arming):
    here = found.System(arming, arming, Path(sys.executable), "", {"PYTHONPATH": str(BENCHMARKS.parent)})
    done = here.run("wrong.py", arming, program)
    assert (done.stdout, done.stderr, done.returncode) == (RIGHT + "\n", "", 0)


def test_without_a_peer_there_is_nothing_to_compare(monkeypatch):
    monkeypatch.setattr(found, "find_interpreters", lambda named: {})
    systems, missing = found.find_systems([])
    assert systems == []
    assert [sentence[:15] for sentence in missing] == ["no CPython 3.14", "no CPython 3.15"]


def test_cinderx_that_cannot_be_installed_is_left_out_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(found, "HERE", tmp_path)
    monkeypatch.setattr(found, "find_uv", lambda: None)
    there = found.Interpreter(Path(sys.executable), "3.14.10", has_jit=False)
    monkeypatch.setattr(found, "find_interpreters", lambda named: {"3.14": there})
    systems, missing = found.find_systems([])
    assert systems == []
    assert [sentence.partition(":")[0] for sentence in missing] == [
        "no CinderX on 3.14.10",
        "no JIT in this CPython 3.14.10",
        "no CPython 3.15 beside this one, on PATH or named with --python",
    ]


def test_a_file_that_is_no_python_is_no_interpreter(tmp_path):
    text = tmp_path / "python3.14"
    text.write_text("not a program")
    assert found.probe(text) is None
    assert found.probe(tmp_path / "missing") is None


def test_a_quick_run_writes_valid_json_or_says_in_one_line_why_it_is_skipped(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "peers.py"), "--quick", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    if done.stdout.startswith("peers: skipped"):
        assert done.stdout.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return
    (written,) = tmp_path.glob("peers-*.json")
    data = json.loads(written.read_text())
    names = {system["name"] for system in data["systems"]}
    assert {"depwatch", "depwatch, cells"} < names
    assert {one["write"] for one in data["writes"] if one["system"] == "depwatch"} == {name for _, name in EACH_WRITE}
    assert {row["passed"] for row in data["rows"] if "stale" in row["case"]} == {None, True}
    assert str(BENCHMARKS.parent) not in written.read_text()
