"""./dev on machines that are not like the developer's: the Python it takes, what it installs, what it says of failures.

The Pythons of these machines answer questions as the real one does, but install nothing: they note what was asked.
"""

import platform
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from support import ROOT

TOOLS = ("cat", "cksum", "dirname", "grep", "mkdir", "sed")
BASE_PYTHON = shlex.quote(sys._base_executable)
MAKING = f"making .venv with CPython {platform.python_version()}"


class Machine:
    """A checkout, a PATH without any Python, and an empty home."""

    def __init__(self, folder):
        self.checkout = folder / "a checkout"
        self.bin = folder / "bin"
        self.home = folder / "home"
        for made in (self.checkout, self.bin, self.home, self.checkout / "benchmarks"):
            made.mkdir()
        for name in ("dev", "pyproject.toml", "constraints.txt", "benchmarks/measure.py", "benchmarks/events.py"):
            shutil.copy(ROOT / name, self.checkout / name)
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

    def python(self, name, answer="", ensurepip=True, pip=True):
        """`answer` is what it says of itself, if not the truth. pip fails while the file `broken` is there."""
        return self.command(
            name,
            f"""PATH=/usr/bin:/bin
            cd {self.home}
            case "$*" in
            "-c "* | "-I -c "*) {f"echo {shlex.quote(answer)}" if answer else f'exec {BASE_PYTHON} "$@"'} ;;
            "-m venv "*)
                for venv; do :; done # the last argument
                mkdir -p "$venv/bin" && touch "$venv/pyvenv.cfg" && cp "$0" "$venv/bin/python" ;;
            "-m ensurepip "*) exit {int(not ensurepip)} ;;
            "-m pip "*)
                case $0 in {self.bin}/*) {"" if pip else "exit 1"} ;; esac # in an environment it has one
                if [ -e broken ]; then echo "the index is down"; exit 1; fi
                echo "$*" >>installed ;;
            *) echo "$*" >>ran ;;
            esac""",
        )

    def dev(self, *arguments, **environment):
        return subprocess.run(
            ["/bin/sh", str(self.checkout / "dev"), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.home)} | environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def steps(self, *arguments, status=0, **environment):
        """What ./dev says that it does, for a command."""
        done = self.dev(*arguments, **environment)
        assert done.returncode == status, done.stderr
        return [line.removeprefix("dev: ") for line in done.stderr.splitlines()]

    def refusal(self, *arguments, **environment):
        """The one line that ./dev says, and fails."""
        done = self.dev(*arguments, **environment)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("dev: ")
        return line

    def noted(self, name):
        """What was installed, or ran, since this was asked last."""
        path = self.home / name
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# --- which Python ----------------------------------------------------------------------------------------------------


def test_without_a_python_one_line_says_where_it_was_looked_for_and_the_remedy(machine):
    line = machine.refusal("test")
    for part in ("CPython >= 3.12", "$PYTHON", "PATH", "~/.pyenv/versions", "install", "set PYTHON="):
        assert part in line


def test_pythons_that_fail_or_are_too_old_are_named_in_that_line(machine):
    machine.failing_shim("python3")
    machine.command("python3.12", "echo 3.11.7 is too old")
    line = machine.refusal("compare", PYTHON="/nonexistent/python")
    assert "(/nonexistent/python: does not start, python3: does not start, python3.12: 3.11.7 is too old)" in line


def test_a_free_threaded_python_is_refused_and_named_in_that_line(machine):
    """A Python that answers like one: what sysconfig says is what ./dev goes by."""
    pretend = (
        "import sys, sysconfig; real = sysconfig.get_config_var; "
        "sysconfig.get_config_var = lambda name: 1 if name == 'Py_GIL_DISABLED' else real(name); exec(sys.argv[1])"
    )
    path = machine.command("python3.14t", f'exec {BASE_PYTHON} -I -c "{pretend}" "$3"')
    line = machine.refusal("test", PYTHON=str(path))
    assert "no CPython >= 3.12" in line
    assert f"({path}: {platform.python_version()} is free-threaded)" in line
    assert not (machine.checkout / ".venv").exists()


@pytest.mark.parametrize("place", ["python", "../home/.pyenv/versions/3.13.0/bin/python3"])
def test_shims_that_fail_do_not_stop_the_search(machine, place):
    for name in ("python3", "python3.15", "python3.14", "python3.13", "python3.12"):
        machine.failing_shim(name)
    machine.python(place)
    assert machine.steps("compare") == [MAKING, "installing depwatch[compare]"]


def test_a_python_without_ensurepip_gets_pip_from_an_older_one(machine):
    machine.python("python3", answer="3.11.7 is too old")
    machine.python("python3.13", ensurepip=False, pip=False)
    assert machine.steps("compare") == [MAKING, "installing depwatch[compare]"]
    assert re.fullmatch(r"-m pip install --target \S+/(site|dist)-packages pip", machine.noted("installed")[0])


def test_without_ensurepip_and_any_pip_the_remedy_is_told(machine):
    machine.python("python3.13", ensurepip=False, pip=False)
    making, line = machine.steps("compare", status=1)
    assert making == MAKING
    assert line == (
        "python3.13 has no ensurepip, and no other Python here has a pip: install your system's python3-venv package"
    )


