"""Listeners in C: called inside CPython's callback, at once, before the change takes effect."""

import gc
import sys
import threading
import types
from pathlib import Path

import pytest

import depwatch
from depwatch import Change
from native import CODE, DEFAULTS, EXISTENCE, F64, KWDEFAULTS, NEW, NOT_APPLICABLE, OLD, frozen
from support import python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")


@without_automatic_drain
def test_a_listener_hears_at_once_after_the_bytes_and_before_the_change(c):
    mapping = {"key": OLD}
    facet = c.facet_of_key(mapping, "key")
    handle = c.commit(frozen(c, mapping, "key"))
    c.note_byte(handle)
    listening = c.listen(facet)
    queued = depwatch.stats()["details_queued"]
    mapping["key"] = NEW
    mapping["key"] = OLD
    mapping["other"] = NEW
    del mapping["key"]
    mapping.clear()
    number, thing = c.facet_id(facet), c.id_of(mapping)
    assert c.told() == [
        (Change.MODIFIED, number, thing, 0, id(OLD), id(NEW), 1),
        (Change.MODIFIED, number, thing, 0, id(NEW), id(OLD), 0),
        (Change.DELETED, number, thing, 0, id(OLD), 0, 1),
        (Change.CLEARED, number, thing, 0, 0, 0, 1),
    ]
    mapping["key"] = OLD
    assert [event[0] for event in c.told()] == [Change.ADDED]
    assert depwatch.stats()["details_queued"] - queued == 2  # for explain(), of the two breaks
    c.unlisten(listening)
    c.unlisten(listening)
    mapping["key"] = NEW
    assert c.told() == []
    c.note_byte(None)
    c.release(handle)


@without_automatic_drain
def test_listeners_of_a_whole_object_hear_keys_and_its_end(c):
    mapping, key = {}, "key"
    facet = c.facet_of_object(mapping)
    number, thing = c.facet_id(facet), c.id_of(mapping)
    listening = c.listen(facet)
    mapping[key] = NEW
    del mapping
    assert c.told() == [
        (Change.ADDED, number, thing, id(key), 0, id(NEW), -1),
        (Change.DESTROYED, number, thing, 0, 0, 0, -1),
    ]
    del listening


def test_dropping_what_listen_returned_stops_it_and_others_go_on(c, log):
    mapping = {"key": OLD}
    facet = c.facet_of_key(mapping, "key")
    first, second, third = (c.listen(facet) for _ in range(3))
    subscription = depwatch.subscribe(log.event, mapping, "key")
    mapping["key"] = NEW
    assert len(c.told()) == 3
    del second
    mapping["key"] = OLD
    assert len(c.told()) == 2
    del first, third
    mapping["key"] = NEW
    assert c.told() == []
    assert len(log.drained()) == 3
    subscription.cancel()


@without_automatic_drain
def test_listeners_in_c_alone_queue_nothing(c):
    mapping = {"key": OLD}
    listening = c.listen(c.facet_of_key(mapping, "key"))
    depwatch.drain()
    before = depwatch.stats()
    for _ in range(100):
        mapping["key"] = NEW
        mapping["key"] = OLD
    assert len(c.told()) == 200
    assert depwatch.stats()["details_queued"] == before["details_queued"]
    del listening


def test_the_life_of_functions_is_told_in_order_at_once_with_attribute_and_value(c):
    source = "def f(a, b=1, *, x=2): pass\ndef other(): pass"
    code = compile(source, "<the life of functions, told in C>", "exec")
    made = {}
    listening = c.listen_functions(code.co_filename)
    exec(code, made)
    f, other = made.pop("f"), made.pop("other")
    events = c.told()
    # exec() makes a function for the source itself, which comes first and dies last.
    assert [event[0] for event in events] == [Change.CREATED] * 3 + [Change.DESTROYED]
    assert [event[1] for event in events] == [events[0][1], id(f), id(other), events[0][1]]
    assert f.__defaults__ == (1,)  # but not yet when f was told to be made, as the 0 says
    assert {event[2:] for event in events} == {(NOT_APPLICABLE, 0, 0)}
    before = id(f.__code__), id(f.__defaults__), id(f.__kwdefaults__)
    defaults, kwdefaults = (7,), {"x": 8}
    f.__code__ = other.__code__
    f.__defaults__ = defaults
    f.__kwdefaults__ = kwdefaults
    del f.__defaults__
    f.__kwdefaults__ = None
    assert c.told() == [
        (Change.MODIFIED, id(f), CODE, id(other.__code__), before[0]),
        (Change.MODIFIED, id(f), DEFAULTS, id(defaults), before[1]),
        (Change.MODIFIED, id(f), KWDEFAULTS, id(kwdefaults), before[2]),
        (Change.MODIFIED, id(f), DEFAULTS, 0, id(defaults)),
        (Change.MODIFIED, id(f), KWDEFAULTS, 0, id(kwdefaults)),
    ]
    address = id(f)
    del f
    assert c.told() == [(Change.DESTROYED, address, NOT_APPLICABLE, 0, 0)]
    c.unlisten(listening)
    del other
    assert c.told() == []


