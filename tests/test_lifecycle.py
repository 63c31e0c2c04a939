"""set_lifecycle_callback: every function of the process that is created, modified or destroyed."""

import copy
import functools
import gc
import itertools
import os
import sys
import threading
import types
import weakref

import pytest

import depwatch
from depwatch import DestroyedFunction, FunctionAttribute, FunctionEvent
from support import Counted, at_once, namespace, python, without_automatic_drain

NUMBERS = itertools.count()


class Life(list):
    """What was told of the functions of one test: (event, qualified name), and of MODIFIED (attribute, new value) too.

    The file of their code tells them from all others: pytest makes some, and lets go of what earlier tests had made.
    """

    def __init__(self, file=None):
        self.file = file or f"<life {next(NUMBERS)}>"

    def is_own(self, function):
        code = function.code if type(function) is DestroyedFunction else function.__code__
        return code.co_filename == self.file

    def hear(self, event, function, attribute, new_value):
        if not self.is_own(function):
            return
        if event is FunctionEvent.MODIFIED:
            self.append((event.name, function.__qualname__, attribute.name, new_value))
            return
        assert (attribute, new_value) == (FunctionAttribute.NOT_APPLICABLE, None)
        self.append((event.name, function.qualname if type(function) is DestroyedFunction else function.__qualname__))

    def whole(self, event, function, attribute, new_value):
        if self.is_own(function):
            self.append((event, function, attribute, new_value))

    def told(self):
        """Everything up to now, with what drains cause: functions that only the queue kept."""
        while depwatch.drain():
            pass
        entries = list(self)
        self.clear()
        return entries

    def module(self, source, **names):
        """A namespace in which source has run. The function that exec() makes for the source itself is told too."""
        exec(compile(source, self.file, "exec"), names)
        return names

    def pop(self, source):
        """The functions that source defines, in no namespace any more."""
        names = self.module(source)
        return [names.pop(name) for name in list(names) if name != "__builtins__"]


@pytest.fixture
def life():
    yield Life()
    depwatch.set_lifecycle_callback(None)
    depwatch.drain()


TWO = "def f(a, b=1, *, x=2): pass\ndef other(): pass"
MAKE = "def make(): return lambda: 0"
MADE = "make.<locals>.<lambda>"


def code_of_made(make):
    (code,) = (each for each in make.__code__.co_consts if type(each) is types.CodeType)
    return code


def created(*names):
    return [("CREATED", name) for name in names]


def destroyed(*names):
    return [("DESTROYED", name) for name in names]


# --- which functions -------------------------------------------------------------------------------------------------

# What is run, who is created, who of these dies without anybody's doing. <module> is the function of exec() itself.
CREATES = [
    ("def f(): pass", ["f"], []),
    ("f = lambda: 0", ["<lambda>"], []),
    ("lambda: 0", ["<lambda>"], ["<lambda>"]),
    ("def f(): pass\ndel f", ["f"], ["f"]),
    ("def f(): pass\ndef f(): pass", ["f", "f"], ["f"]),
    ("def make():\n x = 1\n return lambda: x\nf = make()", ["make", MADE], []),
    ("x = list(i for i in (1, 2))", ["<genexpr>"], ["<genexpr>"]),
    ("x = [i for i in (1, 2)]", [], []),
    ("x = [lambda: i for i in (1, 2)]", ["<lambda>", "<lambda>"], []),
    ("class Q: z = 1", ["Q"], ["Q"]),
    ("class Q:\n def k(self): pass", ["Q", "Q.k"], ["Q"]),
    ("def k[T](): pass", ["<generic parameters of k>", "k"], ["<generic parameters of k>"]),
    ("def deco(f): return f\n@deco\n@deco\ndef k(): pass", ["deco", "k"], []),
    ("def deco(f): return lambda: f\n@deco\ndef k(): pass", ["deco", "k", "deco.<locals>.<lambda>"], []),
    ("def deco(f): return None\n@deco\ndef k(): pass", ["deco", "k"], ["k"]),
    ("exec(compile('def inner(): pass', file, 'exec'))", ["<module>", "inner"], ["<module>"]),
    ("def f(): pass\ng = type(f)(f.__code__, {}, 'other')", ["f", "f"], []),
    ("def f(): pass\nx = [copy.copy(f), functools.partial(f), f.__get__(1)]", ["f"], []),
    ("pass", [], []),
]


