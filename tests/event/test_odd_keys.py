"""Keys that are no plain str: what they may equal, and what their comparison may do."""

import pytest

import depwatch
from claims import Claims
from support import UNKNOWN, Counted, freeze, namespace, seen_in, without_automatic_drain


def subscribed(log, globals_, *names):
    return depwatch.subscribe(log.event, globals_, *names)


# --- only what is certainly about another name is not about this one -------------------------------------------------


class Name(str):
    pass


@pytest.mark.parametrize("name", ["X" * 50, "sch\u00f6n", "\u2603 snow", "\U0001f600 face"])
def test_a_key_that_is_equal_but_another_object_is_the_same_name(log, name):
    globals_ = namespace() | {name: 1}
    handle = log.commit(freeze(globals_, name))
    globals_["".join(list(name))] = 2
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "frozen")]


class Odd:
    """A key that may say that it equals anything."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 1


class Loud(str):
    def __eq__(self, other):
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@without_automatic_drain
@pytest.mark.parametrize(
    "key",
    [Name("Y"), Loud("Y"), 5, 5.5, None, ("X",), b"Y", frozenset(), object(), int, len, compile("0", "", "eval")],
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
def test_a_key_whose_comparison_may_say_anything_retires_what_relies_on_that_dict(log):
    """Nothing tells whether it was equal to one of them, nor when the change is made."""
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    cell, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    globals_[Odd()] = 3
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
@pytest.mark.parametrize("key", [Odd(), Loud("X")], ids=["another class", "a str subclass"])
def test_a_name_is_refused_in_a_dict_with_a_key_of_its_hash_that_may_equal_it(key, monkeypatch):
    """No event tells that a key has changed its mind about that."""
    monkeypatch.setattr(Odd, "__hash__", lambda self: hash("X"))
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
    globals_[Name("X")] = 3
    assert handle.broken == 1
    globals_[Name("X")] = 1
    assert handle.valid
    assert log.drained() == []


@without_automatic_drain
@pytest.mark.parametrize("key", [5, ("tuple",), frozenset()], ids=lambda key: type(key).__name__)
def test_a_key_that_equals_no_str_changes_nothing_beside_an_odd_key_either(log, key):
    """It may equal the odd key, which is stored under another hash than the name."""
    globals_ = {Odd(): 1} | namespace(X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    globals_[key] = 3
    assert (log.drained(), handle.valid) == ([], True)


@without_automatic_drain
def test_an_event_with_another_key_does_not_claim_to_know_the_value_of_this_one(log):
    globals_ = namespace(X=1)
    subscription = subscribed(log, globals_, "X")
    globals_[5] = "five"
    assert [(new, facet) for _, facet, _, new in log.drained()] in ([], [(UNKNOWN, "X")])
    assert globals_["X"] == 1
    subscription.cancel()


@without_automatic_drain
def test_a_str_subclass_with_a_lying_eq_finds_the_stored_name(log):
    class Liar(str):
        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    globals_ = namespace(X=1)
    handle = log.commit(freeze(globals_, "X"))
    globals_[Liar("X")] = 2
    assert globals_ == namespace(X=2)
    assert handle.retired
    assert log.drained() == [("retired", "frozen")]
    assert "may equal any name" in handle.reason


def test_look_ups_that_run_python_and_change_the_dict_end_with_the_value_of_now(log):
    class Meddler:
        """Equal to nothing; when asked for its hash, changes the dict."""

        def __init__(self, stores):
            self.stores = stores

        def __hash__(self):
            if self.stores:
                globals_["X"] = self.stores.pop()
            return 1

        def __eq__(self, other):
            return self is other

    meddler = Meddler([])
    globals_ = {meddler: 0} | namespace(X=1)
    meddler.stores = [2, 3]
    recorder = depwatch.Recorder("r")
    value = recorder.read_global(globals_, "X")
    handle = log.commit(recorder)
    assert value == globals_["X"]
    assert handle.valid
    globals_["X"] = "new"
    assert not handle.valid
    assert log.drained() == [("invalidated", "r")]


def test_reading_a_name_asks_no_key_of_the_namespace_for_its_hash():
    """A dict knows the hashes that it stored its keys under."""

    class Restless:
        def __hash__(self):
            asked.append(self)
            return 1

        def __eq__(self, other):
            return self is other

    asked = []
    globals_ = {Restless(): 0} | namespace(X=1, Y=2)
    asked.clear()
    recorder = depwatch.Recorder("r")
    assert (recorder.read_global(globals_, "X"), recorder.read_global(globals_, "Y")) == (1, 2)
    recorder.close()
    assert asked == []


# --- keys with a mind of their own -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at_first", [False, True])
@without_automatic_drain
def test_a_name_that_a_key_may_or_may_not_equal_is_refused(log, at_first):
    """No event tells that a key has changed its mind about being equal."""

    class Fickle:
        equal = at_first

        def __hash__(self):
            return hash("X")

        def __eq__(self, other):
            return Fickle.equal

    fickle = Fickle()
    globals_ = {"__builtins__": {}, fickle: "of the key"}
    Fickle.equal = False
    globals_["X"] = "of the name"
    Fickle.equal = at_first
    try:
        recorder = depwatch.Recorder("r")
        value = recorder.read_global(globals_, "X")
        handle = log.commit(recorder)
    except depwatch.Unwatchable:
        return
    Fickle.equal = not at_first
    assert globals_["X"] != value
    assert not handle.valid


# --- keys and values with code of their own --------------------------------------------------------------------------


class Meddler:
    """A key that collides with "X", is equal to nothing, and runs an action each time it is compared."""

    def __init__(self):
        self.actions = []

    def __hash__(self):
        return hash("X")

    def __eq__(self, other):
        if self.actions:
            self.actions.pop()()
        return False


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
    meddler, names = Meddler(), {"X": "builtin"}
    globals_ = {meddler: 0} | namespace(names, X="old", Y="old")
    claims = Claims(log)
    with pytest.raises(depwatch.Unwatchable, match="key of type Meddler with the same hash"):
        claims.of_global(globals_, "X")
    claim = claims.of_global(globals_, "Y")
    meddler.actions = [lambda: meddle(globals_, names)]
    access(globals_)
    claims.settled()
    globals_["Y"] = "old"
    claims.settled()
    assert claim.handle.valid


@without_automatic_drain
def test_a_name_that_can_be_watched_no_longer_retires_its_handle_once(log, monkeypatch):
    """It is gone from the namespace, and the builtins have a key that may or may not equal it."""
    monkeypatch.setattr(Odd, "__hash__", lambda self: hash("X"))
    globals_ = namespace({Odd(): 1}, X=1)
    handle = log.commit(freeze(seen_in(globals_), "X"))
    del globals_["X"]
    assert handle.broken == 1
    assert log.drained() == [("retired", "frozen")]
    assert "can no longer be watched" in handle.reason
    assert depwatch.drain() == 0