def test_an_environment_of_another_interpreter_than_asked_for_is_refused(machine):
    machine.python("python3")
    machine.steps("compare")
    other = str(machine.python("other", answer="ok"))
    assert f"not with PYTHON={other}: remove it, or set DEPWATCH_VENV" in machine.refusal("compare", PYTHON=other)
    assert "making another with CPython ok" in machine.steps("compare", PYTHON=other, DEPWATCH_VENV="another")


def test_a_directory_that_is_no_environment_is_never_deleted(machine):
    machine.python("python3")
    (machine.home / "precious").mkdir()
    (machine.home / "precious" / "file").touch()
    assert "is no virtual environment" in machine.refusal("test", DEPWATCH_VENV="precious")
    assert (machine.home / "precious" / "file").exists()


def test_an_environment_that_was_not_finished_is_made_again(machine):
    machine.python("python3")
    (machine.checkout / ".venv").mkdir()
    (machine.checkout / ".venv" / "pyvenv.cfg").touch()
    assert machine.steps("compare")[0] == MAKING
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    assert machine.steps("compare")[0] == MAKING


# --- what it installs ------------------------------------------------------------------------------------------------


def test_a_command_installs_what_it_needs_and_nothing_that_is_there(machine):
    machine.python("python3")
    assert machine.steps("compare") == [MAKING, "installing depwatch[compare]"]
    tools, extras = machine.noted("installed")
    assert tools.endswith(f"-c {machine.checkout}/constraints.txt setuptools Cython")
    assert extras.endswith(f"-c {machine.checkout}/constraints.txt --no-build-isolation -e {machine.checkout}[compare]")
    assert machine.steps("compare") == machine.steps("python", "-m", "depwatch") == []
    assert machine.steps("compare", "--corpus") == ["installing depwatch[corpus]"]
    assert machine.steps("lint") == ["installing depwatch[report,lint]"]
    assert machine.steps("test") == ["installing depwatch[dask,notebooks,bench,numba,jax,test]"]
    for command in ("compare", "compare --corpus", "test", "fuzz", "bench events", "lint", "python -m depwatch"):
        assert machine.steps(*command.split()) == []


def test_uv_on_path_installs_in_place_of_pip_and_pip_where_uv_fails(machine):
    machine.python("python3")
    machine.command("uv", f'echo "$*" >>"{machine.home}/uv"')
    machine.steps("compare")
    assert [line.split()[:2] for line in machine.noted("uv")] == [["pip", "install"]] * 2
    assert machine.noted("installed") == []
    machine.command("uv", "exit 1")
    machine.steps("fuzz")
    assert machine.noted("installed")[-1].endswith(f"{machine.checkout}[test]")


def test_each_command_has_the_extensions_built_first(machine):
    machine.python("python3")
    for command in ("compare", "test", "fuzz", "lint", "python"):
        machine.steps(command)
        assert machine.noted("ran")[0] == "setup.py -q build_ext --inplace"


def test_requirements_that_changed_are_installed_again(machine):
    machine.python("python3")
    machine.steps("test")
    constraints = machine.checkout / "constraints.txt"
    before = constraints.read_text()
    constraints.write_text(f"{before}# changed\n")
    assert machine.steps("compare") == ["installing depwatch[compare]"]
    assert machine.steps("test") == ["installing depwatch[corpus,report,dask,notebooks,bench,numba,jax,test]"]
    assert machine.steps("test") == []
    constraints.write_text(before)
    assert machine.steps("compare") == ["installing depwatch[compare]"]


def test_a_step_that_fails_shows_its_output_and_is_taken_up_again(machine):
    machine.python("python3")
    machine.steps("compare")
    (machine.home / "broken").touch()
    failed = "that failed: install test"
    assert machine.steps("fuzz", status=1) == ["installing depwatch[test]", failed, "the index is down"]
    assert machine.steps("compare") == []  # what was there serves meanwhile
    (machine.home / "broken").unlink()
    assert machine.steps("fuzz") == ["installing depwatch[test]"]


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, passed",
    [
        ("", "-n auto --dist worksteal"),
        ("--all", "--all -n auto --dist worksteal"),
        ("-q tests/test_x.py", "-q tests/test_x.py"),
    ],
)
def test_all_tests_run_on_all_processors_and_arguments_go_to_pytest(machine, arguments, passed):
    machine.python("python3")
    machine.steps("test", *arguments.split())
    assert machine.noted("ran")[-1] == f"-m pytest {passed}"


def test_an_unknown_command_or_benchmark_gives_one_line(machine):
    assert machine.refusal("nonsense") == "dev: no command called nonsense; ./dev help lists them"
    assert machine.refusal("bench", "nonsense") == "dev: no benchmark called nonsense; there are: events"


def test_a_benchmark_runs_also_where_the_environment_is_made_for_it(machine):
    machine.python("python3")
    machine.steps("bench", "events", "--quick")
    assert machine.noted("ran")[-1] == "benchmarks/events.py --quick"


def test_help_and_the_list_of_benchmarks_make_nothing(machine):
    done = machine.dev("help")
    assert done.returncode == 0
    for command in ("compare", "test", "fuzz", "bench", "lint", "python"):
        assert f"./dev {command}" in done.stdout
    assert machine.dev("bench").stdout.startswith("events: ")
    assert not (machine.checkout / ".venv").exists()
