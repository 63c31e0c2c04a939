"""Fixtures: the helper extensions, built once; a watcher of each kind; Python processes of their own."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from watching import Watching

import helpers
from support import NATIVE

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Overrides the check of the tests of depwatch: nothing here uses it."""


@pytest.fixture(scope="session")
def built():
    """The directory with the module of each native/host*.c, built for this interpreter."""
    for source in sorted(NATIVE.glob("host*.c")):
        helpers.build(source.stem)
    sys.path.append(str(helpers.FOLDER))
    yield helpers.FOLDER
    sys.path.remove(str(helpers.FOLDER))


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
