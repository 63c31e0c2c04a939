"""Assumptions heal: an undone change makes the handle valid again, in the same callback where that can be trusted."""

import operator
import unittest.mock
import warnings

import pytest

import depwatch
from fuzz.keys import Text
from support import Counted, at_once, byte_at, freeze, namespace, seen_in, store_at_once, without_automatic_drain


def test_the_byte_counts_the_broken_assumptions(log):
    globals_ = namespace(A=1, B=2, C=3)
    handle = log.commit(freeze(globals_, "A", "B", "C"))
    counts = []
    for name, value in [("A", 0), ("B", 0), ("A", 5), ("C", 0), ("A", 1), ("C", 3), ("B", 2)]:
        globals_[name] = value
        counts.append((handle.broken, byte_at(handle.broken_address), handle.valid))
    assert counts == [(n, n, n == 0) for n in (1, 2, 2, 3, 2, 1, 0)]
    depwatch.drain()
    assert handle.valid


@without_automatic_drain
def test_an_undone_change_heals_in_the_same_callback_and_nobody_is_told(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(seen_in(globals_), "X"))
    globals_["X"] = "new"
    assert handle.broken == 1
    globals_["X"] = "old"
    assert handle.broken == 0
    assert log.drained() == []
    assert "1 assumption hold" in depwatch.explain(handle)


