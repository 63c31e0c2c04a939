"""Tools that watch a program run: monitoring, tracers and profilers that change watched things; coverage; pytest."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host.versions import HOST
from support import ROOT, python

PROGRAMS = Path(__file__).with_name("programs")


def test_monitoring_of_all_events_may_change_what_is_watched():
    python(PROGRAMS / "monitoring.py")


def test_a_monitoring_callback_that_fails_leaves_depwatch_right():
    python(PROGRAMS / "failing_monitoring.py")


@pytest.mark.parametrize("set_tracer", ["settrace", "setprofile"])
def test_a_tracer_may_change_what_is_watched(set_tracer):
    python(PROGRAMS / "tracer.py", set_tracer)


@pytest.mark.parametrize("set_tracer", ["settrace", "setprofile"])
def test_a_tracer_in_a_thread_may_change_what_the_main_thread_compiles_with(set_tracer):
    python(PROGRAMS / "tracer_in_a_thread.py", set_tracer)


# --- coverage --------------------------------------------------------------------------------------------------------

PRINTED = "5.0 ['38', 'again', '38', 'again', '38', 'again', '38', 'again', '38', 'again', '44'] 44\n"


def run(command, folder, status=0, **environment):
    variables = os.environ | {"PYTHONPATH": str(ROOT), "COVERAGE_FILE": str(folder / "data")} | environment
    variables.pop("COVERAGE_PROCESS_START", None)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("core", "at_work", "branches"),
    [
        pytest.param("ctrace", "CTracer None", [], marks=pytest.mark.slow),
        pytest.param("ctrace", "CTracer None", ["--branch"], marks=pytest.mark.slow),
        ("sysmon", "NoneType coverage.py", []),
    ],
)
def test_coverage_measures_a_program_that_uses_depwatch_and_changes_nothing(tmp_path, core, at_work, branches):
    program = tmp_path / "program.py"
    text = (PROGRAMS / "covered.py").read_text()
    program.write_text(text)
    coverage = [sys.executable, "-m", "coverage"]
    # depwatch too, so that the tool is at work inside its drains.
    command = [*coverage, "run", *branches, "--source", f"{tmp_path},{ROOT / 'depwatch'}", str(program)]
    assert run(command, tmp_path, COVERAGE_CORE=core) == f"{PRINTED}{at_work}\n"
    run([*coverage, "json", "-q", "-o", "report.json"], tmp_path)
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    notice = next(report for name, report in files.items() if name.endswith(os.path.join("depwatch", "notice.py")))
    never = next(number for number, line in enumerate(text.splitlines(), 1) if "not reached" in line)
    unseen = [] if HOST.pending_calls_are_traced or core != "ctrace" else [18, 22]  # the bodies of both callbacks
    assert files["program.py"]["missing_lines"] == [*unseen, never]
    assert notice["functions"]["explain"]["executed_lines"]


# --- pytest ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pytest_rewrites_asserts_in_a_module_whose_globals_are_watched_and_patched(tmp_path):
    shutil.copy(PROGRAMS / "rewritten.py", tmp_path / "test_rewritten.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "."]
    printed = run(command, tmp_path, status=1, PYTEST_ADDOPTS="", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "1 failed, 5 passed" in printed
    assert "assert (1 + 0) == 3" in printed
    assert "where 1 = recorded()" in printed
    assert ".broken" in printed
