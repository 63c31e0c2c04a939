"""Fixtures: the helper extensions, built once; a watcher of each kind; Python processes of their own."""

import importlib
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from watching import Watching

from support import NATIVE

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Overrides the check of the tests of depwatch: nothing here uses it."""


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The directory with the module of each native/host*.c, built for this interpreter."""
    directory = tmp_path_factory.mktemp("host")
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    flags = shlex.split(sysconfig.get_config_var("CFLAGS") or "")
    includes = [f"-I{sysconfig.get_path(path)}" for path in ("include", "platinclude")]
    command = [*compiler, *flags, *includes, "-O1", "-w", "-fPIC", "-shared"]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compilers = {
        source: subprocess.Popen([*command, str(source), "-o", str(directory / (source.stem + suffix))])
        for source in sorted(NATIVE.glob("host*.c"))
    }
    failed = [source.name for source, compiler in compilers.items() if compiler.wait() != 0]
    assert failed == []
    sys.path.append(str(directory))
    yield directory
    sys.path.remove(str(directory))


@pytest.fixture(scope="session")
def hostwatch(built):
    """The module of hostwatch.c; so the next two."""
    return importlib.import_module("hostwatch")


@pytest.fixture(scope="session")
def hostreact(built):
    return importlib.import_module("hostreact")


@pytest.fixture(scope="session")
def hostentry(built):
    return importlib.import_module("hostentry")


@pytest.fixture(scope="module")
def host(hostwatch):
    """One watcher of each kind for a file of tests."""
    watching = Watching(hostwatch)
    yield watching
    hostwatch.keep()
    watching.close()


@pytest.fixture
def react(hostreact):
    """react(kind, reaction): the slot of a watcher that calls reaction until the test ends."""
    slots = {}

    def react(kind, reaction):
        slots[kind] = hostreact.add(kind, reaction)
        return slots[kind]

    yield react
    for kind, slot in slots.items():
        hostreact.clear(kind, slot)


@pytest.fixture(scope="session")
def fresh_process(built):
    """Runs source in a Python process of its own that has imported hostwatch; for what is fatal or global."""

    def run(source, *flags, **environment):
        path = os.pathsep.join([str(built), str(HERE)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        limits = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        command = [sys.executable, "-S", *flags, "-c", f"{limits}import hostwatch\n{source}"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run
