"""`./dev compare --corpus`: what is run, what is kept, what the results say."""

import platform
import signal
import subprocess
import sys
import time

import pytest
from tiny import ROOT, Tiny, program, variables

VERSION = platform.python_version()  # each has a directory of its own

WAIT = """
import os, sys, time
if not os.path.exists({go!r}):
    open({here!r}, 'w').close()
    time.sleep(100)
"""


@pytest.mark.slow
def test_the_results_have_each_program_with_its_times_and_no_path_of_this_machine(tiny: Tiny) -> None:
    tiny.write({"quiet-one": program("quiet-one", 1), "busy": program("busy", 7)})
    done = tiny.run()
    assert (done.returncode, done.stdout) == (0, "")
    said = done.stderr.splitlines()
    assert [line.split(":")[0] for line in said] == ["quiet-one", "busy", str(tiny.results)]
    assert said[-1].endswith(": 2 of 2 programs")
    report = tiny.report()
    assert report["corpus"] == {"programs": 2, "missing": [], "failed": {}}
    assert report["format"] == 2
    assert report["python"] == sys.version.split()[0]
    quiet, busy = report["traces"]
    assert (quiet["title"], quiet["kind"], quiet["why"], quiet["packages"]) == ("quiet-one", "quiet", "made so", [])
    assert (busy["title"], busy["kind"], busy["trace"]) == ("busy", "mutating", "busy.parquet")
    assert (quiet["chosen"], busy["chosen"]) == ("hand", "hand")
    for trace in report["traces"]:
        assert trace["complete"] and trace["exit"] == 0
        assert trace["ratio"] == round(trace["recorded_seconds"] / trace["plain_seconds"], 3)
        assert trace["cpu_ratio"] > 0
        path = tiny.directory / "cache" / VERSION / trace["title"] / "trace.parquet"
        assert trace["trace_bytes"] == path.stat().st_size
        assert {policy["hot_after"] for policy in trace["policies"]} == {10, 50, 500}
    dropped = [
        {policy["policy"]: policy["whole"]["dropped"] for policy in trace["policies"] if policy["hot_after"] == 50}
        for trace in report["traces"]
    ]
    assert [dropped[0][name] for name in ("bulk_by_facet", "healing", "granular")] == [0, 0, 0]
    assert dropped[1]["bulk_by_object"] >= dropped[1]["bulk_by_facet"] > 0
    text = tiny.results.read_text(encoding="utf-8").replace(str(tiny.ran), "an argument, as the corpus has it")
    assert str(tiny.directory) not in text and sys.prefix not in text and str(ROOT) not in text


