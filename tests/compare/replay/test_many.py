"""Traces of many programs: in processes here or on a Dask cluster the numbers are the same, and a replay can go on."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from building import hot_function
from observing import Programs
from scaling import scale

from depwatch.compare.replay import many
from depwatch.compare.replay.many import find_traces, replay_traces
from depwatch.compare.replay.parts import Parts
from depwatch.compare.replay.result import Replayed
from depwatch.compare.replay.run import Options, replay_trace
from depwatch.compare.trace.folder import TraceError

OPTIONS = Options(policies=("healing", "granular"))
NAMES = [f"{number}.parquet" for number in range(4)]


def make_trace(path: Path, changes: int) -> Path:
    """A trace in which what a function depends on changes so often."""
    building, module, rate, function = hot_function()
    for value in range(1, changes + 1):
        building.passes(1)
        building.change(module, [(rate, value)])
        building.drain()
        building.calls(function, 60)
    building.end()
    return building.write(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        make_trace(folder / name, number)
    return folder


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def one_by_one(paths: list[str]) -> list[Replayed]:
    return [replay_trace(path, OPTIONS) for path in paths]


def test_a_folder_means_its_traces_in_order(folder: Path) -> None:
    (folder / "notes.txt").write_text("no trace")
    (folder / ".depwatch-0123.parquet").write_text("half written")
    names = [str(folder / name) for name in NAMES]
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


@pytest.mark.usefixtures("two_processors")
def test_processes_find_what_one_finds_and_end_with_the_replay(folder: Path) -> None:
    paths = find_traces([str(folder), str(folder / "1.parquet")])
    done: list[str] = []
    assert replay_traces(paths, OPTIONS, done=done.append) == one_by_one(paths)
    assert sorted(done) == paths[:4]  # what is there twice is replayed once
    Path(paths[3]).write_bytes(b"changed meanwhile")
    with pytest.raises(TraceError, match=r"3\.parquet: is no Parquet file"):
        replay_traces(paths, OPTIONS)
    assert not [process for process in psutil.Process().children() if "multiprocessing.spawn" in process.cmdline()]


def die(path: str, options: Options) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("two_processors")
def test_a_process_that_is_killed_is_told_of_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "replay_trace", die)
    with pytest.raises(TraceError) as caught:
        replay_traces(find_traces([str(folder)]), OPTIONS)
    assert str(caught.value) == (
        "one of 4 traces: what replayed it was killed, perhaps for lack of memory; use fewer workers, or larger ones"
    )


@pytest.mark.slow
def test_a_cluster_finds_what_processes_here_find(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    paths = find_traces([str(folder)])
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        assert replay_traces(paths, OPTIONS, cluster.scheduler_address) == one_by_one(paths)
        command = ["-m", "depwatch", "replay", str(folder), "-o"]
        for words in (["here.json"], ["there.json", "--scheduler", cluster.scheduler_address]):
            subprocess.run([sys.executable, *command, *words], cwd=folder.parent, check=True, stdout=subprocess.DEVNULL)
        assert (folder.parent / "here.json").read_bytes() == (folder.parent / "there.json").read_bytes()
        Path(paths[3]).write_bytes(b"changed meanwhile")
        with pytest.raises(TraceError, match=r"3\.parquet: is no Parquet file"):
            replay_traces(paths, OPTIONS, cluster.scheduler_address)


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_PATIENCE", "1s")
    with pytest.raises(TraceError) as caught:
        replay_traces(find_traces([str(folder)]), OPTIONS, "tcp://127.0.0.1:1")
    assert str(caught.value).startswith("no Dask scheduler answers at tcp://127.0.0.1:1: ")
    assert "\n" not in str(caught.value)


# --- an interrupted replay goes on -----------------------------------------------------------------------------------


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the traces that were replayed, one after the other."""
    names: list[str] = []

    def replay(path: str, options: Options) -> dict[str, Any]:
        found = replay_trace(path, options)
        names.append(os.path.basename(path))
        return found

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    monkeypatch.setattr(many, "replay_trace", replay)
    return names


def test_an_interrupted_replay_goes_on_where_it_was(folder: Path, tmp_path: Path, replayed: list[str]) -> None:
    paths, output = find_traces([str(folder)]), str(tmp_path / "out.json")
    (folder / "2.parquet").rename(folder / "away")
    with pytest.raises(TraceError, match=r"2\.parquet"):
        replay_traces(paths, OPTIONS, parts=Parts(output, OPTIONS, resume=False))
    assert len(os.listdir(f"{output}.parts")) == 2

    (folder / "away").rename(folder / "2.parquet")
    expected = one_by_one(paths)
    parts = Parts(output, OPTIONS, resume=True)
    replayed.clear()
    assert replay_traces(paths, OPTIONS, parts=parts) == expected
    assert replayed == NAMES[2:]
    assert replay_traces(paths, OPTIONS, parts=parts) == expected
    assert replayed == NAMES[2:]
    parts.remove()
    assert not os.path.exists(f"{output}.parts")


