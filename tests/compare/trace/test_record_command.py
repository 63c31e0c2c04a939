"""`depwatch record`: the program runs and ends as it would; what it did until then is in the file."""

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pyarrow.parquet as pq
import pytest

from depwatch.compare.record.program import split
from depwatch.compare.trace.schema import VERSION

TICK = {"kind": "tick", "time": 1, "calls": 7}
ROW = 'journal.row("tick", 1, calls=7)\n'
END = 'journal.row("end", 2, calls=7, value=0)\n'
OTHER_SIGNALS = ("SIGINT", "SIGSEGV", "SIGABRT", "SIGHUP", "SIGRTMIN")
SAID = r"depwatch record: trace\.parquet: {rows} rows, [\d,]+ bytes, \d+\.\d s"


def said(rows: int, more: str = "") -> Any:
    return re.compile(SAID.format(rows=rows) + re.escape(more) + "\n")


@pytest.mark.parametrize(
    ("ending", "status", "err"),
    [
        ("", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('message')", 1, "message\n"),
        ("import os; os._exit(77)", 77, ""),
    ],
)
def test_it_ends_with_the_exit_status_of_the_program(recorders: Any, ending: str, status: int, err: str) -> None:
    done = recorders.record(ROW + END + ending)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(err)
    assert said(2).fullmatch(done.err, len(err))
    assert done.rows == [TICK, {"kind": "end", "time": 2, "calls": 7, "value": status}]


def test_an_exception_ends_it_as_it_would(recorders: Any) -> None:
    done = recorders.record(ROW + "1 / 0")
    assert done.status == 1
    assert "ZeroDivisionError: division by zero\ndepwatch record: trace.parquet: 1 rows" in done.err
    assert done.rows == [TICK]


@pytest.mark.parametrize(
    "name", ["SIGKILL", "SIGTERM", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_SIGNALS)]
)
def test_a_program_that_is_killed_is_recorded_up_to_there(recorders: Any, name: str) -> None:
    number = getattr(signal, name)
    default = "" if name == "SIGKILL" else f"signal.signal(signal.{name}, signal.SIG_DFL)"  # nohup may run the tests
    die = f"import os, signal\n{default}\nos.kill(os.getpid(), signal.{name})"
    done = recorders.record(ROW + die)
    assert done.status == -number
    assert said(1, f"; the program was killed by {name}: recorded up to there").fullmatch(done.err)
    assert done.rows == [TICK]
    program = json.loads(pq.read_metadata(recorders.trace).metadata[b"depwatch.program"])
    assert program["exit"] == -number


def test_what_is_known_of_the_program_is_there_without_its_help(recorders: Any) -> None:
    recorders.record(ROW + 'journal.json({"depwatch": "of the child"}); import os; os._exit(2)', "-x", "y z")
    metadata = pq.read_metadata(recorders.trace).metadata
    program = json.loads(metadata[b"depwatch.program"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", program.pop("started"))
    assert re.fullmatch(r"Linux \w+, \d+ processors", program.pop("machine"))
    assert program == {
        "command": ["program.py", "-x", "y z"],
        "python": ".".join(map(str, sys.version_info[:3])),
        "depwatch": "of the child",
        "exit": 2,
    }
    assert metadata[b"depwatch.trace"] == str(VERSION).encode()


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ((), ["program.py", "--user", "me", "--password", "<hidden>", "--api-key=<hidden>"]),
        (("--values", "off"), ["program.py", *["<hidden>"] * 5]),
    ],
)
def test_the_metadata_tell_no_secret_and_with_values_off_no_argument(
    recorders: Any, options: tuple[str, ...], command: list[str]
) -> None:
    show = ROW + "import sys; print(sys.argv[4:])"
    done = recorders.record(show, "--user", "me", "--password", "hunter2", "--api-key=k", options=options)
    assert done.out == "['hunter2', '--api-key=k']\n"
    metadata = pq.read_metadata(recorders.trace).metadata
    assert json.loads(metadata[b"depwatch.program"])["command"] == command
    assert b"hunter2" not in recorders.trace.read_bytes()


