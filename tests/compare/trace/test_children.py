"""Processes that a recorded program starts or forks have a trace each, beside its own."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from depwatch.compare.trace import check, transfer
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row
from depwatch.compare.trace.transfer import Transfers

# What a child does: 120 calls, and one change between; {0} is how it is started, by a program that did as much before.
WORK = """
import os, sys
RATE = 1
def price(): return RATE
def work(value):
    global RATE
    for _ in range(60): price()
    RATE = value
    for _ in range(60): price()
"""
START = (
    WORK
    + """
child = "from program import work; work(5)"
environment = {{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}}
if __name__ == "__main__":
    import multiprocessing, subprocess
    work(2), work(3), work(4)
    {0}
"""
)
SCRIPT = f"""import pathlib
    pathlib.Path("script").write_text("#!{sys.executable}\\n" + child); os.chmod("script", 0o700)
    subprocess.run(["./script"], check=True)"""
PROCESS = (
    """process = multiprocessing.get_context("{}").Process(target=work, args=(5,)); process.start(); process.join()"""
)
POOL = """from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool: pool.submit(work, 5).result()"""

ON_PATH = f"os.environ['PATH'] = {str(Path(sys.executable).parent)!r}\n    "
WAYS = {
    "fork, sys.exit": "if os.fork() == 0: work(5), sys.exit(3)\n    os.wait()",
    "fork, os._exit": "if os.fork() == 0: work(5), os._exit(3)\n    os.wait()",
    "subprocess": "subprocess.run([sys.executable, '-c', child], check=True)",
    "subprocess with an environment": "subprocess.run([sys.executable, '-c', child], env=environment, check=True)",
    "subprocess by a name on PATH": f"{ON_PATH}subprocess.run(['python', '-c', child], check=True)",
    "subprocess with a function before": "subprocess.run([sys.executable, '-c', child], preexec_fn=os.getpid)",
    "a script of this Python": SCRIPT,
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', child], environment), 0)",
    "posix_spawnp": f"{ON_PATH}os.waitpid(os.posix_spawnp('python', [sys.executable, '-c', child], os.environ), 0)",
    "spawnv": "os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', child])",
    "spawnve": "os.spawnve(os.P_WAIT, sys.executable, [sys.executable, '-c', child], environment)",
    "a forking process": PROCESS.format("fork"),
    "a spawned process": PROCESS.format("spawn"),
    # It has a socket there, whose path may not be long.
    "a process of a forkserver": f"import tempfile; tempfile.tempdir = '/tmp'\n    {PROCESS.format('forkserver')}",
    "a pool": POOL,
    "exec": "os.execv(sys.executable, [sys.executable, '-c', child])",
    "exec with an environment": "os.execve(sys.executable, [sys.executable, '-c', child], environment)",
}


def changes(path: Path) -> tuple[list[int], list[int]]:
    """In a trace that keeps the rules: how often price() was called, and the changes of RATE, of each RATE there is."""
    with Trace(path) as trace:
        assert check(trace) == []
        kinds, names = [list(Row)[kind] for kind in trace.column("kind")], trace.column("name")
        rows = range(trace.rows)

        def named(kind: Row, name: str) -> list[int]:
            return [i for i in rows if kinds[i] == kind and trace.strings[names[i]] == name]

        calls, facets, functions = (trace.column(name) for name in ("calls", "facet", "function"))
        told = [
            [calls[i] for i in rows if kinds[i] == Row.CALLS and functions[i] == functions[f]]
            for f in named(Row.FUNCTION, "price")
        ]
        values = [sum(kinds[i] == Row.VALUE and facets[i] == facets[f] for i in rows) for f in named(Row.FACET, "RATE")]
    return [int(each[-1]) for each in told], values


@pytest.mark.parametrize("way", WAYS)
def test_a_child_has_a_trace_of_its_own_without_what_its_parent_did(recorders: Any, way: str) -> None:
    done = recorders.record(START.format(WAYS[way]), real=True)
    assert done.err.startswith("depwatch record: trace.parquet: "), done.err
    assert changes(recorders.trace) == ([360], [3])
    found = [changes(path) for path in recorders.children()]
    assert [each for each in found if each[0]] == [([120], [1])]
    with Trace(recorders.trace) as trace:
        program = trace.program
    assert sorted(program["children"]) == [path.name for path in recorders.children()]
    for path in recorders.children():
        with Trace(path) as trace:
            child = trace.program
        assert child["program"] == "trace.parquet"
        assert child["process"]["id"] == int(path.name.split(".")[1])


def test_a_child_that_is_killed_or_goes_on_has_a_trace_up_to_there(recorders: Any) -> None:
    kill = "if os.fork() == 0: work(5), os.kill(os.getpid(), 9)\n    os.wait()"
    recorders.record(START.format(kill), real=True)
    (trace,) = recorders.children()
    (calls,), changed = changes(trace)
    assert 60 <= calls <= 120 and changed == [1]  # those after the last change are told at a tick


def test_a_child_that_outlives_the_program_has_a_trace_up_to_there_and_goes_on(recorders: Any) -> None:
    text = """
    import time
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(1), os.close(2)
        work(5)
        os.write(write, b"x")
        while not os.path.exists("go"): time.sleep(0.01)
        for value in range(10_000): work(value)
        os.rename("go", "went")
        os._exit(0)
    os.read(read, 1)"""
    done = recorders.record(START.format(text), real=True)
    assert done.err.splitlines()[0].endswith("; 1 child process beside it")
    (trace,) = recorders.children()
    assert changes(trace)[1] == [1]
    (recorders.directory / "go").touch()
    for _ in range(1000):
        if not (recorders.directory / "went").exists():
            time.sleep(0.01)
    assert (recorders.directory / "went").exists()


def test_each_of_two_programs_that_run_one_after_the_other_in_a_process_has_one(recorders: Any) -> None:
    twice = "child = f'import os, sys; {child}; os.execv(sys.executable, [sys.executable, \"-c\", {child!r}])'"
    recorders.record(START.format(f"{twice}\n    {WAYS['subprocess']}"), real=True)
    first, second = recorders.children()
    assert changes(first) == changes(second) == ([120], [1])
    process = second.name.split(".")[1]
    assert {first.name, second.name} == {f"trace.{process}.parquet", f"trace.{process}.2.parquet"}


def test_what_has_no_trace_is_counted_with_the_reason(recorders: Any) -> None:
    text = """
        subprocess.run([sys.executable, "-Ic", "1"])
    subprocess.run([sys.executable, "-W", "ignore", "-E", "-c", "1"])
    if os.fork() == 0: os._exit(0)
    os.wait()
    subprocess.run([sys.executable, "-u", "-X", "E", "-c", child], check=True)
    """.strip()
    done = recorders.record(START.format(text), real=True)
    told = done.err.split(" s; ", 1)[1].splitlines()[0].split("; ")
    assert told == [
        "1 child process beside it",
        "1 child process without a trace: no function was called ten times",
        "2 child processes not recorded: Python was started with -E, -I or -S",
    ]
    assert [changes(path) for path in recorders.children()] == [([120], [1])]


SHOW = (
    "import os, posix, sys; "
    "print(sorted(os.environ), sorted(posix.environ), sys.path, sys.orig_argv[1:], len(sys.modules))"
)
LOOK = f"""
import os, subprocess, sys
show = {SHOW!r}
run = subprocess.run
for environment in (None, {{}}, {{"PYTHONPATH": "/x"}}, {{"PYTHONPATH": ""}}, {{b"A": b"b"}}):
    run([sys.executable, "-c", show], env=environment)
    if environment is not None:
        os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", show], environment), 0)
