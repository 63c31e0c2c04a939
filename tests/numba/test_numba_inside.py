"""A change while compiled code is running, whoever makes it: a cell is right inside the running call, what is built in
is right in the next one, and code stays as long as somebody is in it."""

import gc
import signal
import threading
import time
import weakref

import pytest
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba_programs import Program

import depwatch
import depwatch.integrations.numba as watched
from depwatch.integrations.numba import Changed

pytestmark = pytest.mark.usefixtures("few_objects")  # they collect garbage often
CALLER = """
from numba import objmode

X, FLAG, KIND = 1, True, "a"
events = []

def happen(i):
    if i == 5:
        change()
    events.append(i)

@njit
def f(n):
    total = 0
    for i in range(n):
        with objmode():
            happen(i)
        if FLAG:
            total += X
        else:
            total += 1000
    return total * 10 + len(KIND)
"""


def in_python(program, n, change):
    """What plain Python gives, where KIND alone stays what it was when the call began."""
    x, flag, kind = program.X, program.FLAG, program.KIND
    total = 0
    for i in range(n):
        if i == 5:
            x, flag = change.get("X", x), change.get("FLAG", flag)
        total += x if flag else 1000
    return total * 10 + len(kind)


@pytest.mark.parametrize("change", [{"X": 100}, {"FLAG": False}, {"X": -1, "FLAG": False}, {"KIND": "bbb"}], ids=str)
def test_a_change_by_a_callee_of_the_running_code(change):
    program = Program(CALLER)
    program.change = lambda: vars(program).update(change)
    expected = in_python(program, 10, change)
    assert program.f(10) == expected
    assert program.events == list(range(10))
    program.change = lambda: None
    assert program.f(10) == in_python(program, 10, {})  # the next call is right in all of it
    assert program.stats("f")[0][0] == 1 + ("KIND" in change)


def test_a_change_by_del_of_something_that_dies_inside_the_running_code():
    class Dies:
        def __del__(self):
            program.X = 100

    program = Program(CALLER)
    held = [Dies()]
    program.change = held.clear
    assert program.f(10) == (5 * 1 + 5 * 100) * 10 + 1
    assert program.stats("f") == [(1, 0, 0)]


def test_a_change_by_a_signal_handler(monkeypatch):
    program = Program(CALLER)
    before = signal.signal(signal.SIGUSR1, lambda *_: vars(program).update(X=100))
    try:
        program.change = lambda: signal.raise_signal(signal.SIGUSR1)
        assert program.f(10) == (5 * 1 + 5 * 100) * 10 + 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert program.stats("f") == [(1, 0, 0)]


def test_a_change_by_another_thread_while_the_code_runs_without_the_gil():
    program = Program(
        """
        STOP, X = False, 1

        @njit(nogil=True)
        def wait(limit):
            for i in range(limit):
                if STOP:
                    return X
            return -1
        """
    )
    program.STOP = True
    assert program.wait(1) == 1
    program.STOP = False
    results = []
    thread = threading.Thread(target=lambda: results.append(program.wait(10**12)))
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    program.X = 7
    program.STOP = True
    thread.join(30)
    assert results == [7]
    assert program.stats("wait") == [(1, 0, 0)]


def test_a_change_of_the_type_while_the_code_is_running_drops_its_result():
    program = Program(CALLER)
    program.change = lambda: vars(program).update(X="text")
    with pytest.raises(Changed, match=r"while f was running.*'X', which is not of type int of 64 bits any more"):
        program.f(10)
    program.X = 3
    program.change = lambda: None
    assert program.f(10) == 301
    program.change = lambda: vars(program).update(FLAG=None)
    with pytest.raises(Changed, match="'FLAG', which is not of type bool"):
        program.f(10)
    program.FLAG = True
    program.change = lambda: None
    assert program.f(10) == 301
    assert program.stats("f") == [(1, 0, 0)]


def test_a_suspended_generator_loads_from_cells_and_keeps_what_is_built_in():
    program = Program(
        """
        X, KIND = 1, "a"
        @njit(keep=1)
        def counting():
            while True:
                yield X * 100 + len(KIND)
        """
    )
    first = program.counting()
    library = weakref.ref(program.counting.overloads[()].library)
    assert next(first) == 101
    program.X = 2
    assert next(first) == 201
    for program.KIND in ("aa", "aaa", "aaaa", "aaaaa"):
        assert next(program.counting()) == 200 + len(program.KIND)
    gc.collect()
    assert library() is not None
    assert next(first) == 201  # begun as "a", and its code is still there
    first = None
    assert watched.stats(program.counting).compiled == 5


