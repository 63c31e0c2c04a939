"""Listeners in C of what becomes of a handle: told at once of each state, and only of the handles that they are for."""

import sys
import threading
from pathlib import Path

import pytest

import depwatch
from depwatch import Released
from native import INVALID, NEW, OLD, RETIRED, VALID, frozen
from support import namespace, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

INVALIDATED, RESUMED = INVALID, VALID


def committed(c, mapping, *names, unstable_after=0):
    """A handle that has read these keys, and the IDs of their facets."""
    recorder = c.recorder_new("heard", unstable_after)
    facets = [c.facet_of_key(mapping, name) for name in names]
    for facet in facets:
        c.read(recorder, facet)
    return c.commit(recorder), *(c.facet_id(facet) for facet in facets)


@without_automatic_drain
def test_each_state_is_told_at_once_inside_the_store_with_the_facet_that_did_it(c):
    mapping = {"key": OLD}
    handle, facet = committed(c, mapping, "key")
    listening = c.listen_handle(handle, 1)
    mapping["other"] = NEW
    assert c.told_of_handles() == []
    mapping["key"] = NEW
    assert c.told_of_handles() == [(1, handle, INVALIDATED, facet, 1)]
    mapping["key"] = 3
    assert c.told_of_handles() == [], "it is invalid already"
    mapping["key"] = OLD
    assert c.told_of_handles() == [(1, handle, RESUMED, facet, 0)]
    del mapping
    assert c.told_of_handles() == [(1, handle, RETIRED, facet, 255)]
    assert c.drain() == 0
    c.release(handle)
    c.drain()
    assert c.told_of_handles() == [], "retired comes once, and nothing after it"
    del listening


@without_automatic_drain
def test_it_is_invalid_from_the_first_break_to_the_last_that_is_undone(c):
    mapping = {"a": OLD, "b": OLD}
    handle, a, b = committed(c, mapping, "a", "b")
    listening = c.listen_handle(handle, 1)
    mapping["a"] = NEW
    mapping["b"] = NEW
    mapping["a"] = OLD
    mapping["b"] = OLD
    assert c.told_of_handles() == [(1, handle, INVALIDATED, a, 1), (1, handle, RESUMED, b, 0)]
    mapping.clear()
    assert [event[:3] + event[4:] for event in c.told_of_handles()] == [(1, handle, INVALIDATED, 1)]
    c.unlisten(listening)
    c.release(handle)


@without_automatic_drain
def test_what_an_event_leaves_open_is_told_by_the_drain_that_looks_again(c):
    mapping = {"key": OLD}
    handle, facet = committed(c, mapping, "key")
    listening = c.listen_handle(handle, 1)
    del mapping["key"]
    mapping["key"] = OLD
    assert c.told_of_handles() == [(1, handle, INVALIDATED, facet, 1)], "a store that adds can still fail"
    c.drain()
    assert c.told_of_handles() == [(1, handle, RESUMED, facet, 0)]
    c.unlisten(listening)
    c.release(handle)


