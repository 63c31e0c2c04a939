"""on_any(): what happens to the handles of the whole process."""

import pickle
import types
import weakref
from array import array

import pytest

import depwatch
from support import freeze, here, namespace, without_automatic_drain


@pytest.fixture
def told():
    """What is told of handles whose names begin with "own"."""
    events = []
    listener = depwatch.on_any(events.append)
    yield lambda: [event for event in events if event.handle is not None and event.handle.name.startswith("own")]
    listener.cancel()
    events.clear()


@without_automatic_drain
def test_a_break_a_resume_and_a_retirement_are_told_once_each(told):
    module = types.ModuleType("shop")
    module.RATE = 1
    handle = freeze(module, "RATE", name="own").commit()
    line = here() + 1
    module.RATE = 2
    depwatch.drain()
    module.RATE = 1
    depwatch.drain()
    handle.retire("enough")
    depwatch.drain()
    text = "global 'RATE' of module shop"
    assert told() == [
        depwatch.HandleEvent(handle, "invalidated", text, depwatch.Change.MODIFIED, "1", "2", __file__, line),
        depwatch.HandleEvent(handle, "resumed", text, None, None, None, None, None),
        depwatch.HandleEvent(handle, "retired", "enough", None, None, None, None, None),
    ]


@without_automatic_drain
def test_a_retirement_says_what_was_the_cause(told):
    names = {"X": 1}
    recorder = depwatch.Recorder("own")
    recorder.depend_on(names)
    handle = recorder.commit()
    names["X"] = 2
    depwatch.drain()
    (event,) = told()
    assert (event.handle, event.what, event.text) == (handle, "retired", handle.reason)
    assert "anything in" in event.text


@without_automatic_drain
def test_a_change_that_was_undone_before_the_drain_is_told_to_nobody(told):
    names = namespace(X=1)
    freeze(names, "X", name="own").commit()
    names["X"], names["X"] = 2, 1
    depwatch.drain()
    assert told() == []


@without_automatic_drain
def test_each_of_the_handles_that_were_committed_together_is_told(told):
    names = {"X": 1}
    recorder = depwatch.Recorder("own")
    recorder.read(names, "X")
    handles = recorder.commit_many(array("Q", [0, 1, 2]), array("I", [0, 0]))
    names["X"] = 2
    depwatch.drain()
    assert [(event.handle, event.what) for event in told()] == [
        (handles[0], "invalidated"), (handles[1], "invalidated")
    ]  # fmt: skip


@without_automatic_drain
def test_what_is_released_is_told_no_more(told):
    names = namespace(X=1)
    handle = freeze(names, "X", name="own").commit()
    names["X"] = 2
    handle.release()
    depwatch.drain()
    assert told() == []


@without_automatic_drain
def test_it_comes_beside_the_handles_own_callbacks_and_after_them():
    order = []
    listener = depwatch.on_any(lambda event: order.append(("any", event.what)))
    names = namespace(X=1)
    freeze(names, "X").commit(on_invalidate=lambda handle: order.append("own"))
    names["X"] = 2
    depwatch.drain()
    listener.cancel()
    assert order == ["own", ("any", "invalidated")]


@without_automatic_drain
def test_a_listener_that_raises_keeps_nothing_from_the_others(unraisable):
    seen = []

    def bad(event):
        raise ValueError("bad")

    listeners = [depwatch.on_any(each) for each in (bad, seen.append)]
    names = namespace(X=1)
    freeze(names, "X").commit()
    for value in (2, 1):
        names["X"] = value
        depwatch.drain()
    for listener in listeners:
        listener.cancel()
    assert [event.what for event in seen] == ["invalidated", "resumed"]
    assert unraisable == [(ValueError, "bad")]


@without_automatic_drain
def test_a_cancelled_listener_gets_nothing_also_of_what_is_due():
    seen, listeners = [], []

    def first(event):
        seen.append("first")
        listeners[1].cancel()
        listeners[1].cancel()

    listeners += [depwatch.on_any(first), depwatch.on_any(seen.append)]
    names = namespace(X=1)
    freeze(names, "X").commit()
    names["X"] = 2
    depwatch.drain()
    listeners[0].cancel()
    names["X"] = 1
    depwatch.drain()
    assert seen == ["first"]


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="the listener must be callable, not 3"):
        depwatch.on_any(3)


@without_automatic_drain
def test_an_event_leads_back_to_the_object_and_keeps_it_not_alive():
    class Owner(dict):
        pass

    owner, events = Owner(X=1), []
    dead = weakref.ref(owner)
    subscription = depwatch.subscribe(events.append, owner, "X")
    owner["X"] = 2
    depwatch.drain()
    (event,) = events
    assert event.owner is owner
    del owner
    assert (dead(), event.owner) == (None, None)
    depwatch.drain()
    assert (event.owner, event.new, events[1].owner) == (None, 2, None)
    assert pickle.loads(pickle.dumps(event)) == event
    subscription.cancel()
