"""./dev on machines that are not like the developer's: which Python it takes, and what it says when there is none."""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig

import pytest

from support import ROOT

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

    def python_that_installs_nothing(self):
        """On PATH: its pip writes down what it was asked for, or fails while the file `broken` is there; the programs
        that it runs do nothing. All else is left to a real Python.
        """
        self.command(
            "python3",
            f"""PATH=/usr/bin:/bin
            case "$*" in
            *ensurepip*) echo "ok {platform.python_version()} pip $0" ;;
            "-m venv "*) mkdir -p "$3/bin"; touch "$3/pyvenv.cfg"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/pip" ;;
            "-m pip install "*" -e "*) touch "{self.checkout}/depwatch/_core{sysconfig.get_config_var("EXT_SUFFIX")}" ;;
            "-m pip install "*)
                for file; do :; done # the last argument
                [ ! -e "{self.home}/broken" ] || {{ echo "the index is down"; exit 1; }}
                cat "$file" >>"{self.home}/installed" ;;
            "-m "* | benchmarks/*) ;;
            *) exec "{BASE_PYTHON}" "$@" ;;
            esac""",
        )

    def steps(self, *arguments, status=0):
        """What ./dev says that it does, for a command."""
        done = self.dev(*arguments)
        assert done.returncode == status, done.stderr
        return [line.removeprefix("dev: ") for line in done.stderr.splitlines()]

    def installed(self):
        """The packages that were asked for since this was asked last."""
        lines = (self.home / "installed").read_text().split("\n")
        (self.home / "installed").unlink()
        return {re.match(r"[\w-]*", line)[0] for line in lines}

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


def test_a_command_installs_what_it_needs_and_nothing_that_is_there(machine):
    machine.python_that_installs_nothing()
    making = f"making .venv with CPython {platform.python_version()}"
    assert machine.steps("compare") == [making, "installing compare dependencies", "building the extension"]
    installed = machine.installed()
    assert {"setuptools", "Cython", "pyroaring", "click", "rich", "pyarrow", "pytest"} <= installed
    assert not {"uv", "dask", "jinja2", "jupytext", "matplotlib", "numba", "hypothesis", "ruff"} & installed
    assert machine.steps("compare") == machine.steps("python", "-m", "depwatch") == []
    assert machine.steps("compare", "--corpus") == ["installing corpus dependencies"]
    assert machine.steps("lint") == ["installing report, lint dependencies"]
    assert machine.steps("test") == ["installing fleet, notebooks, bench, numba, test dependencies"]
    for command in (["compare"], ["compare", "--corpus"], ["test"], ["fuzz"], ["lint"], ["python", "-m", "depwatch"]):
        assert machine.steps(*command) == []


def test_after_the_tests_no_other_command_but_lint_installs_anything(machine):
    machine.python_that_installs_nothing()
    installing = "installing compare, corpus, report, fleet, notebooks, bench, numba, test dependencies"
    assert machine.steps("test")[1:] == [installing, "building the extension"]
    assert {"click", "uv", "dask", "jinja2", "jupytext", "matplotlib", "numba", "hypothesis"} <= machine.installed()
    for command in (["compare"], ["compare", "--corpus"], ["fuzz"], ["bench", "events"], ["python", "-m", "depwatch"]):
        assert machine.steps(*command) == []
    assert machine.steps("lint") == ["installing lint dependencies"]


def test_what_is_installed_is_installed_again_when_pyproject_toml_has_changed(machine):
    machine.python_that_installs_nothing()
    machine.steps("test")
    with (machine.checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    building = "building the extension"
    assert machine.steps("compare") == ["installing compare dependencies", building]
    assert machine.steps("fuzz") == ["installing test dependencies"]
    assert machine.steps("test") == ["installing corpus, report, fleet, notebooks, bench, numba dependencies"]
    assert machine.steps("test") == []


def test_an_installation_that_failed_is_taken_up_again(machine):
    machine.python_that_installs_nothing()
    machine.steps("compare")
    (machine.home / "broken").touch()
    steps = machine.steps("fuzz", status=1)
    assert steps[:2] == ["installing test dependencies", "the index is down"]
    assert steps[2].startswith("that failed (the log is above): install -c ")
    assert machine.steps("compare") == []
    (machine.home / "broken").unlink()
    assert machine.steps("fuzz") == ["installing test dependencies"]


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