def test_an_undone_change_that_a_drain_has_seen_is_told_both_times(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = "new"
    assert log.drained() == [("invalidated", "frozen")]
    globals_["X"] = "old"
    assert handle.valid
    assert log.drained() == [("resumed", "frozen")]


def test_only_the_first_break_invalidates_and_only_the_last_heal_resumes(log):
    globals_ = namespace(A=1, B=2)
    log.commit(freeze(globals_, "A", "B"))
    for name, value, told in [
        ("A", 0, [("invalidated", "frozen")]), ("B", 0, []), ("A", 1, []), ("B", 2, [("resumed", "frozen")]),
    ]:  # fmt: skip
        globals_[name] = value
        assert log.drained() == told


EQUAL = [
    (12345, lambda: int("12345")), (2**100, lambda: int("1" + "0" * 100, 2)), (1.5, lambda: float("1.5")),
    (-(2**100), lambda: -int("1" + "0" * 100, 2)),
    (float("nan"), lambda: float("nan")), ("text" * 9, lambda: "".join(["text"] * 9)), (-7000, lambda: int("-7000")),
    ("sn\u00f6\u2603", lambda: "".join(list("sn\u00f6\u2603"))),
]  # fmt: skip


@without_automatic_drain
@pytest.mark.parametrize("value, again", EQUAL, ids=[repr(value)[:12] for value, _ in EQUAL])
def test_an_exact_scalar_with_the_same_bits_is_the_same_value(log, value, again):
    globals_ = namespace(X=value)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = None
    assert handle.broken == 1
    globals_["X"] = again()
    assert globals_["X"] is not value
    assert handle.broken == 0
    globals_["X"] = None
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


class Number(float):
    pass


DIFFERENT = [
    (0.0, -0.0), (1, True), (1, 1.0), (2**100, -(2**100)), (2**100, 2**100 + 1), (1.0, Number(1.0)), ("a", Text("a")),
    ("a", b"a"), ("a", "\u0430"), ((1,), (1, 2)), (2**64, 2**65), (5, -5), (1 << 30, 1 << 60),
]  # fmt: skip


@pytest.mark.parametrize("value, other", DIFFERENT, ids=repr)
def test_equal_but_different_values_are_different(log, value, other):
    globals_ = namespace(X=value)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = other
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


def test_an_equal_container_is_another_value_and_the_same_container_heals(log):
    value = [1, 2]
    globals_ = namespace(X=value)
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = [1, 2]
    assert log.drained() == [("invalidated", "frozen")]
    globals_["X"] = value
    assert log.drained() == [("resumed", "frozen")]
    assert handle.valid


def test_an_equal_scalar_stored_directly_never_breaks(log):
    globals_ = namespace(X=10**6)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        globals_["X"] = int("1000000")
    assert counted("breaks") == {"breaks": 0}
    assert (handle.valid, log.drained()) == (True, [])


@without_automatic_drain
def test_a_deletion_undone_heals_at_the_drain_and_does_not_count(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X", unstable_after=1))
    for _ in range(20):
        del globals_["X"]
        globals_["X"] = "old"
        assert handle.broken == 1
        assert log.drained() == []
        assert handle.valid


@without_automatic_drain
def test_a_dict_cleared_and_filled_again_holds_after_the_drain(log):
    globals_ = namespace(X="x", Y="y")
    copy = dict(globals_)
    handle = log.commit(freeze(globals_, "X", "Y"))
    globals_.clear()
    assert handle.broken == 3  # "__builtins__", too
    globals_.update(copy)
    assert handle.broken == 3
    assert log.drained() == []
    assert handle.valid


@without_automatic_drain
def test_a_facet_that_is_already_broken_costs_nothing_more(log):
    globals_ = namespace(X=0)
    handles = [log.commit(freeze(globals_, "X")) for _ in range(3)]
    with Counted() as counted:
        store_at_once(globals_, "X", *range(1, 1000))
        assert [handle.broken for handle in handles] == [1, 1, 1]
    assert log.drained() == [("invalidated", "frozen")] * 3
    assert counted("breaks", "restores", "details_queued") == {"breaks": 1, "restores": 0, "details_queued": 1}


@without_automatic_drain
def test_a_conservative_break_that_held_after_all_is_counted_as_needless(log):
    globals_ = namespace(X="x")
    log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        at_once((operator.delitem, globals_, "X"), (operator.setitem, globals_, "X", "x"))
        assert log.drained() == []
        del globals_["X"]
        assert log.drained() == [("invalidated", "frozen")]
    assert counted("conservative_breaks", "needless_breaks") == {"conservative_breaks": 2, "needless_breaks": 1}


# --- what patches things in real programs ----------------------------------------------------------------------------


class Owner:
    attribute = "old"


def test_mock_patch_invalidates_and_resumes(log):
    handle = freeze_owner(log)
    with unittest.mock.patch.object(Owner, "attribute", "patched"):
        assert log.drained() == [("invalidated", "r")]
        assert handle.broken == 1
    assert log.drained() == [("resumed", "r")]
    assert handle.valid


def freeze_owner(log):
    recorder = depwatch.Recorder("r")
    recorder.read_type_attr(Owner, "attribute")
    return log.commit(recorder)


def test_mock_patch_dict_invalidates_and_resumes(log):
    globals_ = namespace(X="old", Y=1)
    handle = log.commit(freeze(globals_, "X"))
    with unittest.mock.patch.dict(globals_, X="patched"):
        assert log.drained() == [("invalidated", "frozen")]
    assert log.drained() == [("resumed", "frozen")]
    assert handle.valid


def test_monkeypatch_and_catch_warnings_invalidate_and_resume(log, monkeypatch):
    recorder = depwatch.Recorder("r")
    recorder.read_attr(warnings, "showwarning")
    handle = log.commit(recorder)
    with monkeypatch.context() as patched:
        patched.setattr(warnings, "showwarning", lambda *arguments: None)
        assert log.drained() == [("invalidated", "r")]
    assert log.drained() == [("resumed", "r")]
    assert handle.valid


# --- another value recorded ------------------------------------------------------------------------------------------


def test_recording_another_value_retires_the_handles_that_wait_for_the_old_one(log):
    globals_ = namespace(X="old")
    first = log.commit(freeze(globals_, "X", name="first"))
    globals_["X"] = "new"
    assert log.drained() == [("invalidated", "first")]
    second = log.commit(freeze(globals_, "X", name="second"))
    assert log.drained() == [("retired", "first")]
    assert (first.retired, second.valid) == (True, True)
    globals_["X"] = "old"
    assert (first.retired, second.broken) == (True, 1)
    assert log.drained() == [("invalidated", "second")]
    assert "another value" in first.reason


def test_recording_the_same_value_again_retires_nobody(log):
    globals_ = namespace(X="old")
    first = log.commit(freeze(globals_, "X", name="first"))
    globals_["X"] = "new"
    globals_["X"] = "old"
    second = log.commit(freeze(globals_, "X", name="second"))
    depwatch.drain()
    assert (first.valid, second.valid) == (True, True)
    assert ("retired", "first") not in log


def test_a_handle_with_255_or_more_broken_assumptions_is_retired_and_never_runs(log):
    names = [f"N{i}" for i in range(400)]
    globals_ = namespace(**dict.fromkeys(names, 1))
    handle = log.commit(freeze(globals_, *names))
    for name in names:
        globals_[name] = 2
        assert handle.broken in range(1, 256)
    assert handle.retired
    for name in names:
        globals_[name] = 1
        assert not handle.valid
    depwatch.drain()
    assert handle.retired
    assert log.drained()[-1] == ("retired", "frozen")
    assert depwatch.explain(handle)


def test_many_handles_of_one_facet_break_and_mend_together(log):
    globals_ = namespace(X="old")
    handles = [freeze(globals_, "X").commit() for _ in range(1000)]
    handles[500].retire("alone")
    handles[501].release()
    globals_["X"] = "new"
    assert [handle.broken for handle in handles if not handle.released] == [1] * 500 + [255] + [1] * 498
    globals_["X"] = "old"
    assert [handle.broken for handle in handles if not handle.released] == [0] * 500 + [255] + [0] * 498
