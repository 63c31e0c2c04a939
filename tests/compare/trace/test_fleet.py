"""Traces of many processes: one after another or on a Dask cluster, the numbers are the same."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from journals import JournalWriter
from rows import write_trace
from scaling import scale
from standing_in import replay_trace

from depwatch.compare.replay.run import Options
from depwatch.compare.replay.run import replay_trace as replay_real
from depwatch.compare.trace.fleet import Engine, find_traces, replay_fleet
from depwatch.compare.trace.overview import overview, tally
from depwatch.compare.trace.parts import Parts
from depwatch.compare.trace.reader import TraceError

HERE = Path(__file__).parent
OPTIONS = {"factor": 1}


def make_trace(path: Path, changes: int) -> Path:
    """A trace in which an object that is depended on, and one that is not, change so often."""
    journal = JournalWriter(path.parent)
    for number, name in enumerate(("app", "other")):
        journal.row("object", 0, object=number, type="module", name=name, file=f"<program>/{name}.py")
    journal.row("facet", 0, facet=0, object=0, type="global", name="RATE")
    journal.row("function", 0, function=0, name="f", file="<program>/app.py", line=1, count=0)
    journal.row("dependency", 0, function=0, facet=0, object=0, value=0, patchable=True)
    journal.row("resolved", 0, function=0, calls=10)
    for time in range(1, changes + 1):
        journal.row("change", time, object=0, count=1, type="modified", file="<site>/lib/x.py", line=1)
        journal.row("value", time, facet=0, object=0, count=1, value=time, same=time % 3 == 0)
        journal.row("change", time, object=1, count=2, type="added", **({"file": "<string>"} if time % 2 else {}))
    journal.row("tick", changes, calls=changes)
    journal.row("end", changes)
    write_trace(path.parent, journal).rename(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    for number in range(4):
        make_trace(folder / f"{number}.parquet", 3 * number)
    return folder


def result(number: int) -> dict[str, Any]:
    changes = 3 * number
    return {
        "trace": f"{number}.parquet",
        "rows": 8 + 3 * changes,
        "complete": True,
        "changes": 3 * changes,
        "hits": changes,
        "factor": 1,
    }


def test_a_folder_means_its_traces_in_order(folder: Path) -> None:
    (folder / "notes.txt").write_text("no trace")
    (folder / ".depwatch-0123.parquet").write_text("half written")
    names = [str(folder / f"{number}.parquet") for number in range(4)]
    assert find_traces([str(folder)]) == names
    assert find_traces([names[2], str(folder)]) == [names[2], *names]


def test_what_cannot_be_replayed_is_refused_before_anything_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nothing here: cannot be opened: No such file or directory$"):
        find_traces([str(folder), str(tmp_path / "nothing here")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceError, match=r"empty: has no traces; name a folder of \*.parquet files$"):
        find_traces([str(tmp_path / "empty")])
    cut = folder / "2.parquet"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(TraceError, match=r"2\.parquet: is truncated: "):
        find_traces([str(folder)])


def test_an_overview_counts_what_happened_in_all_traces(folder: Path) -> None:
    changes = 3 + 6 + 9
    odd = 2 + 3 + 5
    assert overview([tally(find_traces([str(folder)]))]) == {
        "traces": 4,
        "rows": 4 * 8 + 3 * changes,
        "kinds": {
            "change": 2 * changes,
            "value": changes,
            "object": 8,
            **dict.fromkeys(["dependency", "end", "facet", "function", "resolved", "tick"], 4),
        },
        "changes": 3 * changes,
        "types": {"added": 2 * changes, "modified": changes},
        "causes": {"generated code": 2 * odd, "library lib": changes, "outside Python": 2 * (changes - odd)},
        "files": [
            {"file": "<string>", "changes": 2 * odd},
            {"file": "<site>/lib/x.py", "changes": changes},
            {"file": None, "changes": 2 * (changes - odd)},
        ],
        "facets": [{"kind": "global", "object": "app", "facet": "RATE", "changes": changes * 2 // 3}],
    }


@pytest.mark.slow
def test_both_engines_give_the_same_numbers(folder: Path) -> None:
    paths = find_traces([str(folder)])
    done: dict[Engine, list[str]] = {engine: [] for engine in Engine}
    told = {engine: replay_fleet(paths, replay_trace, OPTIONS, engine, done=done[engine].append) for engine in Engine}
    for engine, (results, tallies) in told.items():
        assert results == [result(number) for number in range(4)]
        assert sorted(done[engine]) == paths
        assert overview(tallies) == overview([tally(paths)])


@pytest.mark.slow
def test_a_cluster_of_our_own_does_not_mind_another(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    paths = find_traces([str(folder)])[:1]
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # it is taken already
            taken.bind(("", 8787))  # by default a scheduler of Dask's listens there
            taken.listen()
        results, _ = replay_fleet(paths, replay_trace, OPTIONS, Engine.DASK)
    assert results == [result(0)]
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.slow
def test_a_cluster_that_is_there_is_used(folder: Path) -> None:
    from distributed import LocalCluster

    paths = find_traces([str(folder)])
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        results, tallies = replay_fleet(paths, replay_trace, OPTIONS, Engine.DASK, cluster.scheduler_address)
        assert results == [result(number) for number in range(4)]
        assert overview(tallies) == overview([tally(paths)])
        with pytest.raises(ValueError, match=r"^asked for$"):
            fails = OPTIONS | {"fails at": "1.parquet"}
            replay_fleet(paths, replay_trace, fails, Engine.DASK, cluster.scheduler_address)
        Path(paths[3]).write_bytes(b"changed meanwhile")
        with pytest.raises(TraceError, match=r"3\.parquet: is no Parquet file"):
            replay_fleet(paths, replay_trace, OPTIONS, Engine.DASK, cluster.scheduler_address)


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depwatch.compare.trace.fleet._PATIENCE", "1s")
    with pytest.raises(TraceError) as caught:
        replay_fleet(find_traces([str(folder)]), replay_trace, OPTIONS, Engine.DASK, "tcp://127.0.0.1:1")
    assert str(caught.value).startswith("no Dask scheduler answers at tcp://127.0.0.1:1: ")
    assert "\n" not in str(caught.value)


def counted(paths: list[str], options: dict[str, Any], parts: Parts) -> tuple[list[dict[str, Any]], list[str]]:
    """The results, and the names of the traces that were replayed for them."""
    replayed = []

    def replay(path: str, options: dict[str, Any]) -> dict[str, Any]:
        done = replay_trace(path, options)
        replayed.append(os.path.basename(path))
        return done

    return replay_fleet(paths, replay, options, parts=parts)[0], replayed


def test_an_interrupted_replay_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    paths, output = find_traces([str(folder)]), str(tmp_path / "out.json")
    fails = {"factor": 1, "fails at": "2.parquet"}
    with pytest.raises(ValueError, match="asked for"):
        counted(paths, fails, Parts(output, OPTIONS, resume=False))
    assert len(os.listdir(f"{output}.parts")) == 2

    parts = Parts(output, OPTIONS, resume=True)
    assert counted(paths, OPTIONS, parts) == ([result(number) for number in range(4)], ["2.parquet", "3.parquet"])
    assert counted(paths, OPTIONS, parts)[1] == []
    parts.remove()
    assert not os.path.exists(f"{output}.parts")


def test_a_part_counts_only_for_the_same_trace_and_options(folder: Path, tmp_path: Path) -> None:
    paths, output = find_traces([str(folder)]), str(tmp_path / "out.json")
    names = [os.path.basename(path) for path in paths]
    counted(paths, OPTIONS, Parts(output, OPTIONS, resume=False))

    other = {"factor": 2}
    results, replayed = counted(paths, other, Parts(output, other, resume=True))
    assert replayed == names
    assert results == [result(number) | other for number in range(4)]

    make_trace(folder / "1.parquet", 30)
    assert counted(paths, other, Parts(output, other, resume=True))[1] == ["1.parquet"]
    for part in Path(f"{output}.parts").iterdir():
        part.write_text("half")
    assert counted(paths, other, Parts(output, other, resume=True))[1] == names
    assert counted(paths, other, Parts(output, other, resume=False))[1] == names


def test_a_directory_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "out.json.parts"
    theirs.mkdir()
    (theirs / "letter.json").write_text("{}")
    Parts(str(tmp_path / "out.json"), OPTIONS, resume=False).remove()
    assert os.listdir(theirs) == ["letter.json"]


FLEET = """
import json, sys, threading
import psutil
from depwatch.compare.trace.fleet import Engine, find_traces, replay_fleet
from depwatch.compare.trace.overview import overview
from depwatch.compare.replay.run import Options, replay_trace