@without_automatic_drain
@pytest.mark.parametrize(("source", "born", "dead"), CREATES, ids=[row[0] for row in CREATES])
def test_every_function_that_is_created_is_told_and_each_that_dies(life, source, born, dead):
    depwatch.set_lifecycle_callback(life.hear)
    names = life.module(source, file=life.file, copy=copy, functools=functools)
    depwatch.drain()
    assert life == created("<module>", *born)
    life.clear()
    assert sorted(life.told()) == sorted(destroyed("<module>", *dead))
    depwatch.set_lifecycle_callback(None)
    assert names


@without_automatic_drain
def test_a_created_function_is_told_whole_with_the_defaults_that_it_got_after_its_event(life):
    names = life.module("def make():\n def f(a, b=1, *, x=2): return b\n return f")
    depwatch.set_lifecycle_callback(life.whole)
    f = names["make"]()
    ((event, function, attribute, new_value),) = life.told()
    assert (event, attribute, new_value) == (FunctionEvent.CREATED, FunctionAttribute.NOT_APPLICABLE, None)
    assert function is f
    assert (function.__defaults__, function.__kwdefaults__, function(0)) == ((1,), {"x": 2}, 1)


@without_automatic_drain
def test_functions_that_were_there_before_are_told_when_they_change_or_die(life):
    f, other = life.pop(TWO)
    depwatch.set_lifecycle_callback(life.hear)
    f.__defaults__ = (7,)
    del f, other
    # f last: the queue had kept it
    assert life.told() == [("MODIFIED", "f", "DEFAULTS", (7,)), *destroyed("other", "f")]


# --- modified --------------------------------------------------------------------------------------------------------

ABSENT = object()
# attribute, what is assigned to it, or ABSENT: it is deleted
ASSIGNMENTS = [
    ("__code__", lambda f: f.__code__.replace(co_name="new")),
    ("__code__", lambda f: f.__code__),
    ("__defaults__", lambda f: (5,)),
    ("__defaults__", lambda f: f.__defaults__),
    ("__defaults__", lambda f: None),
    ("__defaults__", lambda f: ABSENT),
    ("__kwdefaults__", lambda f: {"x": 5}),
    ("__kwdefaults__", lambda f: f.__kwdefaults__),
    ("__kwdefaults__", lambda f: None),
    ("__kwdefaults__", lambda f: ABSENT),
]


@without_automatic_drain
@pytest.mark.parametrize(("attribute", "value_for"), ASSIGNMENTS)
def test_every_assignment_is_told_with_the_new_value_also_of_the_same_object(life, attribute, value_for):
    f, _ = life.pop(TWO)
    value = value_for(f)
    depwatch.set_lifecycle_callback(life.whole)
    if value is ABSENT:
        delattr(f, attribute)
    else:
        setattr(f, attribute, value)
    ((event, function, told, new_value),) = life.told()
    assert (event, told) == (FunctionEvent.MODIFIED, FunctionAttribute[attribute.strip("_").upper()])
    assert function is f
    assert new_value is (None if value is ABSENT else value)
    assert new_value is getattr(f, attribute)


SILENT = [
    "f.__kwdefaults__['x'] = 7",
    "f.__name__ = 'n'",
    "f.__qualname__ = 'q'",  # CPython 3.15 sends an event for it, which the proposal does not have
    "functools.wraps(other)(f)",
    "f.__module__ = 'm'",
    "f.__doc__ = 'd'",
    "f.__annotations__ = {'a': int}",
    "f.__dict__ = {'a': 1}",
    "f.__type_params__ = ()",
    "f.attribute = 1",
    "f.__get__(1), f(1)",
]


