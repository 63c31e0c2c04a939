"""./dev on machines that are not like the developer's: which Python it takes, and what it says when there is none."""

import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("basename", "cat", "cksum", "dirname", "find", "mkdir", "mktemp", "rm", "sed", "sort", "cut", "paste")
BASE_PYTHON = sys._base_executable

needs_ensurepip = pytest.mark.skipif(
    subprocess.run([BASE_PYTHON, "-I", "-c", "import ensurepip; ensurepip.version()"], capture_output=True).returncode,
    reason="this Python has no ensurepip: ./dev would not choose it by itself",
)


class Machine:
    """A checkout, a PATH without any Python, and an empty home."""

    def __init__(self, folder):
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.home = folder / "home"
        for made in (self.checkout, self.bin, self.home, self.checkout / "benchmarks"):
            made.mkdir()
        for name in ("dev", "pyproject.toml", "setup.cfg", "constraints.txt"):
            shutil.copy(ROOT / name, self.checkout)
        shutil.copytree(ROOT / "ext", self.checkout / "ext")
        shutil.copytree(ROOT / "depwatch" / "include", self.checkout / "depwatch" / "include")
        for name in ("measure", "events"):
            shutil.copy(ROOT / "benchmarks" / f"{name}.py", self.checkout / "benchmarks")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def command(self, name, script):
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def failing_shim(self, name):
        self.command(name, f'echo "shim: {name}: command not found" >&2; exit 127')

    def how(self, **environment):
        # pip finds nothing: these tests end where the first package would be installed.
        variables = {"PATH": str(self.bin), "HOME": str(self.home), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        return {"env": variables | environment, "cwd": self.home, "text": True, "stdin": subprocess.DEVNULL}

    def dev(self, *arguments, **environment):
        command = ["/bin/sh", str(self.checkout / "dev"), *arguments]
        return subprocess.run(command, capture_output=True, timeout=120, **self.how(**environment))

    def says(self, line, *arguments):
        """Whether ./dev says that on stderr. It is ended there, as what it does next takes seconds."""
        command = ["/bin/sh", str(self.checkout / "dev"), *arguments]
        with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, **self.how()) as running:
            said = any(each == f"{line}\n" for each in running.stderr)
            if said:
                os.killpg(running.pid, signal.SIGKILL)
        return said


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def only_line(text):
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_no_python_gives_one_line_that_says_what_was_looked_for_and_what_to_do(machine):
    done = machine.dev("test")
    assert done.returncode == 1
    assert done.stdout == ""
    line = only_line(done.stderr)
    for part in ("CPython >= 3.12", "$PYTHON", "PATH", "~/.pyenv/versions", "install", "set PYTHON="):
        assert part in line


def test_pythons_that_fail_or_are_too_old_are_named_in_that_line(machine):
    machine.failing_shim("python3")
    machine.command("python3.12", "echo no 3.11.7 is too old")
    machine.command("python", "echo nonsense")
    line = only_line(machine.dev("compare", PYTHON="/nonexistent/python").stderr)
    assert "/nonexistent/python: not found" in line
    assert "python3: does not start" in line
    assert "python3.12: 3.11.7 is too old" in line
    assert "python: does not start" in line


def test_a_free_threaded_python_is_refused_and_named_in_that_line(machine):
    """A Python that answers like one: what sysconfig says is what ./dev goes by."""
    pretend = (
        "import sys, sysconfig; real = sysconfig.get_config_var; "
        "sysconfig.get_config_var = lambda name: 1 if name == 'Py_GIL_DISABLED' else real(name); exec(sys.argv[1])"
    )
    path = machine.command("python3.14t", f'exec "{BASE_PYTHON}" -I -c "{pretend}" "$3"')
    for command in ("test", "compare"):
        done = machine.dev(command, PYTHON=str(path))
        assert done.returncode == 1
        line = only_line(done.stderr)
        assert "no CPython >= 3.12" in line
        assert f"{path}: {platform.python_version()} is free-threaded" in line
    assert not (machine.checkout / ".venv").exists()


@needs_ensurepip
def test_failing_shims_on_path_do_not_stop_the_search(machine):
    for name in ("python3", "python3.15", "python3.14", "python3.13", "python3.12"):
        machine.failing_shim(name)
    (machine.bin / "python").symlink_to(BASE_PYTHON)
    assert machine.says(f"dev: making .venv with CPython {platform.python_version()}", "test")


@needs_ensurepip
def test_a_python_in_pyenv_versions_is_found_behind_shims_that_fail(machine):
    machine.failing_shim("python3")
    version = machine.home / ".pyenv" / "versions" / f"3.{sys.version_info.minor}.0" / "bin"
    version.mkdir(parents=True)
    (version / "python3").symlink_to(BASE_PYTHON)
    assert machine.says(f"dev: making .venv with CPython {platform.python_version()}", "test")


@needs_ensurepip
def test_a_step_that_fails_shows_its_log_and_the_next_run_takes_it_up_again(machine):
    done = machine.dev("test", PYTHON=BASE_PYTHON)
    assert done.returncode == 1
    steps = [line for line in done.stderr.splitlines() if line.startswith("dev: ")]
    assert steps[0] == f"dev: making .venv with CPython {platform.python_version()}"
    assert steps[1].startswith("dev: installing ")
    assert steps[2].startswith("dev: that failed")
    assert "ERROR: " in done.stderr
    again = machine.dev("test", PYTHON=BASE_PYTHON)
    assert "dev: making" not in again.stderr
    assert "dev: installing " in again.stderr


def test_a_directory_that_is_no_environment_is_never_deleted(machine):
    precious = machine.home / "precious"
    precious.mkdir()
    (precious / "file").touch()
    done = machine.dev("test", PYTHON=BASE_PYTHON, DEPWATCH_VENV="precious")
    assert done.returncode == 1
    assert "is no virtual environment" in only_line(done.stderr)
    assert (precious / "file").exists()


def test_an_unknown_command_or_benchmark_gives_one_line(machine):
    done = machine.dev("nonsense")
    assert (done.returncode, only_line(done.stderr)) == (1, "dev: no command called nonsense; ./dev help lists them")
    done = machine.dev("bench", "nonsense")
    assert (done.returncode, only_line(done.stderr)) == (1, "dev: no benchmark called nonsense; there are: events")


def test_bench_without_a_name_lists_the_benchmarks_without_making_anything(machine):
    done = machine.dev("bench")
    assert done.returncode == 0
    assert only_line(done.stdout).startswith("events ")
    assert not (machine.checkout / ".venv").exists()


def test_help_names_every_command(machine):
    done = machine.dev("help")
    assert done.returncode == 0
    for command in ("compare", "test", "fuzz", "bench", "lint", "python"):
        assert f"./dev {command}" in done.stdout