def test_the_program_gets_its_arguments_and_reads_stdin(recorders: Any) -> None:
    show = "import os, sys; print(sys.argv, sys.stdin.read(), os.getcwd(), hot_after)"
    done = recorders.record(ROW + show, "-o", "x", "--", "-m", "--help", input="typed", options=("--hot-after", "7"))
    assert done.out == f"['program.py', '-o', 'x', '--', '-m', '--help'] typed {recorders.directory} 7\n"
    assert done.status == 0


def test_the_program_gets_the_options_of_the_interpreter(recorders: Any) -> None:
    show = "import sys; print(sys.flags.dev_mode, sys.flags.safe_path, sys.stdout.write_through)"
    done = recorders.record(ROW + show, python=("-X", "dev", "-Pu"))
    assert done.out == "True True True\n"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["python", "-m", "depwatch", "-v"], []),
        (["python", "-Im", "depwatch"], ["-I"]),
        (["python", "-c", "code", "-I"], []),
        (["python", "-X", "dev", "-uW", "ignore", "script", "-I"], ["-X", "dev", "-uW", "ignore"]),
        (["python", "-Ximporttime", "-Wm", "-Xm", "-bbmx"], ["-Ximporttime", "-Wm", "-Xm", "-bb"]),
        (["python", "--check-hash-based-pycs", "never", "-"], ["--check-hash-based-pycs", "never"]),
        (["python"], []),
    ],
)
def test_the_options_of_an_interpreter_are_told_from_what_it_runs(command: list[str], options: list[str]) -> None:
    assert split(command)[0] == options


def test_the_program_is_asked_to_have_no_blocked_signals(recorders: Any) -> None:
    done = recorders.record(ROW + "import signal; print(signal.pthread_sigmask(0, []), signal.getsignal(2))")
    assert done.out == "set() <built-in function default_int_handler>\n"


def test_a_forked_process_that_goes_on_does_not_hold_up_the_trace(recorders: Any) -> None:
    read, write = os.pipe()
    text = f"""
        import os, time
        if os.fork() == 0:
            os.close(1)
            os.close(2)
            os.write({write}, b"%d" % os.getpid())
            time.sleep(300)
        journal.row("tick", 1, calls=7)
    """
    process = recorders.start(text, pass_fds=(write,))
    out, err = process.communicate(timeout=60)
    os.kill(int(os.read(read, 100)), signal.SIGKILL)
    os.close(read)
    os.close(write)
    done = recorders.recorded(process.returncode, out, err)
    assert (done.status, done.rows) == (0, [TICK])


# os.write(), as a print() in a handler that interrupts another print() raises.
HANDLES = """
import os, signal, sys, time
got = []
def on(number, frame):
    got.append(signal.Signals(number).name)
    os.write(1, " ".join(got).encode() + b"\\n")
for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1"):
    signal.signal(getattr(signal, name), on)
os.write(1, b"ready\\n")
while len(got) < int(sys.argv[1]):
    time.sleep(0.01)
time.sleep(0.3)
journal.row("tick", 1, calls=7)
sys.exit(len(got))
"""


def test_signals_that_another_process_sends_are_passed_on(recorders: Any) -> None:
    names = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1")
    process = recorders.start(HANDLES, str(len(names)))
    assert process.stdout.readline() == "ready\n"
    for at, name in enumerate(names, 1):
        process.send_signal(getattr(signal, name))
        assert process.stdout.readline().split() == list(names[:at])
    out, err = process.communicate(timeout=60)
    done = recorders.recorded(process.returncode, out, err)
    assert (done.status, done.out, done.rows) == (5, "", [TICK])


def test_a_program_that_a_passed_on_signal_kills_is_recorded(recorders: Any) -> None:
    process = recorders.start(ROW + "print('ready', flush=True)\nimport time; time.sleep(300)")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, err = process.communicate(timeout=60)
    done = recorders.recorded(process.returncode, out, err)
    assert (done.status, done.rows) == (-signal.SIGTERM, [TICK])


# Starts a command at a terminal as a shell does, and stays until a line is typed: when the first process of a session
# ends, Linux throws away what is on its way to the screen.
SHELL = """
import os, signal, subprocess, sys
os.login_tty(int(sys.argv[1]))
signal.signal(signal.SIGINT, lambda *_: None)
status = subprocess.Popen(sys.argv[2:]).wait()
input()
sys.exit(status)
"""


