"""Fixtures: a log, C extensions that count and that watch too; a check after each test that it left nothing behind."""

import os
import signal
import sys
import weakref

import pytest
from hypothesis import HealthCheck, settings

import depwatch
import helpers
from depwatch import _core
from support import ROOT, Log, few_objects

# What the benchmarks are made of is tested, too. At the end of the path: benchmarks/numba.py must not hide numba.
sys.path.append(str(ROOT / "benchmarks"))

# Tests start many processes: each would compile anew what is not kept as bytecode, as pytest would for its asserts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that runs us in the background has it ignored, and all that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Bounded and the same every time: a failure here must be a failure everywhere.
settings.register_profile(
    "all",
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("quick", settings.get_profile("all"), max_examples=10)


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also the tests that are marked as slow")


def pytest_configure(config):
    """Without --all, what is slow is left out, but where the command line names a test or marks; and there are fewer
    examples of what hypothesis makes up."""
    option = config.option
    if not (option.all or option.markexpr or any("::" in argument for argument in config.args)):
        option.markexpr = "not slow"
    settings.load_profile("all" if option.all else "quick")


def pytest_collection_modifyitems(config, items):
    """The slow ones first, or one worker would still be at them when the others have nothing to do."""
    if hasattr(config, "workerinput"):  # one of several workers
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    """Each test starts settled; the handles that it did not release are released afterwards, and then none is left.

    Both sides of the index agree before and after that.
    """
    committed = []

    def tracked(commit):
        def commit_and_note(recorder, *arguments, **callbacks):
            made = commit(recorder, *arguments, **callbacks)
            committed.append(weakref.ref(made))
            return made

        return commit_and_note

    for name in ("commit", "commit_many"):
        monkeypatch.setattr(depwatch.Recorder, name, tracked(getattr(depwatch.Recorder, name)))
    before = depwatch.stats()["handles"]
    yield
    _core.check_index()
    for made in filter(None, (reference() for reference in committed)):
        if not made.released:
            made.release()
    assert depwatch.stats()["handles"] == before
    _core.check_index()


@pytest.fixture(scope="module", name="few_objects")
def only_few_objects():
    with few_objects():
        yield


@pytest.fixture
def log():
    return Log()


@pytest.fixture(scope="session")
def counting():
    """The module of counting.c."""
    return helpers.load("counting")


@pytest.fixture(scope="session")
def others():
    """The module of others.c: another extension with watchers."""
    return helpers.load("others")


@pytest.fixture(scope="session")
def rules():
    """The self-check, on a CPython that hides events."""
    return helpers.load("rules")


@pytest.fixture(scope="session")
def capi_user():
    """The module of capi_user.c: a native optimizer, in C."""
    return helpers.load("capi_user")


@pytest.fixture
def c(capi_user):
    """The same, for one test."""
    yield capi_user
    capi_user.note_byte(None)
    capi_user.told()
    capi_user.told_of_handles()


@pytest.fixture(scope="session")
def capi_cython():
    """The module of capi_cython.pyx: one in Cython."""
    return helpers.load("capi_cython")
