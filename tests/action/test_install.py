"""install(): who runs at a call of a function that has optimized code, and what becomes of that code."""

import functools
import gc
import inspect
import operator
import signal
import sys
import threading
import time
import types
import weakref
from array import array
from pathlib import Path

import pytest
from installing import OPTIMIZED, OWN, make, optimized, reading_x

import depwatch
from support import Counted, at_once, namespace, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

VERSION = sys.version_info[:2]
pytestmark = pytest.mark.usefixtures("few_objects")  # on 3.13+ install() looks at all of them


def other(a, b=5, *, c=6):
    return ("other", a, b, c)


@pytest.fixture
def handle(log):
    return reading_x(log)


# --- which code a call runs -------------------------------------------------------------------------------------------


def test_every_reference_runs_the_optimized_code(handle):
    function = make()
    bound, partial = types.MethodType(function, 1), functools.partial(function, 1)
    wrapped = functools.lru_cache(function)
    entry = depwatch.install(function, optimized, handle)
    assert function(1) == bound() == partial() == wrapped(1) == next(map(function, [1])) == OPTIMIZED
    assert (entry.installed, entry.active, entry.optimized, entry.function) == (True, True, optimized, function)
    assert repr(entry) == "<Entry of make.<locals>.function, active>"


def test_arguments_arrive_as_they_were_given_and_their_number_is_not_checked(handle):
    function = make()
    depwatch.install(function, optimized, handle)
    assert function(1, 2, c=3) == ("optimized", (1, 2), {"c": 3})
    assert function(a=1) == ("optimized", (), {"a": 1})
    assert function(*(1, 2), c=3) == ("optimized", (1, 2), {"c": 3})
    assert function() == ("optimized", (), {})
    assert function(1, 2, 3, nonsense=4) == ("optimized", (1, 2, 3), {"nonsense": 4})
    assert inspect.signature(function) == inspect.signature(make())