def test_a_part_counts_only_for_the_same_trace_and_options(folder: Path, tmp_path: Path, replayed: list[str]) -> None:
    paths, output = find_traces([str(folder)]), str(tmp_path / "out.json")
    other = Options(policies=("healing",))

    def names(options: Options, resume: bool = True) -> list[str]:
        replayed.clear()
        replay_traces(paths, options, parts=Parts(output, options, resume))
        return list(replayed)

    assert names(OPTIONS, resume=False) == NAMES
    assert names(other) == NAMES
    assert names(other) == []
    make_trace(folder / "1.parquet", 30)
    assert names(other) == ["1.parquet"]
    for part in Path(f"{output}.parts").iterdir():
        part.write_text("half")
    assert names(other) == NAMES
    assert names(other, resume=False) == NAMES


def test_a_directory_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "out.json.parts"
    theirs.mkdir()
    (theirs / "letter.json").write_text("{}")
    Parts(str(tmp_path / "out.json"), OPTIONS, resume=False).remove()
    assert os.listdir(theirs) == ["letter.json"]


# --- the command -----------------------------------------------------------------------------------------------------


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "depwatch", "replay", *options, str(folder)]


def replay(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(folder, *options), cwd=folder.parent, capture_output=True, text=True, timeout=100)


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


def recorded(programs: Programs) -> list[Path]:
    """The trace of each of PROGRAMS."""
    paths = []
    for number, text in enumerate(PROGRAMS):
        programs.write(text)
        assert programs.depwatch("record", "-o", f"short{number}.parquet", "program.py").status == 0
        paths.append(programs.directory / f"short{number}.parquet")
    return paths


@pytest.mark.slow
def test_a_replay_that_was_killed_goes_on_and_writes_the_same(programs: Programs, folder: Path) -> None:
    source = recorded(programs)[0]
    for number in range(4):
        scale(source, folder / f"{number}.parquet", 20_000 * (1 + 5 * number))
    parts = folder.parent / "out.json.parts"
    assert replay(folder, "-o", "whole.json").returncode == 0
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command(folder, "-o", "out.json"), cwd=folder.parent, stdout=quiet, stderr=quiet)
    while not (parts.is_dir() and any(name.endswith(".json") for name in os.listdir(parts))):
        assert process.poll() is None
        time.sleep(0.001)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(workers, timeout=30)[1] == []  # they do not live on without it
    assert not [name for name in os.listdir(folder.parent) if name.startswith(("out.json", ".")) if name != parts.name]
    done = replay(folder, "-o", "out.json", "--resume")
    assert done.returncode == 0, done.stderr
    assert (folder.parent / "out.json").read_bytes() == (folder.parent / "whole.json").read_bytes()
    assert not parts.exists()


def test_one_bad_trace_stops_all_in_one_line_before_anything_is_replayed(programs: Programs, folder: Path) -> None:
    bad = folder / "1.parquet"
    bad.write_bytes(bad.read_bytes()[:-100])
    done = programs.depwatch("replay", str(folder), "-o", "out.json")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"depwatch replay: {bad}: is truncated: ")
    assert done.err.count("\n") == 1
    assert not [name for name in os.listdir(folder.parent) if name.startswith(("out.json", ".depwatch"))]


@pytest.mark.slow
def test_sixteen_traces_of_500_000_rows_are_replayed_within_4_gib(programs: Programs, tmp_path: Path) -> None:
    sources = recorded(programs)
    folder = tmp_path / "traces"
    folder.mkdir()
    scaled = [folder / f"{at:02}.parquet" for at in range(4)]
    times = [scale(sources[at % 2], path, 500_000 + 20_000 * at) for at, path in enumerate(scaled)]
    for at in range(4, 16):
        shutil.copy(scaled[at % 4], folder / f"{at:02}.parquet")
    once = [replay_trace(str(source), OPTIONS) for source in sources]
    peak = 0
    with open(tmp_path / "err", "w+") as err:
        options = ("--policies", "healing,granular", "-o", "out.json")
        process = psutil.Popen(command(folder, *options), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=err)
        while process.poll() is None:
            total = 0
            for each in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += each.memory_info().rss
            peak = max(peak, total)
            time.sleep(0.05)
    assert (process.returncode, (tmp_path / "err").read_text()) == (0, "")
    assert peak < 4 << 30
    replayed = json.loads((tmp_path / "out.json").read_text())["traces"]
    assert [each["trace"] for each in replayed] == [f"{at:02}.parquet" for at in range(16)]
    for at, each in enumerate(replayed):
        assert each["rows"] >= 500_000 and each["complete"]
        for name in ("dropped", "needlessly", "resumed", "recompiled", "cold_calls"):
            whole = getattr(once[at % 2].policies[0].whole, name)
            assert each["policies"][0]["whole"][name] == times[at % 4] * whole
    assert any(each.policies[0].whole.dropped for each in once)
