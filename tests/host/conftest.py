"""Fixtures: the helper extension, built once; a watcher of each kind; Python processes of their own."""

import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from watching import Watching

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Overrides the check of the tests of depwatch: nothing here uses it."""


@pytest.fixture(scope="session")
def hostwatch(tmp_path_factory):
    """The module of hostwatch.c, built for this interpreter."""
    built = tmp_path_factory.mktemp("hostwatch") / f"hostwatch{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    flags = shlex.split(sysconfig.get_config_var("CFLAGS") or "")
    includes = [f"-I{sysconfig.get_path(path)}" for path in ("include", "platinclude")]
    source = str(HERE / "hostwatch.c")
    command = [*compiler, *flags, *includes, "-O1", "-w", "-fPIC", "-shared", source, "-o", str(built)]
    subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location("hostwatch", built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def host(hostwatch):
    """One watcher of each kind for a file of tests."""
    watching = Watching(hostwatch)
    yield watching
    hostwatch.keep()
    watching.close()


@pytest.fixture
def fresh_process(hostwatch):
    """Runs source in a Python process of its own that has imported hostwatch; for what is fatal or global."""

    def run(source):
        path = os.pathsep.join([str(Path(hostwatch.__file__).parent), str(HERE)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        limits = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        command = [sys.executable, "-S", "-c", f"{limits}import hostwatch\n{source}"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run