@pytest.mark.parametrize("n", [3, 40, 3000, 70_000])  # inline, an array, containers, more than one
def test_of_many_handles_of_a_facet_only_those_with_a_listener_are_told(c, n):
    mapping = {"key": OLD}
    recorder = frozen(c, mapping, "key")
    offsets = b"".join(i.to_bytes(8, sys.byteorder) for i in range(n + 1))
    handles = c.commit_many(recorder, offsets, bytes(4 * n))
    heard = sorted({handles[0], handles[n // 2], handles[-1]})
    listening = [c.listen_handle(handle, i) for i, handle in enumerate(heard)]
    facet = c.facet_id(c.facet_of_key(mapping, "key"))
    mapping["key"] = NEW
    assert c.told_of_handles() == [(i, handle, INVALIDATED, facet, 1) for i, handle in enumerate(heard)]
    assert {c.broken(handle) for handle in handles} == {1}
    c.unlisten(listening.pop(1))
    mapping["key"] = OLD
    assert c.told_of_handles() == [(0, heard[0], RESUMED, facet, 0), (2, heard[2], RESUMED, facet, 0)]
    depwatch._core.check_index()
    c.unlisten(listening.pop())
    c.unlisten(listening.pop())
    mapping["key"] = NEW
    assert c.told_of_handles() == []
    for handle in handles:
        c.release(handle)


def test_the_first_to_listen_is_the_first_to_hear_and_the_others_go_on_without_it(c):
    mapping = {"key": OLD}
    handle, _ = committed(c, mapping, "key")
    listening = [c.listen_handle(handle, i) for i in range(3)]
    mapping["key"] = NEW
    assert [event[0] for event in c.told_of_handles()] == [0, 1, 2]
    listening[1] = None  # dropping it stops it
    mapping["key"] = OLD
    assert [event[0] for event in c.told_of_handles()] == [0, 2]
    c.unlisten(listening[0])
    c.unlisten(listening[0])
    late = c.listen_handle(handle, 7)
    c.release(handle)
    assert c.told_of_handles() == [(i, handle, RETIRED, None, 255) for i in (2, 7)]
    del late


@without_automatic_drain
def test_every_way_to_be_retired_is_told_once_with_the_facet_where_one_did_it(c):
    told = []

    def heard(handle, retire):
        listening = c.listen_handle(handle, 1)
        retire()
        first = c.told_of_handles()
        c.drain()
        c.release(handle)
        c.drain()
        assert c.told_of_handles() == []
        told.extend(first)
        del listening

    mapping = {"key": OLD}
    whole = c.recorder_new("whole")
    c.read(whole, c.facet_of_object(mapping))
    number = c.facet_id(c.facet_of_object(mapping))
    changed = c.commit(whole)
    heard(changed, lambda: mapping.update(other=1))
    retired = committed(c, mapping, "key")[0]
    heard(retired, lambda: c.retire(retired))
    invalidated = committed(c, mapping, "key")[0]
    heard(invalidated, lambda: depwatch.invalidate([mapping], "by hand"))
    assert told == [
        (1, changed, RETIRED, number, 255),
        (1, retired, RETIRED, None, 255),
        (1, invalidated, RETIRED, None, 255),
    ]


@without_automatic_drain
def test_recording_another_value_retires_inside_the_read(c):
    mapping = {"key": OLD}
    handle, facet = committed(c, mapping, "key")
    listening = c.listen_handle(handle, 1)
    mapping["key"] = NEW
    c.drain()
    assert c.told_of_handles() == [(1, handle, INVALIDATED, facet, 1)]
    recorder = frozen(c, mapping, "key")
    assert c.told_of_handles() == [(1, handle, RETIRED, facet, 255)]
    c.release(handle)
    del recorder, listening


@without_automatic_drain
def test_a_facet_that_broke_too_often_is_given_up_in_the_drain(c):
    mapping = {"key": OLD}
    handle, facet = committed(c, mapping, "key", unstable_after=2)
    patient, _ = committed(c, mapping, "key", unstable_after=5)
    listening = [c.listen_handle(handle, 1), c.listen_handle(patient, 2)]
    told = []
    for value in (NEW, OLD, NEW):
        mapping["key"] = value
        told.append(sorted(c.told_of_handles()))
        c.drain()
    invalidated = [(1, handle, INVALIDATED, facet, 1), (2, patient, INVALIDATED, facet, 1)]
    resumed = [(1, handle, RESUMED, facet, 0), (2, patient, RESUMED, facet, 0)]
    assert told == [invalidated, resumed, invalidated]
    assert c.told_of_handles() == [(1, handle, RETIRED, facet, 255)]
    c.release(handle)
    c.release(patient)
    assert [event[:3] for event in c.told_of_handles()] == [(2, patient, RETIRED)]
    listening.clear()


@without_automatic_drain
def test_the_last_of_255_broken_assumptions_retires(c):
    mapping = {f"key {i}": OLD for i in range(260)}
    handle, *facets = committed(c, mapping, *mapping)
    listening = c.listen_handle(handle, 1)
    for name in mapping:
        mapping[name] = NEW
    assert c.told_of_handles() == [(1, handle, INVALIDATED, facets[0], 1), (1, handle, RETIRED, facets[254], 255)]
    c.release(handle)
    del listening


@without_automatic_drain
def test_a_handle_that_gets_the_number_of_a_released_one_is_not_told_to_its_listener(c):
    mapping = {"key": OLD}
    handle, _ = committed(c, mapping, "key")
    old = c.listen_handle(handle, 1)
    c.release(handle)
    assert [event[:3] for event in c.told_of_handles()] == [(1, handle, RETIRED)]
    c.drain()
    again, facet = committed(c, mapping, "key")
    assert again == handle
    mapping["key"] = NEW
    assert c.told_of_handles() == []
    new = c.listen_handle(again, 2)
    c.unlisten(old)
    mapping["key"] = OLD
    assert c.told_of_handles() == [(2, again, RESUMED, facet, 0)], "it was invalid when this one began to listen"
    c.release(again)
    del old, new


def test_a_handle_without_assumptions_is_told_of_its_retirement_alone(c):
    handle = c.commit(c.recorder_new("no assumptions"))
    listening = [c.listen_handle(handle, 1)]
    c.retire(handle)
    assert c.told_of_handles() == [(1, handle, RETIRED, None, 255)]
    depwatch.drain()
    listening.append(c.listen_handle(handle, 2))
    c.release(handle)
    depwatch.drain()
    assert c.told_of_handles() == []
    depwatch._core.check_index()


def test_only_handles_of_c_code_that_are_not_released_can_be_listened_to(c):
    mapping = {"key": OLD}
    handle, _ = committed(c, mapping, "key")
    recorder = depwatch.Recorder("python")
    recorder.depend_on(mapping)
    owned = recorder.commit()
    facet, code = c.facet_of_key(mapping, "key"), committed.__code__
    for which in range(4):
        with pytest.raises(ValueError, match="the listener is NULL: pass a function"):
            c.listen_null(which, facet, handle, code)
    c.release(handle)
    for number in (handle, owned.id, 2**31 - 1, 2**32 - 1):
        with pytest.raises(Released, match="is no handle that C code holds"):
            c.listen_handle(number, 1)
    mapping["key"] = NEW
    assert c.told_of_handles() == [] and owned.retired


def test_a_listener_of_a_handle_hears_changes_of_other_threads(c):
    globals_ = namespace(RATE=OLD)
    facet = c.facet_of_key(globals_, "RATE")
    recorder = c.recorder_new("threads", 60000)
    c.read(recorder, facet)
    handle = c.commit(recorder)
    listening = c.listen_handle(handle, 1)

    def change():
        globals_["RATE"] = NEW
        globals_["RATE"] = OLD

    threads = [threading.Thread(target=change) for _ in range(5)]
    for thread in threads:
        thread.start()
        thread.join()
    number = c.facet_id(facet)
    assert c.told_of_handles() == [(1, handle, INVALIDATED, number, 1), (1, handle, RESUMED, number, 0)] * 5
    c.release(handle)
    del listening


@without_automatic_drain
def test_listeners_of_handles_allocate_and_queue_nothing_while_cpython_stores(c, counting):
    mapping = {"key": OLD}
    handle, _ = committed(c, mapping, "key")
    listening = c.listen_handle(handle, 1)
    before = depwatch.stats()["details_queued"]
    assert counting.store(mapping, "key", (NEW, OLD), 10) == (0, 0)
    assert [event[2] for event in c.told_of_handles()] == [INVALIDATED, RESUMED] * 10
    assert depwatch.stats()["details_queued"] - before == 10, "for explain(), of each break"
    c.release(handle)
    del listening


def test_listeners_of_handles_that_are_never_let_go_do_no_harm_at_exit(c):
    assert python(PROGRAMS / "handle_listeners.py") == "1 1\n0 1\n1 []\n"
