"""Each example is complete: it runs as it is, is built where it must be, and does what its README says."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from types import SimpleNamespace

import pytest

from support import ROOT

EXAMPLES = ROOT / "examples"
PRINTED = {
    "cache": "computing 10 * 2\n21 21\ncomputing 10 * 3\n31\n31\n",
    "specializer": "20 True\n30 False\n20 True\n",
}


def names_of(example):
    """What the module of an example defines."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / example / f"{example}.py")))


@pytest.fixture
def names():
    made = {"__name__": "program"}
    exec("RATE = 2\nD = {'k': 1}\ndef helper(x): return x * RATE\ndef f(x): return helper(x) + D['k']", made)
    return made


def test_a_cache_is_never_stale_and_keeps_what_an_undone_change_leaves(names):
    f = names["f"] = names_of("cache").cache(int)(names["f"])
    assert (f(10), f(10)) == (21, 21)
    names["RATE"] = 3
    names["RATE"] = 2
    assert not f.assumed.renew()
    names["RATE"] = 5
    assert (f(10), f(10), f(True)) == (51, 51, 6)
    exec("def helper(x): return -x", names)
    assert f(10) == -9
    names["D"]["k"] = 0
    assert f(10) == -10


def test_a_result_is_not_kept_if_what_it_was_computed_from_changed_meanwhile(names):
    exec("def helper(x):\n  global RATE\n  RATE += 1\n  return RATE", names)
    f = names_of("cache").cache(int)(names["f"])
    assert (f(10), f(10)) == (4, 5)


def test_a_specialised_function_runs_until_a_constant_changes(names):
    f = names["f"]
    entry = names_of("specializer").specialize(f)
    assert (entry.active, f(10)) == (True, 21)
    names["RATE"] = 3
    assert (entry.active, f(10)) == (False, 31)
    names["RATE"] = 2
    assert (entry.active, f(10)) == (True, 21)
    entry.handle.release()


def run(*command, folder, **environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("example", PRINTED)
def test_an_example_prints_what_it_shows(example):
    assert run(sys.executable, f"{example}.py", folder=EXAMPLES / example) == PRINTED[example]


def test_every_example_says_in_a_few_lines_how_to_run_it():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    lines = {path.parent.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*/README.md")}
    assert (lines.keys(), max(lines.values()) <= 20) == (folders, True)


# --- what is built ----------------------------------------------------------------------------------------------------

OF_PACKAGE = ("depwatch", "ext", "build/cython", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def copied(names, source, to):
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, to / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy(source / name, to / name)
    return to


def install(project, packages):
    """As pip installs it, without network."""
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(packages), "."]
    run(*command, folder=project, PYTHONPATH=str(packages))


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with depwatch as it is installed, away from the checkout. Objects that are built already are used."""
    project = tmp_path_factory.mktemp("project")
    compiled = [str(path.relative_to(ROOT)) for path in ROOT.glob(f"build/{sysconfig.get_config_var('SOABI')}*")]
    copied((*OF_PACKAGE, *compiled), ROOT, project)
    folder = tmp_path_factory.mktemp("installed")
    install(project, folder)
    return folder


def built(example, packages, tmp_path, program):
    """What a program prints after the example was installed beside depwatch."""
    names = [path.name for path in (EXAMPLES / example).iterdir() if path.suffix in (".toml", ".py", ".c", ".pyx")]
    install(copied(names, EXAMPLES / example, tmp_path), packages)
    told = "import depwatch, os; print(os.path.dirname(depwatch.__file__) == os.environ['PACKAGES'] + '/depwatch')"
    environment = {"PYTHONPATH": str(packages), "PACKAGES": str(packages)}
    first, *rest = run(sys.executable, "-c", f"{told}\n{program}", folder=packages, **environment).splitlines()
    assert first == "True"
    return rest


def program_of(example):
    """The one that its README shows."""
    text = (EXAMPLES / example / "README.md").read_text()
    (shown,) = re.findall(r'python -c "\n(.*?)"$', text, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(shown)


IN_C = """
def show():
    try:
        print(rate(), rate.looked_up)
    except NameError as error:
        print(error)

RATE = 3
show(), show()
del RATE
show()
RATE = 3
show(), show()
del rate
import gc
gc.collect()
print(depwatch.stats()["handles"])
"""
IN_CYTHON = """
live = live_float.LiveFloat(globals(), "SCALE")

def values():
    global SCALE
    for SCALE in (1.0, 10.0, 0.5):
        yield 2

print(live_float.scaled_sum(values(), live))
SCALE = "large"
try:
    live.value
except ValueError as error:
    print(error)
del SCALE
SCALE = 4.0
print(live.value)
"""


@pytest.mark.slow
def test_the_extension_in_c_looks_a_global_up_only_after_a_change(packages, tmp_path):
    told = ["2 1", "3 2", "3 2", "name 'RATE' is not defined", "3 3", "3 3", "0"]
    assert built("c_extension", packages, tmp_path, program_of("c_extension") + IN_C) == told


@pytest.mark.slow
def test_the_client_in_cython_is_built_without_a_path_and_follows_a_float(packages, tmp_path):
    told = ["12.0", "23.0", "the name is not there, or no float any more", "4.0"]
    assert built("cython_client", packages, tmp_path, program_of("cython_client") + IN_CYTHON) == told