@pytest.mark.slow
def test_code_that_is_dropped_while_it_runs_stays_until_it_is_done():
    program = Program(
        """
        from numba import objmode
        KIND = "a"
        def happen(depth): pass
        @njit(keep=1)
        def f(depth):
            with objmode():
                happen(depth)
            return len(KIND)
        """
    )

    def happen(depth):
        seen.append(program.KIND)
        libraries.extend(weakref.ref(result.library) for result in program.f.overloads.values())
        if depth:
            program.KIND += "a"
            results.append(program.f(depth - 1))
        gc.collect()
        kept.append(libraries[0]() is not None)

    results, seen, libraries, kept = [], [], [], []
    program.happen = happen
    assert program.f(6) == 1
    assert results == [7, 6, 5, 4, 3, 2]
    assert seen == ["a" * i for i in range(1, 8)]
    assert kept == [True] * 7
    assert watched.stats(program.f) == (7, 0, 0, 1)
    program.KIND += "a"
    assert program.f(0) == 8  # what was dropped, and is not running any more, goes when the next is dropped
    gc.collect()
    assert libraries[0]() is None


@pytest.mark.slow
def test_code_that_others_have_replaced_long_ago_stays_until_it_is_done():
    program = Program(
        """
        from numba import objmode
        KIND = "a"
        @njit(keep=1)
        def f(first):
            with objmode():
                happen(first)
            return len(KIND)
        """
    )

    def happen(first):
        if not first:
            return
        library = weakref.ref(program.f.overloads[program.f.signatures[0]].library)
        for program.KIND in ("aa", "aaa", "aaaa", "aaaaa"):
            assert program.f(False) == len(program.KIND)
        gc.collect()
        libraries.append(library)
        assert library() is not None

    libraries = []
    program.happen = happen
    assert program.f(False) == 1  # numba itself holds what it calls straight after compiling it
    assert program.f(True) == 1
    for program.KIND in ("b", "bb", "bbb"):
        assert program.f(False) == len(program.KIND)
    gc.collect()
    assert libraries[0]() is None


@pytest.mark.slow
def test_threads_that_call_while_another_one_changes_get_what_was_so_during_the_call():
    program = Program(
        """
        KIND, X = "a", 1
        @njit
        def inner(): return len(KIND)
        @njit
        def f(x): return inner() * 10 + x
        """
    )
    assert program.f(1) == 11
    kinds = ["a" * n for n in range(1, 5)]
    wrong, calls, stop = [], [], threading.Event()

    def call():
        while not stop.is_set():
            before = changes[0]
            got = program.f(1)
            if changes[0] == before and got != len(program.KIND) * 10 + 1 and changes[0] == before:
                wrong.append((got, program.KIND))
            calls.append(got)

    changes = [0]
    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(150):
        changes[0] += 1
        program.KIND = kinds[i % 4]
        changes[0] += 1
        time.sleep(0.001)
        assert program.f(1) == len(program.KIND) * 10 + 1
    stop.set()
    for thread in threads:
        thread.join()
    assert (wrong, set(calls)) == ([], {11, 21, 31, 41})
    assert watched.stats(program.f).compiled <= 5


def test_a_change_while_it_is_compiled_is_compiled_for_and_what_was_compiled_is_kept():
    class ChangesOnce(CompilerBase):
        def define_pipelines(self):
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

        def compile_extra(self, function):
            result = super().compile_extra(function)
            vars(program).update(changes.pop() if changes else {})
            return result

    program = Program('KIND = "a"\n@njit(pipeline_class=C)\ndef f(x): return x + len(KIND)', C=ChangesOnce)
    changes = [{"KIND": "aaa"}]
    first = program.KIND
    assert program.f(1) == 4
    program.KIND = first
    assert program.f(1) == 2
    assert program.stats("f") == [(2, 1, 0)]  # the first attempt was for "a", and came too late to be used then


@pytest.mark.parametrize("happens, expected", [("KIND = 'aaa'", 4), ("COUNT += 1", 2)])
def test_a_chooser_that_changes_what_it_reads(happens, expected):
    program = Program(
        f"""
        from numba.extending import overload
        KIND, COUNT = "a", 0
        def target(x): pass
        @overload(target)
        def body(x):
            global KIND, COUNT
            n = len(KIND)
            {happens}
            return lambda x: x + n
        @njit
        def f(x): return target(x)
        """
    )
    assert program.f(1) == program.f(1) == expected


def test_a_change_at_every_attempt_to_compile_raises_in_the_end():
    class Changes(CompilerBase):
        def define_pipelines(self):
            if program.CHANGING:
                program.KIND += "a"
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

    class ChangesLater(Changes):
        def compile_extra(self, function):
            result = super().compile_extra(function)
            program.KIND += "a" * program.CHANGING
            return result

    program = Program('CHANGING, KIND = True, "a"\n@njit(pipeline_class=C)\ndef f(): return len(KIND)', C=ChangesLater)
    with pytest.raises(depwatch.Stale, match="f: what it reads changed 8 times while it was compiled"):
        program.f()
    program.CHANGING = False
    assert program.f() == len(program.KIND) == 17
