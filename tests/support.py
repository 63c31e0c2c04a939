"""What the tests share: a log of all that was delivered, and ways to make changes that no drain comes between."""

import _thread
import collections
import contextlib
import ctypes
import functools
import gc
import inspect
import itertools
import operator
import os
import shlex
import subprocess
import sys
import sysconfig
import textwrap
import types
from pathlib import Path

import depwatch

ROOT = Path(__file__).parent.parent
NATIVE = ROOT / "tests" / "native"  # the helpers in C
EXT = ROOT / "ext"
UNKNOWN = depwatch.UNKNOWN
# The first CPython for which pyproject.toml asks for neither numba nor JAX, because they have no release for it.
# Below it they are there, or their tests fail; from it on there is nothing to run them with.
NO_NUMBA = NO_JAX = (3, 16)


class Log(list):
    """What was delivered, in order: events as (change, facet, old, new), callbacks as (state, name of the handle)."""

    def event(self, event):
        self.append((event.change.name, event.facet, event.old, event.new))

    def whole_event(self, event):
        self.append(event)

    def invalidated(self, handle):
        self.append(("invalidated", handle.name))

    def resumed(self, handle):
        self.append(("resumed", handle.name))

    def retired(self, handle):
        self.append(("retired", handle.name))

    def commit(self, recorder, artifact=None, **options):
        """The handle, with callbacks that write to this log."""
        return recorder.commit(
            artifact, on_invalidate=self.invalidated, on_resume=self.resumed, on_retire=self.retired, **options
        )

    def drained(self):
        """What has been delivered since the last time, everything up to now included."""
        depwatch.drain()
        entries = list(self)
        self.clear()
        return entries


def namespace(builtins=None, **values):
    """A dict of globals whose builtins hold nothing but what is given."""
    return {"__builtins__": {} if builtins is None else builtins} | values


def seen_in(globals_):
    """A function that sees these globals and keeps the builtins that they have now; a dict may get other ones."""
    return types.FunctionType(seen_in.__code__, globals_)


def freeze(owner, *names, name="frozen", unstable_after=6):
    """A recorder that has read these globals."""
    recorder = depwatch.Recorder(name, unstable_after)
    for global_name in names:
        recorder.read_global(owner, global_name)
    return recorder


def freeze_attribute(cls, *names, name="frozen", unstable_after=6):
    """A recorder that has read these attributes along the MRO."""
    recorder = depwatch.Recorder(name, unstable_after)
    for attribute in names:
        recorder.read_type_attr(cls, attribute)
    return recorder


def dependents(obj, facet=None):
    return set(depwatch.dependents(obj, facet))


def at_once(*calls):
    """Run calls (tuples of a C function and its arguments) in one C loop: no drain by itself comes in between."""
    collections.deque(map(operator.call, itertools.starmap(functools.partial, calls)), maxlen=0)


def store_at_once(mapping, key, *values):
    at_once(*((operator.setitem, mapping, key, value) for value in values))


@contextlib.contextmanager
def few_objects():
    """Collections look at all objects of the process: in here at none of what was imported before.

    Tables of subclasses of static bases are found through the collector: that of object is, before.
    """
    recorder = depwatch.Recorder("warm up")
    recorder.read_type_attr(type("Root", (), {"a": 1}), "a")
    recorder.close()
    depwatch.drain()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def without_automatic_drain(test):
    """Run the test in a thread while the main thread, the only one that drains by itself, waits for its end."""

    @functools.wraps(test)
    def in_thread(*args, **kwargs):
        errors = []
        running = _thread.allocate_lock()
        running.acquire()

        def body():
            try:
                test(*args, **kwargs)
            except BaseException as error:
                errors.append(error)
            finally:
                running.release()

        # In one C loop, or the main thread would still run some Python, and with it a drain, beside the other.
        at_once((_thread.start_new_thread, body, ()), (running.acquire,))
        if errors:
            raise errors.pop()

    return in_thread


