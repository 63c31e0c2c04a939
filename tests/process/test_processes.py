"""Processes that fork, and those of multiprocessing: children read, commit and break; the parent does not notice."""

import os
import subprocess
import sys
import threading
import warnings

import pytest

import depwatch
from host.versions import HOST
from support import ROOT, freeze, namespace, python


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


def in_child(work):
    """Run work() in a forked child; what it returned must be true."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_broken_or_half_recorded_when_a_process_forks_goes_on_in_both(log):
    globals_ = namespace(X=1, Y=1, Z=1)
    handle = log.commit(freeze(globals_, "X", "Y"))
    recorder = freeze(globals_, "Z", name="open")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "Y")
    globals_["X"] = 2

    def work():
        globals_["Y"] = 2
        both = handle.broken == 2 and cell.value == 2 and not guard.holds
        globals_["X"] = globals_["Y"] = 1
        healed = handle.valid and cell.value == 1 and guard.holds
        child = log.commit(recorder)
        globals_["Z"] = 2
        return both and healed and child.broken == 1 and "Z" in depwatch.explain(child)

    in_child(work)
    assert (handle.broken, cell.value, guard.holds) == (1, 2, True)
    globals_["X"] = 1
    assert handle.valid
    assert log.commit(recorder).valid
    assert set(log.drained()) <= {("invalidated", "frozen"), ("resumed", "frozen")}


def test_a_child_of_a_child_and_a_fork_in_a_thread_or_in_a_listener_watch_on(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))

    def changes():
        globals_["X"] = 2
        broken = handle.broken
        globals_["X"] = 1
        return broken == 1 and handle.valid and freeze(globals_, "X").commit().valid

    def grandchild():
        in_child(changes)
        return changes()

    in_child(grandchild)
    errors = []

    def in_thread():
        try:
            in_child(grandchild)
        except BaseException as error:
            errors.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    forked = []

    def listener(event):
        subscription.cancel()  # or the child, which makes changes too, would come here and fork, and so on
        in_child(grandchild)
        forked.append(event.new)

    subscription = depwatch.subscribe(listener, globals_, "X")
    globals_["X"] = 3
    depwatch.drain()
    assert (errors, forked, handle.broken) == ([], [3], 1)


def test_a_child_of_a_thread_breaks_at_once_and_is_told_at_the_next_drain():
    """By itself only where CPython runs pending calls there: the child's main thread is the one that forked."""
    printed = python("""
        import ctypes, os, threading, warnings
        import depwatch
        namespace = {"X": 1}
        recorder = depwatch.Recorder("r")
        recorder.read_global(namespace, "X")
        told, of_cpython = [], []
        handle = recorder.commit(on_invalidate=lambda handle: told.append(os.getpid()))
        pending = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda unused: of_cpython.append(1) or 0)

        def fork():
            child = os.fork()
            if child == 0:
                ctypes.pythonapi.Py_AddPendingCall(pending, None)
                namespace["X"] = 2
                broken = handle.broken
                for _ in range(1000):
                    len(told)
                by_itself = len(told)
                depwatch.drain()
                print(len(of_cpython), by_itself, broken, told == [os.getpid()], flush=True)
                os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), handle.valid)

        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        """)
    by_itself = int(HOST.pending_calls_after_fork_in_thread)
    assert printed == f"{by_itself} {by_itself} 1 True\n0 True\n"


# --- multiprocessing -------------------------------------------------------------------------------------------------

# A module, as children that are not forked import it. RATE is what is watched, in the parent and in each child.
WORKERS = """
import os
import subprocess
import sys
import threading
import warnings

import pytest
import depwatch

RATE = 1
TOLD = []


def price(x):
    return x * RATE


def compiled():
    recorder = depwatch.Recorder("price", 60000)
    recorder.read_global(price, "RATE")
    return recorder.commit(on_invalidate=TOLD.append)


def work(number):
    # Reads, commits and breaks, each process its own; True if all is right.
    global RATE
    RATE = 1
    own = compiled()
    good = own.valid
    RATE = number + 2
    good = good and own.broken == 1
    depwatch.drain()
    good = good and own in TOLD and price(1) == number + 2
    RATE = 1
    good = good and own.valid
    own.release()
    depwatch.drain()
    return good, os.getpid()


def put(queue, number):
    queue.put(work(number))


def die(number):
    work(number)
    raise SystemExit(number)
"""
MULTIPROCESSING = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
import workers

def use():
    context = multiprocessing.get_context(METHOD)
    handle = workers.compiled()
    queue = context.SimpleQueue()
    processes = [context.Process(target=workers.put, args=(queue, 3))]
    for process in processes:
        process.start()
    answers = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    dying = context.Process(target=workers.die, args=(7,))
    dying.start()
    dying.join()
    if sys.argv[2] == "main":
        with context.Pool(2) as pool:
            answers += pool.map(workers.work, range(6))
    else:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            answers += pool.map(workers.work, range(4))
    assert [process.exitcode for process in (*processes, dying)] == [0, 7]
    assert all(good for good, _ in answers), answers
    assert os.getpid() not in {process for _, process in answers}
    assert handle.valid and workers.TOLD == []
    workers.RATE = 5
    assert handle.broken == 1
    depwatch = sys.modules["depwatch"]
    depwatch.drain()
    assert workers.TOLD == [handle]

if __name__ == "__main__":
    import threading, warnings
    METHOD = sys.argv[1]
    if sys.argv[2] == "thread":
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    else:
        use()
    print("used")
"""


@pytest.mark.parametrize(
    ("method", "where"), [("fork", "main"), ("fork", "thread"), ("forkserver", "main"), ("spawn", "thread")]
)
def test_processes_and_pools_compile_commit_and_break_for_themselves(tmp_path, method, where):
    (tmp_path / "workers.py").write_text(WORKERS)
    (tmp_path / "program.py").write_text(MULTIPROCESSING)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(tmp_path / "program.py"), method, where],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", "")
