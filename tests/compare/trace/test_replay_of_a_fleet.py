"""`depwatch replay FOLDER`: both engines write the same bytes, and an interrupted replay goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scaling import scale

PROGRAM = """
    RATE = 1
    def price(x): return x * RATE
    for i in range(3000):
        price(i)
        if i % 50 == 0:
            RATE = i % 7
"""


@pytest.fixture
def folder(recorders: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "fleet"
    folder.mkdir()
    source = recorders.scalable(PROGRAM)
    for number in range(3):
        scale(source, folder / f"{number}.parquet", 2000 * (1 + number))
    return folder


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "depwatch", "replay", *options, str(folder)]


def replay(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(folder, *options), cwd=folder.parent, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.slow
def test_both_engines_write_the_same_bytes(folder: Path) -> None:
    written = []
    for engine in ("duckdb", "dask"):
        done = replay(folder, "--check", "--engine", engine, "-o", f"{engine}.json")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        written.append((folder.parent / f"{engine}.json").read_bytes())
    assert written[0] == written[1]
    whole = json.loads(written[0])
    assert [trace["trace"] for trace in whole["traces"]] == ["0.parquet", "1.parquet", "2.parquet"]
    assert whole["overview"]["traces"] == 3
    assert whole["overview"]["rows"] == sum(trace["rows"] for trace in whole["traces"])
    assert not [name for name in os.listdir(folder.parent) if name.endswith(".parts")]


@pytest.mark.slow
def test_a_replay_that_was_killed_goes_on_and_writes_the_same(folder: Path) -> None:
    parts = folder.parent / "out.json.parts"
    assert replay(folder, "-o", "whole.json").returncode == 0
    process = subprocess.Popen(
        command(folder, "-o", "out.json"), cwd=folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (parts.is_dir() and any(name.endswith(".json") for name in os.listdir(parts))):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not [name for name in os.listdir(folder.parent) if name.startswith(("out.json", ".")) if name != parts.name]
    done = replay(folder, "-o", "out.json", "--resume")
    assert done.returncode == 0, done.stderr
    assert (folder.parent / "out.json").read_bytes() == (folder.parent / "whole.json").read_bytes()
    assert not parts.exists()


@pytest.mark.slow
def test_one_bad_trace_stops_a_fleet_in_one_line_before_anything_is_replayed(folder: Path) -> None:
    bad = folder / "1.parquet"
    bad.write_bytes(bad.read_bytes()[:-100])
    for engine in ("duckdb", "dask"):
        done = replay(folder, "--engine", engine, "-o", "out.json")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"depwatch replay: {bad}: is truncated: ")
        assert done.stderr.count("\n") == 1
    assert not [name for name in os.listdir(folder.parent) if name.startswith(("out.json", ".depwatch"))]