CALLABLES = {
    "a built-in": (max, 2),
    "a partial": (functools.partial(max, (0, 9)), (1, 2)),
    "a class": (list, [1, 2]),
    "a bound method": ((1, 2, (1, 2)).index, 2),
    "an object with __call__": (type("C", (), {"__call__": lambda self, x: x[0]})(), 1),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_any_callable_can_be_the_optimized_code(handle, name):
    code, result = CALLABLES[name]

    def function(x):
        return "own"

    depwatch.install(function, code, handle)
    assert function((1, 2)) == result


def test_methods_generators_and_coroutines_are_functions_too(handle):
    class C:
        def method(self):
            return "own"

        def generator(self):
            yield "own"

        async def coroutine(self):
            return "own"

    for name in ("method", "generator", "coroutine"):
        depwatch.install(vars(C)[name], lambda self: iter(["optimized"]), handle)
    assert [list(C().method()), list(C().generator()), list(C().coroutine())] == [["optimized"]] * 3


def test_copies_of_the_function_run_their_own_code(handle):
    function = make()

    @functools.wraps(function)
    def wrapper(*args):
        return "wrapper"

    depwatch.install(function, optimized, handle)
    copy = types.FunctionType(function.__code__, {}, "copy", function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    assert (copy(1), wrapper(1), make()(1), function(1)) == (OWN, "wrapper", OWN, OPTIMIZED)


def test_the_original_can_be_called_past_the_entry(handle):
    function = make()
    entry = depwatch.install(function, lambda a: entry.original(a, c=7), handle)
    assert function(1) == ("own", 1, 1, 7)
    assert entry.original(1) == entry.original(a=1) == OWN
    assert entry.original(0, 1, c=0) == ("own", 0, 1, 0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        entry.original()


def test_exceptions_pass_through(handle):
    def code(x):
        raise KeyError(x)

    function = make()
    depwatch.install(function, code, handle)
    with pytest.raises(KeyError, match="1") as caught:
        function(1)
    assert [entry.name for entry in caught.traceback] == [inspect.currentframe().f_code.co_name, "code"]
    assert function.__code__ is make().__code__


def test_optimized_code_that_calls_the_function_calls_itself(handle):
    def factorial(n):
        raise AssertionError

    def code(n):
        return 1 if n == 0 else n * factorial(n - 1)

    depwatch.install(factorial, code, handle)
    assert factorial(10) == 3628800


def test_optimized_code_that_only_calls_the_function_ends_in_a_recursion_error(handle):
    function = make()
    depwatch.install(function, functools.partial(function), handle)
    with pytest.raises(RecursionError):
        function(1)


def test_more_functions_than_have_a_way_of_their_own_each_run_their_own_code(handle):
    functions = [make() for _ in range(600)]
    entries = [depwatch.install(function, [i].count, handle) for i, function in enumerate(functions)]
    assert [function(i) for i, function in enumerate(functions)] == [1] * 600
    for entry in entries[::2]:
        entry.remove()
    del functions[300:], entries[300:]
    fresh = [make() for _ in range(600)]
    assert all(depwatch.install(function, ["fresh"].count, handle).active for function in fresh)
    assert [function("fresh") for function in fresh] == [1] * 600
    own_or_not = [("own", i, 1, 2) if i % 2 == 0 else 1 for i in range(300)]
    assert [function(i) for i, function in enumerate(functions)] == own_or_not


def test_a_builtin_function_that_only_calls_the_function_ends_in_a_recursion_error(handle):
    function = make()
    depwatch.install(function, operator.call, handle)
    with pytest.raises(RecursionError):
        function(*[function] * 1_000_000)


# --- the handle -------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_broken_assumption_takes_effect_before_any_drain_and_so_does_its_return(log, handle):
    function, seen = make(), []
    entry = depwatch.install(function, optimized, handle)
    store, append = handle.artifact.__setitem__, seen.append
    for value in (1, 2, 1, 3, 1):
        at_once((store, "X", value), (lambda: append((function(1), entry.active, entry.installed)),))
    runs, does_not = (OPTIMIZED, True, True), (OWN, False, True)
    assert seen == [runs, does_not, runs, does_not, runs]
    assert log.drained() == []


def test_another_thread_runs_the_functions_own_code_from_the_store_on(handle):
    function, results = make(), []
    depwatch.install(function, optimized, handle)
    stored, looked = threading.Event(), threading.Event()

    def other_thread():
        results.append(function(1))
        looked.set()
        stored.wait()
        results.append(function(1))

    thread = threading.Thread(target=other_thread)
    thread.start()
    looked.wait()
    handle.artifact["X"] = 2
    stored.set()
    thread.join()
    assert results == [OPTIMIZED, OWN]


def by_a_callee(change):
    return lambda: change()


def by_a_generator_that_was_suspended(change):
    def generator():
        yield
        change()
        yield

    running = generator()
    next(running)
    return lambda: next(running)


def by_another_thread(change):
    def run():
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()

    return run


def by_a_signal_handler(change):
    signal.signal(signal.SIGUSR1, lambda *_: change())
    return lambda: signal.raise_signal(signal.SIGUSR1)


def by_a_destructor(change):
    class Last:
        def __del__(self):
            change()

    kept = [Last()]
    return kept.clear


@pytest.mark.parametrize(
    "how", [by_a_callee, by_a_generator_that_was_suspended, by_another_thread, by_a_signal_handler, by_a_destructor]
)
def test_a_change_in_the_middle_of_the_optimized_code_counts_from_the_next_call_on(log, handle, how):
    function = make()

    def change():
        handle.artifact["X"] = 2

    deed = how(change)

    def code(a):
        if a == "deep":
            return "optimized to its end"
        before = function("deep")
        deed()
        return before, function("deep")[0], "optimized to its end"

    before = signal.getsignal(signal.SIGUSR1)
    try:
        depwatch.install(function, code, handle)
        assert function(1) == ("optimized to its end", "own", "optimized to its end")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert function(1) == OWN
    assert log.drained() == [("invalidated", "code")]


def test_a_retired_handle_runs_nothing_any_more_and_the_drain_removes_its_entry(log, handle):
    function = make()

    def code(a):
        return "optimized"

    entry, alive = depwatch.install(function, code, handle), weakref.ref(code)
    del code
    assert handle.retire("tired of it")
    assert function(1) == OWN
    assert log.drained() == [("retired", "code")]
    assert (entry.installed, entry.active, entry.optimized, alive()) == (False, False, None, None)
    assert function(1) == OWN


def test_releasing_the_handle_removes_the_entry_before_its_byte_is_anothers(log, handle):
    function = make()
    entry = depwatch.install(function, optimized, handle)
    handle.release()
    assert (function(1), entry.installed, log.drained()) == (OWN, False, [])
    again = [depwatch.Recorder("again").commit() for _ in range(3)]
    assert all(each.valid for each in again)
    assert function(1) == OWN


def test_one_handle_serves_many_functions(log, handle):
    functions = [make() for _ in range(100)]
    entries = [depwatch.install(function, optimized, handle) for function in functions]
    assert all(f(1) == OPTIMIZED for f in functions)
    handle.artifact["X"] = 2
    assert all(f(1) == OWN for f in functions)
    assert log.drained() == [("invalidated", "code")]
    handle.artifact["X"] = 1
    assert entries[50].remove()
    assert [f(1) for f in functions].count(OPTIMIZED) == 99
    assert log.drained() == [("resumed", "code")]
    handle.retire("enough")
    assert log.drained() == [("retired", "code")]
    assert not any(entry.installed for entry in entries)


def test_a_handle_of_many_serves_as_any_other(log):
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("many")
    recorder.read_global(globals_, "X")
    handles = recorder.commit_many(array("Q", [0, 1, 2]), array("I", [0, 0]))
    functions = [make(), make()]
    entries = [depwatch.install(*each) for each in zip(functions, [optimized] * 2, handles, strict=True)]
    assert [f(1) for f in functions] == [OPTIMIZED] * 2
    handles[0].retire("one of them")
    depwatch.drain()
    assert [entry.installed for entry in entries] == [False, True]
    handles.release()
    assert [f(1) for f in functions] == [OWN] * 2


# --- the function changes ---------------------------------------------------------------------------------------------

CHANGES = {
    "__code__": (other.__code__, ("other", 1, 1, 2)),
    "__defaults__": ((7,), ("own", 1, 7, 2)),
    "__kwdefaults__": ({"c": 7}, ("own", 1, 1, 7)),
}


@pytest.mark.parametrize("attribute", CHANGES)
@without_automatic_drain
def test_a_changed_function_runs_its_own_code_until_the_change_is_undone(log, handle, attribute):
    function = make()
    value, result = CHANGES[attribute]
    before = getattr(function, attribute)
    entry = depwatch.install(function, optimized, handle)
    setattr(function, attribute, before)  # no change
    assert function(1) == OPTIMIZED
    setattr(function, attribute, value)
    assert (function(1), entry.active, entry.installed) == (result, False, True)
    setattr(function, attribute, before)
    depwatch.drain()  # another dict of keyword defaults has to be looked at
    assert (function(1), entry.active) == (OPTIMIZED, True)
    assert (handle.valid, log.drained()) == (True, [])


def test_a_dict_of_keyword_defaults_that_changes_in_place_ends_the_entry(log, handle):
    function = make()
    entry = depwatch.install(function, optimized, handle)
    function.__kwdefaults__["c"] = 3
    assert function(1) == ("own", 1, 1, 3)
    depwatch.drain()
    assert not entry.installed
    function.__kwdefaults__["c"] = 2
    assert function(1) == OWN
    assert (handle.valid, log.drained()) == (True, [])


def test_keyword_defaults_that_come_to_be_are_a_change(handle):
    def function(a, *, c):
        return ("own", a, c)

    depwatch.install(function, optimized, handle)
    function.__kwdefaults__ = {"c": 5}
    assert function(1) == ("own", 1, 5)


@without_automatic_drain
def test_a_change_of_the_function_allocates_nothing(counting, handle):
    function = make()
    old = function.__defaults__
    depwatch.install(function, optimized, handle)
    counting.set_defaults(function, ((2,), old))
    assert counting.set_defaults(function, ((3,),))[0] == 0
    assert function(1) == ("own", 1, 3, 2)


# --- the end of an entry ----------------------------------------------------------------------------------------------


def test_remove_gives_the_function_back_to_the_interpreter_once(log, handle):
    function = make()
    with Counted() as counted:
        entry = depwatch.install(function, optimized, handle)
        assert entry.remove()
        depwatch.drain()
        assert counted("handles", "dependencies", "breaks") == {"handles": 0, "dependencies": 0, "breaks": 0}
    assert (function(1), entry.remove(), entry.installed, entry.active) == (OWN, False, False, False)
    assert repr(entry) == "<Entry of make.<locals>.function, removed>"
    assert (handle.valid, log.drained()) == (True, [])


def test_an_entry_that_nobody_keeps_stays(handle):
    function = make()
    depwatch.install(function, lambda a: "optimized", handle)
    gc.collect()
    assert function(1) == "optimized"


def test_the_optimized_code_lives_as_long_as_a_call_is_in_it(handle):
    function, log = make(), []

    def code(a):
        assert entry.remove()
        log.append((entry.optimized, function(a)))
        return "optimized"

    alive = weakref.ref(code)
    entry = depwatch.install(function, code, handle)
    del code
    log.append(function(1))
    assert log == [(None, OWN), "optimized"]
    assert alive() is None


def test_no_entry_is_added_to_a_handle_that_is_being_released(handle):
    first, second, log = make(), make(), []

    class Code:
        def __call__(self, a):
            return "optimized"

        def __del__(self):
            try:
                depwatch.install(second, optimized, handle)
            except depwatch.Released:
                log.append("released")

    depwatch.install(first, Code(), handle)
    handle.release()
    assert (log, first(1), second(1)) == (["released"], OWN, OWN)


def test_threads_that_install_and_release_at_the_same_time_leave_nothing_installed(log):
    functions, failed, start = [make() for _ in range(3)], [], threading.Barrier(4)
    held, seen = [0] * 3, []

    def work():
        start.wait()
        sys.setprofile(lambda *_: time.sleep(0))  # another thread goes on at each call and return
        for i in range(40):
            handle = depwatch.Recorder("of a thread").commit()
            try:
                depwatch.install(functions[i % 3], optimized, handle)
                held[i % 3] += 1
                seen.append((held[i % 3], functions[i % 3](1)))
                held[i % 3] -= 1
            except ValueError:  # another thread's is there
                pass
            except BaseException as error:
                failed.append(error)
            handle.release()
        sys.setprofile(None)  # or code would be instrumented until the process ends

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert (failed, [function(1) for function in functions]) == ([], [OWN] * 3)
    assert seen == [(1, OPTIMIZED)] * len(seen)  # no two of them at a time


def test_releasing_the_handle_inside_the_optimized_code_is_no_harm(handle):
    function = make()

    def code(a):
        handle.release()
        depwatch.drain()
        return ("optimized", function(a))

    depwatch.install(function, code, handle)
    assert (function(1), function(1)) == (("optimized", OWN), OWN)


def test_an_entry_does_not_keep_its_function(log, handle):
    function = make()
    entry, alive = depwatch.install(function, optimized, handle), weakref.ref(function)
    assert entry.function is function
    del function
    gc.collect()
    assert (alive(), entry.function, entry.installed, entry.active) == (None, None, False, False)
    with pytest.raises(ReferenceError, match=r"make\.<locals>\.function is dead"):
        entry.original(1)
    depwatch.drain()
    assert (entry.optimized, handle.valid, log.drained()) == (None, True, [])


@without_automatic_drain
def test_functions_at_the_address_of_dead_ones_run_their_own_code(handle):
    entries, addresses, again = [], set(), 0
    for _ in range(200):
        function = make()
        again += id(function) in addresses
        addresses.add(id(function))
        assert function(1) == OWN
        entries.append(depwatch.install(function, optimized, handle))
        assert function(1) == OPTIMIZED
        del function
    assert again > 0
    assert not any(entry.installed for entry in entries)


def test_a_function_that_dies_in_its_optimized_code_is_no_harm(handle):
    functions = [make()]

    def code(a):
        functions.clear()
        gc.collect()
        depwatch.drain()
        return "optimized"

    depwatch.install(functions[0], code, handle)
    assert functions[0](1) == "optimized"
    depwatch.drain()


def test_the_end_of_the_process_lets_go_of_the_optimized_code():
    assert python(PROGRAMS / "code_at_the_end.py") == "optimized\ngone\nown\n"


def test_invalidating_all_that_relies_on_the_function_ends_its_entry(log, handle):
    function = make()
    entry = depwatch.install(function, optimized, handle)
    depwatch.invalidate([function], "asked to")
    assert function(1) == OWN
    depwatch.drain()
    assert (entry.installed, handle.valid, log.drained()) == (False, True, [])


def test_an_entry_can_be_removed_and_installed_again(handle):
    function = make()
    for _ in range(50):
        entry = depwatch.install(function, optimized, handle)
        assert function(1) == OPTIMIZED
        assert entry.remove()
        assert function(1) == OWN