@pytest.mark.slow
def test_a_second_run_does_nothing_again_and_writes_the_same_results(tiny: Tiny) -> None:
    tiny.write({"quiet-one": program("quiet-one"), "busy": program("busy")})
    assert tiny.run().returncode == 0
    first = tiny.results.read_bytes()
    assert tiny.runs() == ["quiet-one", "quiet-one", "busy", "busy"]  # plain and recorded
    again = tiny.run()
    assert again.stderr.splitlines()[0] == "2 of 2 programs were done before; --fresh does them again"
    assert tiny.runs() == ["quiet-one", "quiet-one", "busy", "busy"]
    assert tiny.results.read_bytes() == first
    # One whose script has changed is done again, alone; --fresh does what it is given.
    tiny.write({"quiet-one": program("quiet-one"), "busy": program("busy", 9)})
    assert tiny.run().returncode == 0
    assert tiny.runs() == ["quiet-one", "quiet-one", "busy", "busy", "busy", "busy"]
    assert tiny.run("--fresh", "--only", "quiet-one").returncode == 0
    assert tiny.runs()[6:] == ["quiet-one", "quiet-one"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_stopped_in_the_middle_goes_on_there(tiny: Tiny, number: signal.Signals) -> None:
    go, here = tiny.directory / "go", tiny.directory / "here"
    waiting = WAIT.format(go=str(go), here=str(here)) + program("busy")
    tiny.write({"quiet-one": program("quiet-one"), "busy": waiting})
    with subprocess.Popen(tiny.command(), stderr=subprocess.PIPE, text=True, env=variables()) as run:
        deadline = time.monotonic() + 60
        while not here.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(number)
        said = run.communicate(timeout=60)[1]
    assert run.returncode != 0
    assert ("the same command goes on" in said) == (number != signal.SIGKILL)
    assert not tiny.results.exists()
    assert tiny.runs() == ["quiet-one"] * 2
    go.touch()
    done = tiny.run()
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "1 of 2 programs were done before; --fresh does them again"
    assert tiny.runs() == ["quiet-one"] * 2 + ["busy"] * 2
    assert [trace["title"] for trace in tiny.report()["traces"]] == ["quiet-one", "busy"]


@pytest.mark.slow
def test_several_runs_of_a_program_are_kept_and_more_of_them_add_to_those(tiny: Tiny) -> None:
    tiny.write({"busy": program("busy")})
    assert tiny.run().returncode == 0
    done = tiny.run("--runs", "3")
    assert [line.split(":")[0] for line in done.stderr.splitlines()[:2]] == ["busy, run 2 of 3", "busy, run 3 of 3"]
    assert tiny.runs() == ["busy"] * 6
    (trace,) = tiny.report()["traces"]
    assert trace["runs"][0]["policies"]["bulk_by_facet"]["dropped"] > 0
    times = ("plain_seconds", "recorded_seconds")  # all else is the same each time
    first, *others = ({name: value for name, value in run.items() if name not in times} for run in trace["runs"])
    assert others == [first, first]
    assert tiny.run().stderr.splitlines()[0] == "1 of 1 programs were done before; --fresh does them again"
    assert len(tiny.report()["traces"][0]["runs"]) == 3


@pytest.mark.slow
def test_a_second_run_of_a_program_that_was_stopped_leaves_the_first_one_done(tiny: Tiny) -> None:
    stop = tiny.directory / "stop"
    stopped = f"import os\nif os.path.exists({str(stop)!r}):\n    os.kill(os.getpid(), 9)\n" + program("busy")
    tiny.write({"busy": stopped})
    assert tiny.run().returncode == 0
    stop.touch()
    failed = tiny.run("--runs", "2")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("failed: busy: running was killed by signal 9")
    assert [len(trace["runs"]) for trace in tiny.report()["traces"]] == [1]
    stop.unlink()
    assert tiny.run("--runs", "2").returncode == 0
    assert [len(trace["runs"]) for trace in tiny.report()["traces"]] == [2]
    assert tiny.runs() == ["busy"] * 4


@pytest.mark.slow
def test_a_program_that_fails_is_named_at_the_end_and_the_others_are_done(tiny: Tiny) -> None:
    tiny.write({"broken": "print('begun')\nraise ValueError('by design')", "quiet-one": program("quiet-one")})
    done = tiny.run()
    why = "running ended with status 1: ValueError: by design"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"failed: broken: {why}"
    report = tiny.report()
    assert report["corpus"] == {"programs": 2, "missing": ["broken"], "failed": {"broken": why}}
    assert [trace["title"] for trace in report["traces"]] == ["quiet-one"]
    assert tiny.runs() == ["quiet-one"] * 2


@pytest.mark.slow
def test_a_program_that_uses_too_much_cpu_is_ended_with_all_that_it_started(tiny: Tiny) -> None:
    alive = tiny.directory / "alive"
    child = f"while True:\n    with open({str(alive)!r}, 'a') as file: file.write('.')"
    endless = f"import subprocess, sys\nprint('waiting', flush=True)\nsubprocess.run([sys.executable, '-c', {child!r}])"
    tiny.write({"endless": endless})
    done = tiny.run("--limit", "1.5")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "failed: endless: running used more than 1.5 s of CPU time: waiting"
    size = alive.stat().st_size
    time.sleep(0.3)
    assert alive.stat().st_size == size


@pytest.mark.slow
def test_only_some_programs_leave_the_results_of_the_others(tiny: Tiny) -> None:
    tiny.write({name: program(name) for name in ("quiet-one", "busy")})
    assert tiny.run("--only", "busy").returncode == 0
    assert tiny.report()["corpus"] == {"programs": 2, "missing": ["quiet-one"], "failed": {}}
    assert tiny.run("--only", "quiet-one,").returncode == 0
    assert tiny.runs() == ["busy", "busy", "quiet-one", "quiet-one"]
    assert [trace["title"] for trace in tiny.report()["traces"]] == ["quiet-one", "busy"]


def test_two_runs_in_one_directory_at_a_time_are_refused(tiny: Tiny) -> None:
    import fcntl

    tiny.write({"busy": program("busy")})
    cache = tiny.directory / "cache"
    cache.mkdir()
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tiny.run()
    assert done.returncode == 1
    assert done.stderr == f"corpus: {cache}: another run is at work there; wait, or use --directory\n"
    assert tiny.runs() == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--runs", "0"), "argument --runs: '0' is no number of runs from 1 to 99"),
        (("--full",), "--full has runs and results of its own for each version: leave --runs and -o away"),
        (("--python", "x"), "--python goes with --full; for one version set PYTHON and DEPWATCH_VENV"),
    ],
)
def test_what_cannot_go_together_is_told_and_nothing_is_run(
    tiny: Tiny, arguments: tuple[str, ...], problem: str
) -> None:
    tiny.write({"busy": program("busy")})
    done = tiny.run(*arguments)
    assert done.returncode == 2
    assert problem in done.stderr
    assert tiny.runs() == []