@without_automatic_drain
def test_new_functions_of_one_code_object_are_told_at_once_and_those_of_no_other(c):
    made = {}
    exec("def make():\n    def inner(a=1): pass\n    return inner\ndef other(): return lambda: 0", made)
    make, other = made["make"], made["other"]
    code = next(each for each in make.__code__.co_consts if type(each) is types.CodeType)
    listening = c.listen_created(code)
    number = c.id_of(code)
    other()
    assert c.told() == []
    first, second = make(), make()
    events = c.told()
    facet = events[0][1]
    assert events == [(Change.CREATED, facet, number, 0, 0, id(each), -1) for each in (first, second)]
    first.__defaults__ = (2,)
    first.__code__ = other.__code__
    del first
    assert c.told() == [], "only that it is made"
    copy = types.FunctionType(code, {})
    assert c.told() == [(Change.CREATED, facet, number, 0, 0, id(copy), -1)]
    c.unlisten(listening)
    make()
    assert c.told() == []
    listening = c.listen_created(code)
    del second, copy, code
    make.__code__ = other.__code__
    made.clear()
    gc.collect()
    assert [event[:3] for event in c.told()] == [(Change.DESTROYED, facet, number)]
    del listening


def test_a_listener_in_c_and_a_subscription_hear_of_the_same_new_functions(c, log):
    def make():
        return lambda: 0

    code = make().__code__
    subscription = depwatch.subscribe_created(log.event, code)
    listening = c.listen_created(code)
    function = make()
    assert [event[0] for event in c.told()] == [Change.CREATED]
    assert log.drained() == [("CREATED", "created", depwatch.UNKNOWN, function)]
    subscription.cancel()
    make()
    assert [event[0] for event in c.told()] == [Change.CREATED]
    assert log.drained() == []
    del listening
    make()
    assert c.told() == []
    for wrong in (make, 3, None):
        with pytest.raises(TypeError, match="is no code object"):
            c.listen_created(wrong)


@without_automatic_drain
def test_listeners_allocate_nothing_while_cpython_stores(c, counting):
    mapping = {"key": OLD}
    listening = c.listen(c.facet_of_key(mapping, "key"))
    assert counting.store(mapping, "key", (NEW, OLD), 10) == (0, 0)
    assert len(c.told()) == 20
    del listening


@without_automatic_drain
def test_listeners_hear_of_every_kind_of_facet(c):
    class Base:
        x = OLD

    class Other:
        x = NEW

    class Derived(Base):
        pass

    def function(a=1, *, k=2):
        return a

    module = types.ModuleType("module")
    module.x = OLD
    loads = types.FunctionType((lambda: scale).__code__, {"__builtins__": {"scale": OLD}})  # noqa: F821
    other = compile("0", "", "eval")
    facets = {
        "attribute": c.facet_of_attribute(Derived, "x"),
        "code": c.facet_of_function(function, CODE),
        "kwdefaults": c.facet_of_function(function, KWDEFAULTS),
        "existence": c.facet_of_function(function, EXISTENCE),
        "global": c.facet_of_global(loads, "scale"),
        "key": c.facet_of_key(vars(module), "x"),
    }
    listening = [c.listen(facet) for facet in facets.values()]
    recorder = depwatch.Recorder("module")
    recorder.read_attr(module, "x")  # from now on changes of the class of modules are seen
    recorder.close()
    names = {c.facet_id(facet): name for name, facet in facets.items()}

    def told():
        return [(names[facet], Change(change).name, old, new) for change, facet, _, _, old, new, _ in c.told()]

    Base.x = NEW
    assert told() == [("attribute", "MODIFIED", id(OLD), id(NEW))]
    Derived.__bases__ = (Other,)
    assert [event[:2] for event in told()] == [("attribute", "MRO")]
    before = id(function.__code__)
    function.__code__ = other
    assert told() == [("code", "MODIFIED", before, id(other))]
    function.__kwdefaults__["k"] = NEW
    assert told() == [("kwdefaults", "MODIFIED", 0, id(NEW))]
    loads.__globals__["scale"] = NEW
    assert told() == [("global", "ADDED", id(OLD), id(NEW))]
    module.__class__ = type("Lazy", (types.ModuleType,), {})
    assert [event[:2] for event in told()] == [("key", "CLASS")]
    del function
    gc.collect()
    assert sorted(told()) == [(name, "DESTROYED", 0, 0) for name in ("code", "existence", "kwdefaults")]
    listening.clear()


def test_listeners_hear_changes_of_other_threads(c):
    mapping = {"key": OLD}
    listening = c.listen(c.facet_of_key(mapping, "key"))
    threads = [threading.Thread(target=mapping.update, args=({"key": i},)) for i in range(5)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len(c.told()) == 5
    del listening


def test_listeners_that_are_never_let_go_do_no_harm_at_exit(c):
    assert python(PROGRAMS / "listeners.py") == "1\n"


def test_committing_and_listening_many_times_leaves_nothing(c):
    def once():
        mapping = {"key": 1.5}
        facet = c.facet_of_key(mapping, "key")
        listening = c.listen(facet)
        recorder = frozen(c, mapping, "key")
        cell = c.value_cell(facet, F64)
        guard, _ = c.guard_cell(recorder, facet)
        handle = c.commit(recorder)
        heard, created = c.listen_handle(handle, 0), c.listen_created((lambda: 0).__code__)
        mapping["key"] = 2.5
        c.release(handle)
        c.told()
        assert len(c.told_of_handles()) == 2
        del listening, cell, guard, heard, created

    def left():
        gc.collect()
        depwatch.drain()
        stats = depwatch.stats()
        return [stats[each] for each in ("objects", "facets", "handles", "dependencies")], total_references()

    total_references = getattr(sys, "gettotalrefcount", lambda: 0)
    for _ in range(100):
        once()
    before = left()
    for _ in range(1000):
        once()
    after = left()
    assert after[0] == before[0]
    assert after[1] - before[1] < 100
