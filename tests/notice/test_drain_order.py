"""The order in which a drain tells, whatever the program does between two calls."""

import depwatch
from support import namespace, store_at_once, without_automatic_drain


class DrainsAtItsEnd:
    def __del__(self):
        depwatch.drain()


@without_automatic_drain
def test_the_death_of_what_was_told_drains_and_all_is_told_in_order():
    """The event that the first call was about holds the last reference to the old value."""
    told = []
    globals_ = namespace(X=DrainsAtItsEnd())
    subscription = depwatch.subscribe(lambda event: told.append(event.new), globals_, "X")
    store_at_once(globals_, "X", 1, 2, 3, 4)
    assert depwatch.drain() + depwatch.drain() <= 4
    assert told == [1, 2, 3, 4]
    subscription.cancel()


@without_automatic_drain
def test_callbacks_of_a_handle_come_in_order_when_an_artifact_drains_at_its_end(log):
    globals_ = namespace(X=1, Y=1, Z=1)
    handles = []
    for name in "XYZ":
        recorder = depwatch.Recorder(name)
        recorder.read_global(globals_, name)
        handles.append(log.commit(recorder, DrainsAtItsEnd()))
    for handle in handles:
        handle.retire("enough")
    del handle, handles[:]
    assert log.drained() == [("retired", "X"), ("retired", "Y"), ("retired", "Z")]
