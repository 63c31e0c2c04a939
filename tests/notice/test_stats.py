"""stats(): what happened to handles, in all and by name, and what recorders were refused."""

import inspect
from array import array

import pytest

import depwatch
from support import Counted, freeze, in_a_process_of_its_own, namespace, seen_in, store_at_once, without_automatic_drain


def by_name(name):
    """What is counted under that name, without what is 0."""
    return {what: n for what, n in depwatch.stats(by_name=True).get(name, {}).items() if n}


@in_a_process_of_its_own
@without_automatic_drain
def test_commits_breaks_and_ends_are_counted_in_all_and_by_name():
    names = namespace(X=1)
    with Counted() as counted:
        handle = freeze(names, "X", name="stats: counted").commit()
        names["X"] = 2
        depwatch.drain()
        names["X"] = 1
        depwatch.drain()
        names["X"] = 3
        depwatch.drain()
        again = freeze(names, "X", name="stats: counted").commit()  # with another value, so the first is retired
        depwatch.drain()
        again.retire("enough")
        again.retire("enough")
        depwatch.drain()
    handles = {
        "handles_committed": 2,
        "handles_recompiled": 1,
        "handles_invalidated": 2,
        "handles_resumed": 1,
        "handles_retired_superseded": 1,
        "handles_retired_called": 1,
    }
    assert by_name("stats: counted") == handles
    assert {name: n for name, n in counted().items() if name.startswith(("handles_", "refused_"))} == handles
    assert handle.retired


@in_a_process_of_its_own
@without_automatic_drain
def test_what_was_undone_before_a_drain_and_what_was_released_is_not_counted():
    names = namespace(X=1)
    handle = freeze(names, "X", name="stats: undone").commit()
    names["X"] = 2
    names["X"] = 1
    depwatch.drain()
    handle.release()
    depwatch.drain()
    assert by_name("stats: undone") == {"handles_committed": 1}


@in_a_process_of_its_own
@without_automatic_drain
def test_a_facet_that_is_given_up_and_the_refusal_after_it_are_counted():
    names = namespace(X=1)
    other = freeze(names, "X").commit()  # with a higher limit, so the facet is not forgotten
    handle = freeze(names, "X", name="stats: unstable", unstable_after=1).commit()
    names["X"] = 2
    depwatch.drain()
    recorder = depwatch.Recorder("stats: refused", unstable_after=1)
    with pytest.raises(depwatch.Unstable):
        recorder.read(seen_in(names), "X")  # read() calls read_global(), and it is one refusal
    with pytest.raises(depwatch.Unwatchable):
        recorder.read([], "X")
    assert not other.valid
    assert by_name("stats: unstable") == {"handles_committed": 1, "handles_retired_unstable": 1}
    assert by_name("stats: refused") == {"refused_unstable": 1, "refused_unwatchable": 1}
    assert handle.reason.endswith("broke too often to build on: 1 -> 2, changed at " + f"{__file__}:{LINE}")


LINE = inspect.unwrap(test_a_facet_that_is_given_up_and_the_refusal_after_it_are_counted).__code__.co_firstlineno + 6


@in_a_process_of_its_own
@without_automatic_drain
def test_handles_that_were_made_together_are_counted_one_by_one():
    from array import array

    names = namespace(X=1)
    handles = freeze(names, "X", name="stats: many").commit_many(array("Q", [0, 1, 2]), array("I", [0, 0]))
    depwatch.invalidate([names], "replaced")
    depwatch.drain()
    assert by_name("stats: many") == {"handles_committed": 2, "handles_retired_called": 2}
    handles.release()


@without_automatic_drain
def test_drains_are_counted_with_their_time_if_they_had_something_to_do():
    depwatch.drain()
    before = depwatch.stats()
    assert depwatch.stats()["drains"] == before["drains"]
    names = namespace(X=1)
    subscription = depwatch.subscribe(lambda event: depwatch.drain(), names, "X")  # one inside the other is one
    names["X"] = 2
    depwatch.drain()
    after = depwatch.stats()
    assert after["drains"] == before["drains"] + 1
    assert after["drain_ns"] > before["drain_ns"]
    subscription.cancel()


@in_a_process_of_its_own
@without_automatic_drain
def test_the_time_of_events_is_told_of_one_in_1021_and_of_each_with_many_dependents():
    names = namespace(X=1, Y=1)
    handle, recorder, many = freeze(names, "X").commit(), freeze(names, "Y"), 65_536
    handles = recorder.commit_many(array("Q", range(many + 1)), array("I", [recorder.reads - 1]) * many)
    before = depwatch.stats()
    store_at_once(names, "X", *[2, 1] * 200)
    assert depwatch.stats()["event_ns"] == before["event_ns"]
    store_at_once(names, "X", *[2, 1] * 1_000)
    one_in_some = depwatch.stats()
    assert one_in_some["event_ns"] > before["event_ns"]
    assert (one_in_some["event_ns"] - before["event_ns"]) % 1021 == 0
    for value in (2, 1):
        names["Y"] = value
        told = depwatch.stats()
        assert told["events"] == one_in_some["events"] + 1
        assert told["event_ns"] > one_in_some["event_ns"]
        one_in_some = told
    before = depwatch.stats()["event_ns"]
    del names
    assert depwatch.stats()["event_ns"] > before
    assert handle.retired and handles.retired


@in_a_process_of_its_own
def test_names_without_end_are_counted_together():
    names = namespace(X=1)
    for i in range(1_100):
        freeze(names, "X", name=f"stats: name {i}").commit().release()
    depwatch.drain()
    counted = depwatch.stats(by_name=True)
    assert len(counted) <= 1_001
    assert counted["(other names)"]["handles_committed"] >= 100