@without_automatic_drain
@pytest.mark.parametrize("change", SILENT)
def test_what_the_proposal_does_not_list_is_not_told(life, change):
    names = life.module(TWO, functools=functools)
    run = compile(change, "<not the test's own>", "exec")
    depwatch.set_lifecycle_callback(life.hear)
    exec(run, names)
    assert life.told() == []


def test_globals_and_closure_are_in_the_proposal_and_cannot_be_modified(life):
    f, _ = life.pop(TWO)
    depwatch.set_lifecycle_callback(life.hear)
    for name in ("GLOBALS", "CLOSURE"):
        assert FunctionAttribute[name].name == name
        with pytest.raises(AttributeError, match="readonly"):
            setattr(f, f"__{name.lower()}__", {})
    assert life.told() == []


def test_the_names_are_those_of_the_proposal():
    assert [event.name for event in FunctionEvent] == ["CREATED", "MODIFIED", "DESTROYED"]
    attributes = ["CODE", "GLOBALS", "DEFAULTS", "KWDEFAULTS", "CLOSURE", "NOT_APPLICABLE"]
    assert [attribute.name for attribute in FunctionAttribute] == attributes
    assert len({int(attribute) for attribute in FunctionAttribute}) == len(attributes)
    assert all(depwatch.Change[event.name] == event for event in FunctionEvent)


# --- destroyed -------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_of_a_dead_function_its_id_its_qualified_name_and_its_code_are_told(life):
    names = life.module("class Q:\n def f(self): pass")
    f = names["Q"].f
    del names["Q"].f
    f.__qualname__ = "renamed"
    code, address = f.__code__, id(f)
    depwatch.set_lifecycle_callback(life.whole)
    del f
    dead = DestroyedFunction(address, "renamed", code)
    assert life.told() == [(FunctionEvent.DESTROYED, dead, FunctionAttribute.NOT_APPLICABLE, None)]
    assert [type(each) for each in dead] == [int, str, types.CodeType]
    with pytest.raises(AttributeError):
        dead.id = 1


@without_automatic_drain
def test_a_dying_function_stays_dead_and_its_weak_references_die_at_once(life):
    f, _ = life.pop(TWO)
    called = []
    references = [weakref.ref(f), weakref.ref(f, called.append)]
    finalizer = weakref.finalize(f, called.append, "finalized")
    depwatch.set_lifecycle_callback(life.hear)
    del f
    assert [reference() for reference in references] == [None, None]
    assert called == ["finalized", references[1]]
    assert not finalizer.alive
    assert life == []
    assert life.told() == destroyed("f")
    assert references[0]() is None


@without_automatic_drain
def test_functions_in_a_cycle_die_when_they_are_collected_and_their_code_says_who_they_were(life):
    f, other = life.pop(TWO)
    f.me, other.kept = f, [other]
    expected = {(id(f), f.__code__), (id(other), other.__code__)}
    reference = weakref.ref(f)
    depwatch.set_lifecycle_callback(life.whole)
    del f, other
    assert life.told() == []
    gc.collect()
    assert reference() is None
    told = life.told()
    assert {event for event, *_ in told} == {FunctionEvent.DESTROYED}
    assert len(told) == 2
    assert {(function.id, function.code) for _, function, *_ in told} == expected
    # CPython has taken the name first; it may do otherwise.
    assert {function.qualname for _, function, *_ in told} <= {"", "f", "other"}


@without_automatic_drain
def test_a_name_of_a_type_of_the_program_dies_with_its_function(life):
    class Name(str):
        def __del__(self):
            deaths.append(str(self))

    deaths = []
    f, _ = life.pop(TWO)
    f.__qualname__ = Name("renamed")
    depwatch.set_lifecycle_callback(life.hear)
    del f
    assert deaths == ["renamed"]
    assert life.told() == destroyed("")