def test_ctrl_c_at_a_terminal_reaches_the_program_once(recorders: Any) -> None:
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-c", SHELL, str(terminal), *recorders.command(HANDLES, "1")]
    process = subprocess.Popen(
        command, cwd=recorders.directory, env=recorders.environment(), pass_fds=(terminal,), start_new_session=True
    )
    os.close(terminal)
    with open(keyboard, "r+b", buffering=0) as screen:
        shown = b""
        while b"ready" not in shown:
            shown += screen.read(1000)
        screen.write(b"\x03")
        while b" rows, " not in shown:
            shown += screen.read(1000)
        screen.write(b"\n")
        status = process.wait(60)
    assert shown.count(b"SIGINT") == 1
    assert recorders.recorded(status, "", "").rows == [TICK]
    assert status == 1


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("nowhere/trace.parquet", "no trace can be written: [Errno 2] No such file or directory: "),
        ("/proc/trace.parquet", "no trace can be written: [Errno 2] No such file or directory: "),
        ("/dev/null", "no trace can be written: /dev/null is there, and no regular file; name another one"),
        ("x" * 300, "no trace can be written: [Errno 36] File name too long: "),
        (".", "argument -o: '.' is a directory: name a file"),
    ],
)
def test_an_output_that_cannot_be_made_is_refused_before_the_program_runs(
    recorders: Any, output: str, reason: str
) -> None:
    done = recorders.record("print('ran')", options=("-o", output))
    assert done.status != 0
    assert done.out == ""
    assert done.err.splitlines()[-1].startswith("depwatch record: ")
    assert reason in done.err.splitlines()[-1]
    assert done.rows is None


def test_the_program_sees_no_file_of_ours_in_its_directory(recorders: Any) -> None:
    done = recorders.record(ROW + "import os; print(os.listdir())")
    assert done.out == "['program.py']\n"
    assert done.rows == [TICK]


def test_a_trace_that_was_there_is_replaced_only_by_a_whole_one(recorders: Any) -> None:
    recorders.record(ROW)
    before = recorders.trace.read_bytes()
    done = recorders.record("import os; os._exit(4)")
    assert done.status == 4
    assert done.err == "depwatch record: trace.parquet: no trace was written: the program did not run\n"
    assert recorders.trace.read_bytes() == before


@pytest.mark.slow
def test_a_full_disk_costs_the_trace_and_not_the_program(recorders: Any) -> None:
    text = """
        import random, resource, os
        for time in range(30_000):
            journal.row("tick", time, calls=random.getrandbits(60))
        print("done", hot_after)
    """
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    command = recorders.command(text)
    command[command.index("-c") + 1] = limit + command[command.index("-c") + 1]
    result = subprocess.run(
        command, cwd=recorders.directory, env=recorders.environment(), capture_output=True, text=True, timeout=60
    )
    done = recorders.recorded(result.returncode, result.stdout, result.stderr)
    assert done.out == "done 50\n"
    assert done.err.count("\n") == 1
    assert "no trace was written: " in done.err
    assert "File too large" in done.err
    assert (done.status, done.rows) == (1, None)


def test_damaged_entries_are_told(recorders: Any) -> None:
    text = ROW + "from journals import entry; journal.put(entry(99)); journal.put(entry(3))"
    done = recorders.record(text)
    assert said(1, "; 2 damaged entries were left out").fullmatch(done.err)
    assert done.rows == [TICK]
    program = json.loads(pq.read_metadata(recorders.trace).metadata[b"depwatch.program"])
    assert program["damaged"] == {"dropped": 2, "out of order": 0}


@pytest.mark.slow
def test_many_segments_are_taken_while_the_program_runs(recorders: Any) -> None:
    text = """
        import os, time
        for time_ in range(20_000):
            journal.row("tick", time_, calls=time_)
        while len(os.listdir(journal_directory)) > 1:
            time.sleep(0.01)
        print("only one is left")
    """
    done = recorders.record(text)
    assert done.out == "only one is left\n"
    assert done.rows is not None
    assert [row["calls"] for row in done.rows] == list(range(20_000))


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_a_program_that_would_not_let_the_recorder_in_is_refused(recorders: Any, option: str) -> None:
    code = f"import sys; sys.path += {sys.path!r}; from depwatch.cli import main; main()"
    command = [sys.executable, option, "-c", code, "record", "program.py"]
    done = subprocess.run(command, cwd=recorders.directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Python was started with -E, -I or -S" in done.stderr