peak = 0
over = threading.Event()

def watch():
    global peak
    me = psutil.Process()
    while not over.wait(0.05):
        total = 0
        for process in [me, *me.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                pass
        peak = max(peak, total)

if __name__ == "__main__":
    watcher = threading.Thread(target=watch)
    watcher.start()
    paths = find_traces(sys.argv[2:])
    results, tallies = replay_fleet(paths, replay_trace, Options(policies=("healing",)), Engine(sys.argv[1]))
    over.set()
    watcher.join()
    print(json.dumps({"peak": peak, "results": results, "overview": overview(tallies)}))
"""


@pytest.mark.slow
def test_sixteen_traces_of_500_000_rows_are_the_same_on_both_engines_within_4_gib(
    recorders: Any, tmp_path: Path
) -> None:
    sources = [recorders.scalable(text) for text in PROGRAMS]
    folder = tmp_path / "fleet"
    folder.mkdir()
    scaled = [folder / f"{at:02}.parquet" for at in range(4)]
    times = [scale(sources[at % 2], path, 500_000 + 20_000 * at) for at, path in enumerate(scaled)]
    for at in range(4, 16):
        shutil.copy(scaled[at % 4], folder / f"{at:02}.parquet")
    small = [overview([tally([str(source)])]) for source in sources]
    replayed = [replay_real(str(source), Options(policies=("healing",))) for source in sources]
    script = tmp_path / "fleet.py"
    script.write_text(FLEET)
    told = []
    for engine in Engine:
        done = subprocess.run(
            [sys.executable, str(script), engine, str(folder)],
            env=os.environ | {"PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.stderr == ""
        told.append(json.loads(done.stdout))
    for each in told:
        assert each.pop("peak") < 4 << 30
    assert told[0] == told[1]
    for at, each in enumerate(told[0]["results"]):
        assert each["rows"] >= 500_000 and each["complete"]
        for name in ("dropped", "needlessly", "resumed", "recompiled", "cold_calls"):
            once = replayed[at % 2]["policies"][0]["whole"][name]
            assert each["policies"][0]["whole"][name] == times[at % 4] * once
    assert any(each["policies"][0]["whole"]["dropped"] for each in replayed)
    assert told[0]["overview"]["traces"] == 16
    assert told[0]["overview"]["changes"] == sum(4 * times[at] * small[at % 2]["changes"] for at in range(4))
    facets = {row["facet"]: row["changes"] for row in told[0]["overview"]["facets"]}
    assert facets == {
        row["facet"]: 4 * (times[at] + times[at + 2]) * row["changes"] for at in range(2) for row in small[at]["facets"]
    }


PROGRAMS = (
    """
    RATE = 1
    def price(x): return x * RATE + len("abc")
    for i in range(3000):
        price(i)
        if i % 5 == 0:
            RATE = i % 7
    """,
    """
    class Shape:
        sides = 0
        def area(self): return self.sides
    def total(shape): return shape.area() + Shape.sides
    shape = Shape()
    for i in range(3000):
        total(shape)
        if i % 10 == 0:
            Shape.sides = i
            Shape.other = i
    """,
)