@without_automatic_drain
def test_a_function_that_only_the_queue_keeps_is_destroyed_at_the_drain_and_told_once_by_the_next(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    for _ in range(3):
        make()
    assert depwatch.drain() == 3
    assert life == created(MADE) * 3
    assert depwatch.drain() == 3
    assert life[3:] == destroyed(MADE) * 3
    assert depwatch.drain() == 0


@without_automatic_drain
def test_a_code_object_that_dies_with_its_function_is_kept_until_it_is_told(life):
    f, _ = life.pop(TWO)
    reference = weakref.ref(f.__code__)
    depwatch.set_lifecycle_callback(life.hear)
    del f
    assert reference() is not None
    assert life.told() == destroyed("f")
    assert reference() is None


# --- order -----------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_events_of_functions_and_of_everything_else_are_told_in_one_order(life):
    f, make = life.pop("def f(): pass\n" + MAKE)
    globals_ = namespace(X=0)
    subscriptions = [
        depwatch.subscribe(lambda event: life.append(("X", event.new)), globals_, "X"),
        depwatch.subscribe(lambda event: life.append(("listener", event.new)), f, "defaults"),
        depwatch.subscribe_created(lambda event: life.append(("made", event.new)), code_of_made(make)),
    ]
    recorder = depwatch.Recorder("r")
    recorder.read_function(f, "defaults")
    handle = recorder.commit(on_invalidate=lambda handle: life.append("invalidated"))
    depwatch.set_lifecycle_callback(life.hear)
    globals_["X"] = 1
    made = make()
    globals_["X"] = 2
    f.__defaults__ = (1,)
    globals_["X"] = 3
    assert life.told() == [
        ("X", 1),
        ("CREATED", MADE),
        ("made", made),
        ("X", 2),
        ("MODIFIED", "f", "DEFAULTS", (1,)),
        ("listener", (1,)),
        ("X", 3),
        "invalidated",
    ]
    f.__defaults__ = None
    assert handle.valid
    for subscription in subscriptions:
        subscription.cancel()


def test_between_created_and_destroyed_an_id_is_one_function(life):
    """Whatever is drained when: every id() is created before it is destroyed, and destroyed before it comes again."""
    (make,) = life.pop(MAKE)
    alive, pairs, wrong = set(), [], []

    def hear(event, function, attribute, new_value):
        if not life.is_own(function):
            return
        if event is FunctionEvent.CREATED:
            wrong.extend({id(function)} & alive)
            alive.add(id(function))
        elif event is FunctionEvent.DESTROYED:
            wrong.extend({function.id} - alive)
            alive.discard(function.id)
            pairs.append(function.id)

    depwatch.set_lifecycle_callback(hear)
    kept = [make() for _ in range(1000)]
    for _ in range(1000):
        make()
    kept.clear()
    while depwatch.drain():
        pass
    assert (len(pairs), alive, wrong) == (2000, set(), [])


def test_a_drain_of_the_main_thread_tells_in_order_although_drains_come_by_themselves(life):
    """What dies during a drain is told after everything that the drain has to tell."""
    code = code_of_made(*life.pop(MAKE))
    depwatch.set_lifecycle_callback(life.hear)
    at_once(*[(types.FunctionType, code, {})] * 100)
    assert life.told() == created(MADE) * 100 + destroyed(MADE) * 100


# --- setting and getting ---------------------------------------------------------------------------------------------


def test_what_is_set_is_what_is_got(life):
    assert depwatch.get_lifecycle_callback() is None
    for callback in (life.hear, print, life.whole, None, life.hear, None, None):
        assert depwatch.set_lifecycle_callback(callback) is None
        assert depwatch.get_lifecycle_callback() == callback


@pytest.mark.parametrize("wrong", [3, "callback", (), NotImplemented], ids=repr)
def test_what_cannot_be_called_is_refused_and_what_was_set_stays(life, wrong):
    depwatch.set_lifecycle_callback(life.hear)
    with pytest.raises(TypeError, match=r"callable or None, not "):
        depwatch.set_lifecycle_callback(wrong)
    assert depwatch.get_lifecycle_callback() == life.hear


def test_nothing_is_queued_before_a_callback_is_set_and_after_it_is_taken_away(life):
    f, make = life.pop("def f(): pass\n" + MAKE)

    def live():
        make()
        f.__defaults__ = (1,)
        del f.__defaults__

    for callback in (None, life.hear, None):
        depwatch.set_lifecycle_callback(callback)
        live()
        told = life.told()
        assert (told == []) == (callback is None)
    with Counted() as counted:
        live()
    assert counted() == {}
    assert life.told() == []


@without_automatic_drain
def test_after_none_nothing_is_told_not_even_what_waits(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    kept = weakref.ref(make())
    depwatch.set_lifecycle_callback(life.hear)  # what waits for the one before is not told either
    make()
    depwatch.set_lifecycle_callback(None)
    make()
    depwatch.set_lifecycle_callback(life.hear)
    assert depwatch.drain() == 0
    assert kept() is None  # dropped by that drain, and of that the new callback is told
    assert life.told() == destroyed(MADE, MADE)


@without_automatic_drain
def test_what_waits_for_a_callback_is_told_to_it_although_another_one_is_set(life):
    (make,) = life.pop(MAKE)
    kept, second = [], Life(life.file)
    depwatch.set_lifecycle_callback(life.hear)
    kept.append(make())
    depwatch.set_lifecycle_callback(second.hear)
    kept.append(make())
    assert depwatch.drain() == 2
    assert (life, second) == (created(MADE), created(MADE))
    kept.clear()
    assert second.told() == created(MADE) + destroyed(MADE, MADE)
    assert life == created(MADE)


@without_automatic_drain
@pytest.mark.parametrize("next_one", ["nobody", "another"])
def test_a_callback_may_set_another_one_or_none(life, next_one):
    (make,) = life.pop(MAKE)
    second = Life(life.file)

    def hear(*told):
        life.hear(*told)
        depwatch.set_lifecycle_callback(None if next_one == "nobody" else second.hear)

    depwatch.set_lifecycle_callback(hear)
    kept = [make() for _ in range(3)]
    depwatch.drain()
    assert life == created(MADE) * (1 if next_one == "nobody" else 3)
    assert second == []
    kept.clear()
    assert second.told() == ([] if next_one == "nobody" else destroyed(MADE) * 3)
    assert len(life) == (1 if next_one == "nobody" else 3)


def test_no_reference_to_a_callback_stays_when_another_is_set(life):
    class Callback:
        def __call__(self, *told):
            pass

    callback = Callback()
    reference = weakref.ref(callback)
    depwatch.set_lifecycle_callback(callback)
    life.module(TWO)
    assert depwatch.get_lifecycle_callback() is callback
    depwatch.set_lifecycle_callback(life.hear)
    del callback
    while depwatch.drain():
        pass
    assert reference() is None


def test_only_a_callback_takes_a_watcher_slot_and_without_one_it_is_unwatchable(counting):
    printed = python(
        """
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("counting", sys.argv[1])
        counting = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(counting)
        import depwatch
        slots = lambda: [value for name, value in depwatch.stats().items() if name.endswith("_slots")]
        depwatch.get_lifecycle_callback(), depwatch.set_lifecycle_callback(None)
        print(slots())
        counting.take_slots(2)
        try:
            depwatch.set_lifecycle_callback(print)
        except depwatch.Unwatchable as error:
            print("no function watcher slot is free" in str(error), depwatch.get_lifecycle_callback(), slots())
        counting.give_slots(2)
        depwatch.set_lifecycle_callback(lambda *told: None)
        print(slots())
        depwatch.set_lifecycle_callback(None)
        """,
        counting.path,
    )
    assert printed.splitlines() == ["[0, 0, 0, 0]", "True None [0, 0, 0, 0]", "[0, 0, 1, 0]"]


# --- callbacks that misbehave ----------------------------------------------------------------------------------------


@without_automatic_drain
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
def test_a_callback_that_raises_goes_to_the_unraisable_hook_and_hears_the_rest(life, monkeypatch, error):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: raised.append((told.exc_type, str(told.exc_value))))
    f, _ = life.pop(TWO)
    at = []

    def hear(event, function, attribute, new_value):
        life.hear(event, function, attribute, new_value)
        if function is f:
            at.append(new_value)
            raise error("heard")

    depwatch.set_lifecycle_callback(hear)
    f.__defaults__ = (1,)
    f.__defaults__ = (2,)
    assert depwatch.drain() == 2
    assert life == [("MODIFIED", "f", "DEFAULTS", (1,)), ("MODIFIED", "f", "DEFAULTS", (2,))]
    assert raised == [(error, "heard")] * 2


@without_automatic_drain
def test_what_a_callback_causes_is_told_by_the_next_drain(life):
    (make,) = life.pop(MAKE)

    def hear(event, function, attribute, new_value):
        life.hear(event, function, attribute, new_value)
        if event is FunctionEvent.CREATED:
            make()

    depwatch.set_lifecycle_callback(hear)
    make()
    # Each time the one that was created before and now is dead, and the one that hear() has created then.
    assert [depwatch.drain() for _ in range(5)] == [1, 2, 2, 2, 2]
    assert life == created(MADE) + [entry for _ in range(4) for entry in created(MADE) + destroyed(MADE)]


def test_a_callback_that_creates_functions_without_end_stops_neither_a_drain_nor_the_main_thread():
    """After 8 drains in a row by themselves, the next one waits for an event that no drain has caused."""
    printed = python("""
        import depwatch
        heard, depth, nested = [], 0, 0

        def hear(event, function, attribute, new_value):
            global depth, nested
            depth += 1
            nested = max(nested, depth)
            heard.append(event.name)
            if event is depwatch.FunctionEvent.CREATED:
                (lambda: 0)
            wait(10)  # were there a drain inside the drain, it would come here
            depth -= 1

        def wait(times=10_000):
            for _ in range(times):
                len(heard)

        def told():
            wait()
            counts = heard.count("CREATED"), heard.count("DESTROYED")
            heard.clear()
            return counts

        print(told())
        depwatch.set_lifecycle_callback(hear)
        print(told())
        make = lambda: 0
        print(told())
        make.__defaults__ = ()
        print(told())
        print(depwatch.drain(), told())
        print(nested)
        depwatch.set_lifecycle_callback(None)
        print(told())
        """)
    # Of the lambdas two wait each time: one that was created, one that died when it had been told.
    assert printed.splitlines() == ["(0, 0)", "(0, 0)", "(8, 6)", "(1, 1)", "2 (2, 2)", "1", "(0, 0)"]


@without_automatic_drain
def test_a_drain_makes_no_functions_of_its_own():
    heard = []
    depwatch.set_lifecycle_callback(lambda *told: heard.append(told))
    globals_ = namespace(X=0)
    recorder = depwatch.Recorder("r")
    recorder.read_global(globals_, "X")
    handle = recorder.commit(on_invalidate=heard.append, on_resume=heard.append)
    while depwatch.drain():
        pass
    heard.clear()
    for value in (1, 0):
        globals_["X"] = value
        assert depwatch.drain() == 1
        assert depwatch.drain() == 0
    assert heard == [handle, handle]
    depwatch.set_lifecycle_callback(None)


@without_automatic_drain
def test_a_full_queue_drops_events_counts_them_and_serves_again(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    with Counted() as counted:
        kept = [make() for _ in range(10_000)]
        assert counted("details_queued", "details_dropped") == {"details_queued": 8192, "details_dropped": 1808}
    assert life.told() == created(MADE) * 8192
    del kept[:5000]
    kept.append(make())
    assert life.told() == destroyed(MADE) * 5000 + created(MADE)
    depwatch.set_lifecycle_callback(None)


# --- threads, forks, the end -----------------------------------------------------------------------------------------


def test_functions_of_every_thread_are_told_each_once(life):
    (make,) = life.pop(MAKE)
    depwatch.set_lifecycle_callback(life.hear)
    dropped = depwatch.stats()["details_dropped"]

    def work():
        for _ in range(500):
            make()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = life.told()
    assert depwatch.stats()["details_dropped"] == dropped
    assert sorted(told) == created(MADE) * 2000 + destroyed(MADE) * 2000


def test_the_main_thread_tells_by_itself_what_other_threads_do(life):
    f, _ = life.pop(TWO)
    threads = []
    depwatch.set_lifecycle_callback(lambda event, function, *_: threads.append((function, threading.current_thread())))
    thread = threading.Thread(target=setattr, args=(f, "__defaults__", (1,)))
    thread.start()
    thread.join()
    for _ in range(1000):
        len(threads)
    assert [each for each in threads if each[0] is f] == [(f, threading.main_thread())]


def test_a_forked_child_keeps_the_callback_and_tells_the_parent_nothing(life):
    f, _ = life.pop(TWO)
    depwatch.set_lifecycle_callback(life.hear)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            f.__defaults__ = (1,)
            good = life.told() == [("MODIFIED", "f", "DEFAULTS", (1,))]
            status = 0 if good and depwatch.get_lifecycle_callback() == life.hear else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert life.told() == []
    f.__defaults__ = (2,)
    assert life.told() == [("MODIFIED", "f", "DEFAULTS", (2,))]


def test_when_the_interpreter_ends_what_waits_is_told_and_then_nothing_and_the_callback_goes():
    printed = python("""
        import atexit

        @atexit.register
        def after_depwatch():
            print("the end", flush=True)
            f.__defaults__ = (3,)
            depwatch.set_lifecycle_callback(callback)
            f.__defaults__ = (4,)
            print(depwatch.drain(), depwatch.get_lifecycle_callback(), flush=True)

        import depwatch

        class Callback:
            def __call__(self, event, function, attribute, new_value):
                if event is not depwatch.FunctionEvent.DESTROYED and function is f:
                    print(attribute.name, new_value, flush=True)
            def __del__(self):
                print("callback destroyed", flush=True)

        class Meddler:
            def __del__(self):
                f.__defaults__ = (5,)
                print("meddler destroyed", (lambda: 1)(), flush=True)

        f = lambda: 0
        callback, meddler, functions = Callback(), Meddler(), [lambda: i for i in range(100)]
        depwatch.set_lifecycle_callback(callback)
        @atexit.register
        def before_depwatch():
            f.__defaults__ = (2,)
        f.__defaults__ = (1,)
        """)
    lines = printed.splitlines()
    assert lines[:4] == ["DEFAULTS (1,)", "DEFAULTS (2,)", "the end", "0 None"]
    assert sorted(lines[4:]) == ["callback destroyed", "meddler destroyed 1"]


def test_functions_that_die_while_the_interpreter_ends_are_survived():
    python("""
        import sys, threading, types, depwatch
        module = types.ModuleType("dies_at_exit")
        sys.modules["dies_at_exit"] = module
        for i in range(1000):
            setattr(module, f"f{i}", lambda i=i: i)
        cycle = lambda: cycle
        cycle.me = cycle
        def live():
            while True:
                (lambda: 0).__defaults__ = (1,)
        depwatch.set_lifecycle_callback(lambda *told: None)
        threading.Thread(target=live, daemon=True).start()
        depwatch.subscribe(lambda event: None, cycle, "existence")
        """)
