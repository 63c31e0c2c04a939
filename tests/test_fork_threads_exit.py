"""Forks, threads, subinterpreters and the end of the interpreter."""

import contextlib
import os
import sys
import threading

import pytest

import depwatch
from support import freeze, namespace, python


def test_a_change_in_a_forked_child_breaks_there_and_not_in_the_parent(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    subscription = depwatch.subscribe(log.event, globals_, "X")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            globals_["X"] = 2
            broken = handle.broken
            told = log.drained()
            globals_["X"] = 1
            again = freeze(globals_, "X").commit()
            good = (broken, handle.valid, again.valid) == (1, True, True)
            status = 0 if good and sorted(told) == [("MODIFIED", "X", 1, 2), ("invalidated", "frozen")] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert (handle.valid, log.drained()) == (True, [])
    globals_["X"] = 3
    assert sorted(log.drained()) == [("MODIFIED", "X", 1, 3), ("invalidated", "frozen")]
    subscription.cancel()


def test_a_child_drains_by_itself_what_was_pending_in_the_parent():
    printed = python("""
        import itertools, operator, os, depwatch
        globals_ = {"X": 1}
        recorder = depwatch.Recorder("r")
        recorder.read_global(globals_, "X")
        log = []
        handle = recorder.commit(on_invalidate=lambda handle: log.append(os.getpid()))
        # Store and fork in one C loop: no drain in between.
        _, child = itertools.starmap(operator.call, [(operator.setitem, globals_, "X", 2), (os.fork,)])
        for _ in range(1000):
            len(log)
        good = log == [os.getpid()] and handle.broken == 1
        if child == 0:
            os._exit(not good)
        print(good, os.waitpid(child, 0)[1])
        """)
    assert printed == "True 0\n"


def test_threads_change_read_and_commit_at_the_same_time(log):
    """Whatever the order, a handle that is valid at the end has the values that are there."""
    globals_ = namespace(**{f"N{i}": 0 for i in range(8)})
    handles, errors = [], []
    barrier = threading.Barrier(6)

    def change(name):
        barrier.wait()
        for i in range(400):
            globals_[name] = i % 3
        globals_[name] = 1

    def build(first):
        barrier.wait()
        try:
            for _ in range(150):
                names = [f"N{first}", f"N{first + 1}"]
                recorder = depwatch.Recorder("threads", 60000)
                values = {name: recorder.read_global(globals_, name) for name in names}
                with contextlib.suppress(depwatch.Stale):
                    handles.append((recorder.commit(), values))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=(f"N{i}",)) for i in range(3)]
    threads += [threading.Thread(target=build, args=(i,)) for i in (0, 2, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    depwatch.drain()
    assert errors == []
    assert handles
    for handle, values in handles:
        if handle.valid:
            assert all(globals_[name] == value for name, value in values.items())
        elif not handle.retired:
            assert any(globals_[name] != value for name, value in values.items())


def test_a_change_in_a_thread_is_drained_by_the_main_thread(log):
    globals_ = namespace(X=1)
    threads = []
    recorder = freeze(globals_, "X")
    handle = recorder.commit(on_invalidate=lambda handle: threads.append(threading.current_thread()))
    thread = threading.Thread(target=globals_.__setitem__, args=("X", 2))
    thread.start()
    thread.join()
    for _ in range(1000):
        len(threads)
    assert threads == [threading.main_thread()]
    assert handle.broken == 1


# --- the end of the interpreter --------------------------------------------------------------------------------------


def test_finalizers_at_exit_still_run_once_and_everything_goes_quietly():
    printed = python("""
        import depwatch

        class Value:
            def __init__(self, name):
                self.name = name
            def __del__(self):
                print("destroyed", self.name, flush=True)

        class Type:
            attribute = Value("attribute")

        VALUE = Value("global")
        OLD = [Value("replaced")]

        def function(default=Value("default")):
            return VALUE

        recorder = depwatch.Recorder("exit")
        recorder.read_global(function, "VALUE")
        recorder.read_global(function, "OLD")
        recorder.read_type_attr(Type, "attribute")
        recorder.read_function(function, "code", "defaults", "existence")
        cell = recorder.value_cell(function, "VALUE", "object")
        recorder.guard_cell(function, "OLD")
        handle = recorder.commit(on_retire=print, on_invalidate=lambda handle: None)
        kept = depwatch.subscribe(lambda event: None, globals())
        OLD = None
        """)
    destroyed = ("attribute", "default", "global", "replaced")
    assert sorted(printed.splitlines()) == [f"destroyed {name}" for name in destroyed]


def test_changes_by_finalizers_during_exit_are_survived():
    python("""
        import sys, types, depwatch

        class Meddler:
            def __init__(self, globals_):
                self.globals = globals_
            def __del__(self):
                self.globals["X"] = 2
                self.globals.pop("Y", None)
                self.globals.clear()

        module = types.ModuleType("meddled")
        module.X = module.Y = 1
        sys.modules["meddled"] = module
        for globals_ in (vars(module), globals()):
            globals_.update(X=1, Y=1)
            recorder = depwatch.Recorder("exit")
            recorder.read_global(globals_, "X")
            recorder.read_global(globals_, "Y")
            recorder.depend_on(globals_)
            globals_["HANDLE"] = recorder.commit(on_retire=lambda handle: None)
            globals_["MEDDLER"] = Meddler(globals_)
            depwatch.subscribe(lambda event: None, globals_, "X")
        """)


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise SystemExit(3)", "os._exit(3)"])
def test_the_exit_status_stays_as_it_is(end):
    python(
        f"""
        import os, sys, depwatch
        X = 1
        recorder = depwatch.Recorder("exit")
        recorder.read_global(globals(), "X")
        handle = recorder.commit(on_invalidate=lambda handle: None)
        X = 2
        {end}
        """,
        status=3,
    )


def test_what_is_used_in_atexit_functions_still_works_or_says_why():
    printed = python("""
        import atexit
        X = 1
        handle = None

        @atexit.register
        def at_exit():
            global X
            X = 2
            print(handle.valid, flush=True)
            depwatch.drain()

        import depwatch
        recorder = depwatch.Recorder("exit")
        recorder.read_global(at_exit, "X")
        handle = recorder.commit()
        """)
    assert printed == "False\n"


def test_a_thread_that_still_changes_things_at_exit_is_survived():
    python("""
        import threading, time, depwatch
        X = 0
        def change():
            global X
            while True:
                X += 1
                time.sleep(1e-5)
        recorder = depwatch.Recorder("exit", 60000)
        recorder.read_global(change, "X")
        handle = recorder.commit(on_invalidate=lambda handle: None)
        depwatch.subscribe(lambda event: None, globals(), "X")
        threading.Thread(target=change, daemon=True).start()
        """)


# --- subinterpreters -------------------------------------------------------------------------------------------------

SUBINTERPRETER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

def run(code):
    other = interpreters.create()
    failed = interpreters.run_string(other, code)
    interpreters.destroy(other)
    assert not failed, failed
"""
IMPORT = """
run('''
try:
    import depwatch
except ImportError:
    print("ImportError", flush=True)
else:
    print("imported", flush=True)
''')
"""
USE = """
import depwatch
X = 1
recorder = depwatch.Recorder("main")
recorder.read_global(globals(), "X")
recorder.read_global(globals(), "len")
handle = recorder.commit()
"""
BREAK = """
X = 2
print(handle.broken, flush=True)
"""


@pytest.mark.parametrize("scripts", [(USE, IMPORT, BREAK), (IMPORT, USE, BREAK)], ids=["after main", "before main"])
def test_a_subinterpreter_cannot_import_it_and_the_main_interpreter_goes_on(scripts):
    lines = python(SUBINTERPRETER + "".join(scripts)).splitlines()
    assert lines == ["ImportError", "1"]


def test_changes_in_a_subinterpreter_break_nothing_in_the_main_one():
    change = 'run("import builtins; X = 3; builtins.len = 1; (lambda: 1).__defaults__ = (1,)")\nprint(handle.broken)'
    assert python(SUBINTERPRETER + USE + change + BREAK).splitlines() == ["0", "1"]


def test_a_reload_of_the_package_keeps_the_service(log):
    printed = python("""
        import importlib, sys, depwatch
        X = 1
        recorder = depwatch.Recorder("before")
        recorder.read_global(globals(), "X")
        handle = recorder.commit()
        importlib.reload(depwatch)
        X = 2
        print(handle.broken, depwatch.stats()["handles"])
        """)
    assert printed == "1 1\n"
    assert sys.modules["depwatch"] is depwatch
