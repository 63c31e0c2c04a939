"""Identity: an optimizer that folds `is` takes an equal value that is another object for another value."""

import pytest

import depwatch
from support import Counted, namespace, seen_in, without_automatic_drain

EQUAL = {"float": (1.5, float("1.5")), "int": (10**30, int("1" + "0" * 30)), "str": ("snö", "".join(["sn", "ö"]))}


def read(log, function, name, identity):
    recorder = depwatch.Recorder(name, identity=identity)
    value = recorder.read_global(function, "X")
    guard = recorder.guard_cell(function, "X")
    return log.commit(recorder), guard, value


@without_automatic_drain
@pytest.mark.parametrize("kind", EQUAL)
def test_an_equal_object_breaks_who_asked_for_identity_and_the_very_object_mends(log, kind):
    first, equal = EQUAL[kind]
    globals_ = namespace(X=first)
    handle, guard, value = read(log, seen_in(globals_), "r", True)
    assert value is first
    with Counted() as counted:
        globals_["X"] = equal
        assert (handle.broken, guard.holds) == (1, False)
        globals_["X"] = first
        assert (handle.valid, guard.holds) == (True, True)
    assert counted("breaks", "identity_breaks") == {"breaks": 1, "identity_breaks": 1}
    assert log.drained() == []


@without_automatic_drain
def test_without_it_an_equal_object_changes_nothing(log):
    first, equal = EQUAL["float"]
    globals_ = namespace(X=first)
    handle, guard, _ = read(log, seen_in(globals_), "r", False)
    with Counted() as counted:
        globals_["X"] = equal
    assert (handle.valid, guard.holds, log.drained()) == (True, True, [])
    assert counted("breaks", "identity_breaks") == {"breaks": 0, "identity_breaks": 0}


@without_automatic_drain
def test_identity_for_one_is_identity_for_all_who_rely_on_that_value(log):
    """A facet has one bit; what is needless to the others is counted."""
    first, equal = EQUAL["float"]
    globals_ = namespace(X=first)
    function = seen_in(globals_)
    handles = [read(log, function, name, name == "exact")[0] for name in ("before", "exact", "after")]
    globals_["X"] = equal
    assert sorted(log.drained()) == [("invalidated", name) for name in ("after", "before", "exact")]
    globals_["X"] = first
    assert sorted(log.drained()) == [("resumed", name) for name in ("after", "before", "exact")]
    for handle in handles:
        handle.release()
    depwatch.drain()
    again, _, _ = read(log, function, "again", False)
    globals_["X"] = equal
    assert (again.valid, log.drained()) == (True, [])


@without_automatic_drain
def test_who_asks_after_an_equal_object_was_stored_gets_it_and_no_handle_breaks(log):
    first, equal = EQUAL["str"]
    globals_ = namespace(X=first)
    function = seen_in(globals_)
    old, _, _ = read(log, function, "old", False)
    globals_["X"] = equal
    exact, _, value = read(log, function, "exact", True)
    assert value is equal
    assert (old.valid, exact.valid, log.drained()) == (True, True, [])
    globals_["X"] = first
    assert (old.broken, exact.broken) == (1, 1)
    globals_["X"] = equal
    assert (old.valid, exact.valid, log.drained()) == (True, True, [])


def test_another_object_that_is_no_number_or_text_is_another_value_either_way(log):
    globals_ = namespace(X=[1])
    handle, _, _ = read(log, seen_in(globals_), "r", False)
    globals_["X"] = [1]
    assert not handle.valid