def in_a_process_of_its_own(test):
    """Run the test in a process in which no other test has counted anything."""

    @functools.wraps(test)
    def run():
        path = Path(inspect.getsourcefile(inspect.unwrap(test)))
        python(
            f"""
            import sys
            sys.path.insert(0, {str(path.parent)!r})
            import {path.stem}
            {path.stem}.{test.__name__}.inside()
            """
        )

    run.inside = test
    return run


class Counted:
    """The counters that changed inside the `with` so far: `counted()` returns them as a dict.

    The garbage collector waits, or the death of what an earlier test left would be counted.
    """

    def __enter__(self):
        gc.disable()
        self.before, self.after = depwatch.stats(), None
        return self

    def __exit__(self, *exception):
        self.after = depwatch.stats()
        gc.enable()

    def __call__(self, *names):
        now = self.after or depwatch.stats()
        changed = {name: now[name] - self.before[name] for name in now if now[name] != self.before[name]}
        changed = {name: n for name, n in changed.items() if not name.startswith(("drain", "event_ns"))}  # chance
        return {name: changed.get(name, 0) for name in names} if names else changed


def compiler():
    """The C compiler and the flags that the running interpreter was built with."""
    flags = [*shlex.split(sysconfig.get_config_var("CFLAGS") or ""), "-w", f"-I{sysconfig.get_path('include')}"]
    if platform_include := sysconfig.get_path("platinclude"):
        flags.append(f"-I{platform_include}")
    return shlex.split(sysconfig.get_config_var("CC") or "cc"), flags


def ext_sources(*patterns):
    """All files of ext/ that were written by hand and are called so."""
    return sorted(path for pattern in patterns for path in EXT.rglob(pattern) if path.name != "_core.c")


def generated_source():
    """_core.c, as Cython has made it last."""
    made = [path for folder in (EXT, ROOT / "build") for path in folder.rglob("_core.c")]
    return max(made, key=lambda path: path.stat().st_mtime)


def here():
    """The line that calls this."""
    return sys._getframe(1).f_lineno


def byte_at(address):
    return ctypes.c_ubyte.from_address(address).value


def f64_at(address):
    return ctypes.c_double.from_address(address).value


def i64_at(address):
    return ctypes.c_int64.from_address(address).value


def object_at(address):
    return ctypes.py_object.from_address(address).value


def same(a, b):
    """Whether depwatch takes both for the same value: the same object, or an exact scalar with the same bits."""
    if a is b:
        return True
    return type(a) is type(b) and type(a) in (int, float, str) and repr(a) == repr(b)


def path_of_tests():
    """PYTHONPATH for other processes: they find what this one finds, and the helpers in C that are built."""
    import helpers

    for name in helpers.OF_PROGRAMS:
        helpers.build(name)
    package = Path(depwatch.__file__).parent.parent  # the checkout, or where a wheel was installed
    return os.pathsep.join([str(package), str(helpers.FOLDER), *filter(None, sys.path)])


def python(program, *arguments, status=0, stderr=None, cold=False, **environment):
    """Run a program (its text, or the path of its file) in a process of its own; what it printed.

    It must end with that status. stderr: what is expected there; by default nothing if the status is 0, else anything.
    cold: in an interpreter that is started for it, as it is about that; else in a child of a warm one, unless it is to
    have variables that an interpreter reads when it starts.
    """
    import parent

    if not isinstance(program, Path):
        program = textwrap.dedent(program)
    run = start if cold else parent.warm().run
    done = run(program, *arguments, environment=environment)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    if status == 0 or stderr is not None:
        assert done.stderr == (stderr or ""), done.stderr
    return done.stdout


def start(program, *arguments, environment=None, **options):
    """Run a program in an interpreter that is started for it."""
    source = [str(program)] if isinstance(program, Path) else ["-c", program]
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *source, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": path_of_tests()} | (environment or {}),
        **options,
    )


def is_dead(reference):
    if reference() is None:
        return True
    gc.collect()
    return reference() is None
