"""Counters of 32 bits that have gone all the way round do not make anything look unchanged.

Two of a facet's counters, which no user sees, begin three before their end: so every test goes past that. What is
compared beside a count of the whole process is shown here, by 2**32 breaks that nobody made: they are written into it.
"""

import ctypes
from array import array

import pytest

import depwatch
from support import freeze, in_a_process_of_its_own, namespace, store_at_once, without_automatic_drain

ROUND = 2**32


def count_of_process(places):
    """A counter of the service (ext/facet/service.h), so many places before the word that native code compares."""
    return ctypes.c_uint64.from_address(depwatch.breaks_address() - 8 * places)


def breaks():
    count = count_of_process(2)
    assert count.value == depwatch.stats()["breaks"]
    return count


def generations():
    count, names = count_of_process(3), namespace(X=1)
    before, recorder = count.value, freeze(names, "X")
    names["X"] = 2
    again = freeze(names, "X")  # records another value, which the first recorder has read
    assert count.value == before + 1
    recorder.close()
    again.close()
    return count


@in_a_process_of_its_own
@without_automatic_drain
def test_after_2_32_breaks_while_compiling_nothing_is_taken_for_fresh():
    names, count = namespace(X=1), breaks()
    for more, ways in ((ROUND - 1, [{}, {"undone": "allow"}]), (ROUND, [{"undone": "allow"}])):
        for way in ways:
            recorder = freeze(names, "X")
            count.value += more
            assert recorder.commit(**way).valid
    for make in (depwatch.Recorder.commit, lambda one: one.commit_many(array("Q", [0, 1]), array("I", [0]))):
        recorder = freeze(names, "X")
        count.value += ROUND
        with pytest.raises(depwatch.Stale, match="changed since it was read"):
            make(recorder)


@in_a_process_of_its_own
@without_automatic_drain
def test_after_2_32_new_recordings_while_compiling_nothing_is_taken_for_fresh():
    names, count = namespace(X=1), generations()
    recorder = freeze(names, "X")
    count.value += ROUND - 1
    assert recorder.commit().valid
    for way in ({}, {"undone": "allow"}):
        recorder = freeze(names, "X")
        count.value += ROUND
        with pytest.raises(depwatch.Stale, match="changed since it was read"):
            recorder.commit(**way)


@in_a_process_of_its_own
@without_automatic_drain
def test_the_breaks_of_a_handle_are_another_number_after_2_32_breaks():
    names, count = namespace(X=1), breaks()
    handle = freeze(names, "X").commit()
    store_at_once(names, "X", 2, 1)
    assert (handle.breaks, handle.valid) == (1, True)
    count.value += ROUND
    assert handle.breaks == ROUND + 1
    handle.retire("enough")
    assert handle.breaks == -1
