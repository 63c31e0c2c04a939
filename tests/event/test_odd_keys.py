"""Keys that are no plain str: what they may equal, and what their comparison may do."""

import pytest

import depwatch
from claims import Claims
from fuzz.keys import Key, Loud, Text
from support import UNKNOWN, Counted, freeze, namespace, seen_in, without_automatic_drain


@pytest.mark.parametrize("name", ["X" * 50, "sch\u00f6n", "\u2603 snow", "\U0001f600 face"])
def test_a_key_that_is_equal_but_another_object_is_the_same_name(log, name):
    globals_ = namespace() | {name: 1}
    handle = log.commit(freeze(globals_, name))
    globals_["".join(list(name))] = 2
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


@without_automatic_drain
@pytest.mark.parametrize(
    "key",
    [Text("Y"), Loud("Y"), 5, 5.5, None, ("X",), b"Y", frozenset(), object(), int, len, compile("0", "", "eval")],
    ids=lambda key: type(key).__name__,
)
def test_a_key_that_cannot_equal_the_name_changes_nothing(log, key):
    """By its type's comparison, or because its hash is another; found out without running Python."""
    globals_ = namespace(X=1, Y=2)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        globals_[key] = 3
        assert handle.valid
        del globals_[key]
        assert handle.valid
        assert log.drained() == []
    assert counted("breaks") == {"breaks": 0}


@without_automatic_drain
def test_a_key_that_may_equal_anything_retires_what_relies_on_a_name_of_its_dict(log):
    """Nothing tells whether it was equal to one of them, nor when the change is made."""
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    globals_[Key()] = 3
    assert (handle.retired, cell.value, guard.holds) == (True, UNKNOWN, False)
    assert log.drained() == [("retired", "frozen")]
    assert "may equal any name" in handle.reason
    globals_["X"] = 1.5
    globals_["X"] = 1
    assert (cell.value, guard.holds) == (UNKNOWN, False)
    again = log.commit(freeze(globals_, "X"))
    globals_["Y"] = 2
    assert again.valid
    globals_["X"] = 2
    assert again.broken == 1


@without_automatic_drain
@pytest.mark.parametrize(
    "key", [Key("X"), Key("X", equals=("X",)), Loud("X")], ids=["unequal", "equal", "a str subclass"]
)
def test_a_name_is_refused_where_a_key_of_its_hash_may_equal_it(key):
    """No event tells that a key has changed its mind about that."""
    globals_ = {key: 1} | namespace(Y=1)
    globals_.setdefault("X", 2)
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match=f"key of type {type(key).__name__} with the same hash"):
        recorder.read_global(globals_, "X")
    assert recorder.read_global(globals_, "Y") == 1
    recorder.close()


@without_automatic_drain
def test_a_str_subclass_that_compares_as_str_does_is_the_name(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_[Text("X")] = 3
    assert handle.broken == 1
    globals_[Text("X")] = 1
    assert handle.valid
    assert log.drained() == []


@without_automatic_drain
def test_beside_an_odd_key_any_key_of_unknown_hash_may_be_the_name(log):
    globals_ = {Key(): 1} | namespace(X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    globals_[5] = 3
    assert handle.valid
    globals_[("tuple",)] = 3
    assert handle.retired
    assert log.drained() == [("retired", "frozen")]


@without_automatic_drain
def test_an_event_with_another_key_does_not_claim_to_know_the_value_of_this_one(log):
    globals_ = namespace(X=1)
    subscription = depwatch.subscribe(log.event, globals_, "X")
    globals_[5] = "five"
    assert [(new, facet) for _, facet, _, new in log.drained()] in ([], [(UNKNOWN, "X")])
    assert globals_["X"] == 1
    subscription.cancel()


@without_automatic_drain
def test_a_str_subclass_with_an_eq_of_its_own_retires_what_it_finds(log):
    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_[Loud("X")] = 2
    assert globals_ == namespace(X=2)
    assert handle.retired
    assert log.drained() == [("retired", "frozen")]
    assert "may equal any name" in handle.reason


def test_a_look_up_that_runs_python_which_changes_the_dict_gives_the_value_of_now(log):
    key = Key()
    globals_ = {key: 0} | namespace(X=1)
    key.on_hash = [lambda value=value: globals_.__setitem__("X", value) for value in (2, 3)]
    recorder = depwatch.Recorder("r")
    value = recorder.read_global(globals_, "X")
    handle = log.commit(recorder)
    assert value == globals_["X"]
    assert handle.valid
    globals_["X"] = "new"
    assert not handle.valid
    assert log.drained() == [("invalidated", "r")]


def test_a_namespace_that_changes_at_every_look_up_is_unwatchable():
    def change():
        globals_["X"] = object()
        key.on_hash.append(change)

    key = Key()
    globals_ = {key: 0} | namespace(X=1, Y=2)
    key.on_hash.append(change)
    with pytest.raises(depwatch.Unwatchable, match="changes each time"):
        depwatch.Recorder("r").read_global(globals_, "X")
    key.on_hash.clear()


# --- keys and values with code of their own --------------------------------------------------------------------------


MEDDLING = {
    "stores": lambda d, names: d.__setitem__("X", "meddled"),
    "deletes": lambda d, names: d.pop("X", None),
    "clears": lambda d, names: d.clear(),
    "stores another name": lambda d, names: d.__setitem__("Y", "meddled"),
    "changes the builtins": lambda d, names: names.__setitem__("X", "meddled"),
    "drains": lambda d, names: depwatch.drain(),
    "changes and drains": lambda d, names: (d.__setitem__("X", "meddled"), depwatch.drain()),
}
ACCESSES = {
    "store": lambda d: d.__setitem__("X", "stored"),
    "delete": lambda d: d.pop("X", None),
    "drain": lambda d: (d.__setitem__(5, 5), depwatch.drain()),
    "read": lambda d: d.get("X"),
}


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES)
@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
@without_automatic_drain
def test_a_key_that_changes_the_dict_while_it_is_compared_makes_nothing_stale(log, access, meddle):
    """A name that has its hash is refused, as no event would tell that the key comes to equal it; the others go on."""
    meddler, names = Key("X"), {"X": "builtin"}
    globals_ = {meddler: 0} | namespace(names, X="old", Y="old")
    claims = Claims(log)
    with pytest.raises(depwatch.Unwatchable, match="key of type Key with the same hash"):
        claims.of_global(globals_, "X")
    claim = claims.of_global(globals_, "Y")
    meddler.on_compare = [lambda: meddle(globals_, names)]
    access(globals_)
    claims.settled()
    globals_["Y"] = "old"
    claims.settled()
    assert claim.handle.valid


@without_automatic_drain
def test_a_name_that_can_be_watched_no_longer_retires_its_handle_once(log):
    """It is gone from the namespace, and the builtins have a key that may or may not equal it."""
    globals_ = namespace({Key("X"): 1}, X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    del globals_["X"]
    assert handle.broken == 1
    assert log.drained() == [("retired", "frozen")]
    assert "can no longer be watched" in handle.reason
    assert depwatch.drain() == 0
