"""Fixtures: a log, C extensions that count and that watch too; a check after each test that it left nothing behind."""

import fcntl
import importlib.util
import signal
import subprocess
import sys
import sysconfig
import weakref

import pytest
from hypothesis import HealthCheck, settings

import depwatch
from depwatch import _core
from support import NATIVE, ROOT, Log, compiler, few_objects

# What the benchmarks are made of is tested, too. At the end of the path: benchmarks/numba.py must not hide numba.
sys.path.append(str(ROOT / "benchmarks"))

# A shell that runs us in the background has it ignored, and all that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Bounded and the same every time: a failure here must be a failure everywhere.
settings.register_profile(
    "suite",
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("suite")


# Files with the longest tests: these first, or one worker would still be at them when the other has nothing to do.
LONG = ["test_fleet", "test_bench_index", "test_notebooks", "test_fuzz", "test_graph", "test_corpus_run", "test_dev"]


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # one of several workers
        items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


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


def compile_helper(name, built):
    command, flags = compiler()
    source = NATIVE / f"{name}.c"
    include = depwatch.get_include()
    if not source.exists():
        source = built.parent / source.name
        cython = [sys.executable, "-m", "cython", "-3", "-I", include, "-o", str(source)]
        subprocess.run([*cython, str(NATIVE / f"{name}.pyx")], check=True)
    half = built.with_suffix(".half")
    options = [*flags, f"-I{include}", "-O1", "-g0", "-fPIC", "-shared"]
    subprocess.run([*command, *options, str(source), "-o", str(half)], check=True)
    half.rename(built)


def build(name, tmp_path_factory, worker_id):
    """The helper extension of that name, built for this interpreter; `path` is for other processes to load it by.

    The first of the workers that wants it builds it for all of this run.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / f"built-{name}"
    folder.mkdir(exist_ok=True)
    built = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            compile_helper(name, built)
    spec = importlib.util.spec_from_file_location(name, built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.path = str(built)
    return module


@pytest.fixture(scope="session")
def counting(tmp_path_factory, worker_id):
    """The module of counting.c."""
    return build("counting", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def others(tmp_path_factory, worker_id):
    """The module of others.c: another extension with watchers."""
    return build("others", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def capi_user(tmp_path_factory, worker_id):
    """The module of capi_user.c: a native optimizer, in C."""
    return build("capi_user", tmp_path_factory, worker_id)


@pytest.fixture
def c(capi_user):
    """The same, for one test."""
    yield capi_user
    capi_user.note_byte(None)
    capi_user.told()
    capi_user.told_of_handles()


@pytest.fixture(scope="session")
def capi_cython(tmp_path_factory, worker_id):
    """The module of capi_cython.pyx: one in Cython."""
    return build("capi_cython", tmp_path_factory, worker_id)