run([sys.executable, "-Ic", show])
run(["env", "python", "-c", show])
print(run("env | sort", shell=True, capture_output=True, text=True).stdout.replace(f"_={{sys.executable}}", ""))
os.environ["PYTHONPATH"] = "/y"
run([sys.executable, "-c", show])
try: run([sys.executable, "-c", show], env=12)
except TypeError as error: print(error)
try: os.execv("/nothing", ["x"])
except OSError as error: print(error)
print(os.posix_spawn.__name__, os.execv.__module__, sorted(os.environ))
os.execve(sys.executable, [sys.executable, "-c", show], {{"Z": "1"}})
"""


def test_neither_the_program_nor_a_child_sees_what_lets_the_recorder_in(recorders: Any) -> None:
    plain = recorders.plain(LOOK)
    done = recorders.record(LOOK, real=True)
    assert done.out == plain.stdout
    assert "DEPWATCH_RECORD" not in done.out


def test_children_of_the_recording_that_is_replaced_are_removed(recorders: Any) -> None:
    recorders.record(START.format(WAYS["fork, os._exit"]), real=True)
    (old,) = recorders.children()
    kept = recorders.directory / "trace.9.parquet"
    kept.write_bytes(old.read_bytes())
    recorders.record("no Python", real=True)
    assert recorders.children() == sorted([old, kept])
    recorders.record(START.format("pass"), real=True)
    assert recorders.children() == [kept]


def test_more_children_than_are_recorded_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MOST", 2)
    for name in ("7.1", "8.1", "10.1"):  # of processes that have ended
        (tmp_path / "journal" / name).mkdir(parents=True)
    with transfer.Output(str(tmp_path / "trace.parquet")) as output:
        transfers = Transfers(str(tmp_path / "journal"), output, {}, True)
        transfers.turn()
        assert sorted(path.name for path in (tmp_path / "journal").iterdir()) == ["7.1", "8.1"]
        transfers.end(0, {})
    assert transfers.failed == {"there are more than 2": 1}
