"""Lifetimes are the program's: what a store drops for good dies in that store, whoever relies on it or listens."""

import array
import gc
import sys
import types
import weakref

import pytest

import depwatch
from support import UNKNOWN, Counted, at_once, freeze, freeze_attribute, namespace, python, without_automatic_drain


class Value:
    """Says when it dies."""

    def __init__(self, log, name="died"):
        self.log, self.name = log, name

    def __del__(self):
        self.log.append(self.name)


class Items(list):
    """A list that weak references are possible to; a plain one has none."""


def recorder_of(read, *arguments):
    recorder = depwatch.Recorder("frozen")
    read(recorder, *arguments)
    return recorder


# --- where a value can be, and how it can go -------------------------------------------------------------------------


class InDict:
    def __init__(self, value):
        self.owner = namespace(a=1, X=value)
        self.cells = (self.owner, "X")

    def recorder(self):
        return freeze(self.owner, "X")

    def put(self, value):
        self.owner["X"] = value

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: it.owner.__delitem__("X"),
        "popped": lambda it: it.owner.pop("X"),
        "popitem": lambda it: it.owner.popitem(),
        "updated": lambda it: it.owner.update(X=None),
        "merged": lambda it: it.owner.__ior__({"X": None}),
        "cleared": lambda it: it.owner.clear(),
        "run": lambda it: exec("X = None", it.owner),
        "run del": lambda it: exec("del X", it.owner),
        "global": lambda it: exec("def f():\n global X\n X = None\nf()", it.owner),
        "with the dict": lambda it: it.__dict__.clear(),
        "by another key": lambda it: it.owner.__setitem__(type("Key", (str,), {})("X"), None),
    }


class InModule(InDict):
    def __init__(self, value):
        self.owner = types.ModuleType("module")
        self.put(value)
        self.cells = (self.owner, "X")

    def recorder(self):
        return recorder_of(depwatch.Recorder.read_attr, self.owner, "X")

    def put(self, value):
        self.owner.X = value

    ways = {
        "stored": lambda it: it.put(None),
        "setattr": lambda it: setattr(it.owner, "X", None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "with the module": lambda it: it.__dict__.clear(),
        "another class": lambda it: (setattr(it.owner, "__class__", type("M", (types.ModuleType,), {})), it.put(None)),
    }


class InClass(InDict):
    def __init__(self, value):
        self.owner = type("Owner", (), {"X": value})
        self.cells = (self.owner, "X")

    def recorder(self):
        return freeze_attribute(self.owner, "X")

    def put(self, value):
        self.owner.X = value

    ways = {
        "stored": lambda it: it.put(None),
        "type.__setattr__": lambda it: type.__setattr__(it.owner, "X", None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "with the class": lambda it: (it.__dict__.clear(), gc.collect()),
    }


class InBase(InClass):
    """Read through a class that inherits it."""

    def __init__(self, value):
        super().__init__(value)
        self.derived = type("Derived", (self.owner,), {})
        self.cells = (self.derived, "X")

    def recorder(self):
        return freeze_attribute(self.derived, "X")

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "shadowed, then stored": lambda it: (setattr(it.derived, "X", 1), it.put(None)),
    }


class InBuiltins(InDict):
    """Read as a global that the builtins provide."""

    def __init__(self, value):
        self.builtins = {"X": value}
        self.owner = {"__builtins__": self.builtins}
        self.cells = None

    def recorder(self):
        return recorder_of(depwatch.Recorder.read_global, self.owner, "X")

    def put(self, value):
        self.builtins["X"] = value

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: it.builtins.__delitem__("X"),
        "shadowed, then stored": lambda it: at_once((it.owner.__setitem__, "X", 1), (it.builtins.__setitem__, "X", 2)),
    }


class InDefaults(InDict):
    def __init__(self, value):
        self.owner = lambda a=None: a
        self.put(value)
        self.cells = None

    def recorder(self):
        return recorder_of(depwatch.Recorder.read_function, self.owner, "defaults")

    def put(self, value):
        self.owner.__defaults__ = (value,)

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, "__defaults__"),
        "with the function": lambda it: it.__dict__.clear(),
    }


class InKwdefaults(InDefaults):
    def recorder(self):
        return recorder_of(depwatch.Recorder.read_function, self.owner, "kwdefaults")

    def put(self, value):
        self.owner.__kwdefaults__ = {"a": value}

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, "__kwdefaults__"),
        "in place": lambda it: it.owner.__kwdefaults__.__setitem__("a", None),
        "with the function": lambda it: it.__dict__.clear(),
    }


PLACES = [InDict, InModule, InClass, InBase, InBuiltins, InDefaults, InKwdefaults]
WAYS = [(place, way) for place in PLACES for way in place.ways]


def rely(place, log):
    return [place.recorder().commit(on_retire=lambda handle: log.append("retired"))]


def rely_twice(place, log):
    return [*rely(place, log), *rely(place, log), place.recorder()]


def use_cells(place, log):
    recorder = place.recorder()
    if place.cells is not None:
        recorder.value_cell(*place.cells, "object")
        recorder.guard_cell(*place.cells)
    return [recorder.commit()]


def listen(place, log):
    parts = ("defaults", "kwdefaults") if isinstance(place, InDefaults) else ("X",)
    return [depwatch.subscribe(lambda event: None, place.owner, *parts)]


def listen_to_all(place, log):
    owners = [place.owner, *([place.builtins] if isinstance(place, InBuiltins) else [])]
    return [depwatch.subscribe(lambda event: None, owner) for owner in owners]


def do_everything(place, log):
    return [each for act in (rely_twice, use_cells, listen, listen_to_all) for each in act(place, log)]


def release(kept):
    for each in kept:
        if isinstance(each, depwatch.Subscription):
            each.cancel()
    kept.clear()


@pytest.mark.parametrize("interest", [rely, rely_twice, use_cells, listen, listen_to_all, do_everything])
@pytest.mark.parametrize(("place", "way"), WAYS, ids=[f"{place.__name__}, {way}" for place, way in WAYS])
@without_automatic_drain
def test_a_value_that_a_store_drops_dies_in_that_store(place, way, interest):
    log = []
    it = place(Value(log))
    kept = interest(it, log)
    place.ways[way](it)
    assert log[:1] == ["died"]
    depwatch.drain()
    assert set(log[1:]) <= {"retired"}
    release(kept)


@pytest.mark.parametrize("interest", [rely, listen, listen_to_all, do_everything])
@pytest.mark.parametrize("place", [each for each in PLACES if each is not InBuiltins])
@without_automatic_drain
def test_a_new_value_that_is_dropped_before_a_drain_dies_too(place, interest):
    log = []
    it = place(Value(log, "first"))
    kept = interest(it, log)
    it.put(Value(log, "second"))
    it.put(Value(log, "third"))
    assert log == ["first", "second"]
    it.put(None)
    assert log == ["first", "second", "third"]
    release(kept)


@pytest.mark.parametrize("place", PLACES)
@without_automatic_drain
def test_a_value_that_was_away_and_came_back_dies_when_it_is_dropped(place):
    log = []
    it = place(None)
    value = (Value(log),) if isinstance(it, InDefaults) else Value(log)
    put = {
        InDefaults: lambda value: setattr(it.owner, "__defaults__", value),
        InKwdefaults: lambda value: setattr(it.owner, "__kwdefaults__", value),
    }.get(place, it.put)
    if place is InKwdefaults:
        value = {"a": value[0]}
    put(value)
    kept = do_everything(it, log)
    for _ in range(3):
        put(None)
        put(value)
    assert kept[0].valid or place is InKwdefaults  # a drain looks at another dict first
    put(None)
    put(value)
    del value
    assert log == []
    put(None)
    assert log == ["died"]
    release(kept)


@without_automatic_drain
def test_a_value_under_several_names_dies_with_the_last_of_them():
    log = []
    value = [Value(log)]  # no weak reference is possible to a list
    spaces = [namespace(X=value, Y=value), namespace(X=value)]
    owner = type("Owner", (), {"X": value})
    kept = [freeze(space, name).commit() for space in spaces for name in ("X", "Y") if name in space]
    kept.append(freeze_attribute(owner, "X").commit())
    del value
    spaces[0]["X"] = None
    depwatch.drain()
    spaces[0]["Y"] = None
    owner.X = None
    assert log == []
    spaces[1].clear()
    assert log == ["died"]
    depwatch.drain()
    assert [handle.retired for handle in kept] == [True] * 4


@without_automatic_drain
def test_a_value_that_is_in_a_dict_twice_dies_when_that_is_cleared_or_dies():
    for end in (dict.clear, lambda space: None):
        log = []
        value = Value(log)
        space = namespace(X=value, Y=value)
        kept = [freeze(space, "X").commit(), freeze(space, "Y").commit()]
        del value
        end(space)
        del space
        assert log == ["died"]
        depwatch.drain()
        assert [handle.retired for handle in kept] == [True, True]


@without_automatic_drain
def test_a_name_that_is_deleted_and_stored_again_lets_go_before_a_drain():
    log = []
    value = Value(log)
    space = namespace(X=value)
    kept = freeze(space, "X").commit()
    del space["X"]
    space["X"] = value
    del value
    space["X"] = None
    assert log == ["died"]
    depwatch.drain()
    assert kept.retired


@without_automatic_drain
def test_a_file_can_be_opened_anew_when_the_global_that_had_it_is_another(tmp_path):
    class Lock:
        def __init__(self, path):
            self.path = path
            path.touch(exist_ok=False)

        def __del__(self):
            self.path.unlink()

    space = namespace(held=Lock(tmp_path / "lock"))
    handle = freeze(space, "held").commit()
    space["held"] = None
    space["held"] = Lock(tmp_path / "lock")
    assert not handle.valid


@without_automatic_drain
def test_a_destructor_that_stores_puts_nothing_wrong():
    log = []

    class Phoenix:
        def __del__(self):
            if not log:
                space["X"] = self  # inside the store that drops it
            log.append(handle.valid)

    space = namespace(X=Phoenix())
    handle = freeze(space, "X").commit()
    space["X"] = None
    assert log == [False]
    assert type(space["X"]) is Phoenix
    depwatch.drain()
    assert handle.retired
    space["X"] = None
    assert log in ([False], [False, False])  # CPython calls it once


# --- what somebody else has ------------------------------------------------------------------------------------------


# Where the value itself can be put back. (After clear() the dict has no "__builtins__" any more, on which this relies too.)
HEALING = [
    (place, way)
    for place, way in WAYS
    if not issubclass(place, InDefaults) and way not in ("cleared", "another class", "by another key") and "with" not in way
]


@pytest.mark.parametrize(("place", "way"), HEALING, ids=[f"{place.__name__}, {way}" for place, way in HEALING])
@without_automatic_drain
def test_a_value_that_somebody_has_comes_back(place, way):
    log = []
    value = Value(log)
    it = place(value)
    handle = it.recorder().commit()
    place.ways[way](it)
    depwatch.drain()
    assert not handle.valid
    if way == "shadowed, then stored":
        if place is InBase:
            del it.derived.X
        else:
            del it.owner["X"]
    it.put(value)
    depwatch.drain()
    assert handle.valid
    assert log == []


@pytest.mark.parametrize("make", [list, dict, set, Items, lambda: (1, object()), lambda: types.SimpleNamespace()])
@without_automatic_drain
def test_what_others_have_is_let_go_at_the_first_drain_at_which_they_have_not(make):
    log = []
    value = [make(), Value(log)] if make is not dict else {"value": Value(log)}
    space = namespace(X=value)
    handles = [freeze(space, "X").commit(), recorder_of(depwatch.Recorder.read_global, space, "X").commit()]
    space["X"] = None
    depwatch.drain()
    assert [handle.retired for handle in handles] == [False, False]
    del value
    assert log == []
    space["Y"] = depwatch.subscribe(lambda event: None, space, "Z")
    space["Z"] = 1
    depwatch.drain()
    assert log == ["died"]
    depwatch.drain()
    assert [handle.retired for handle in handles] == [True, True]
    space["Y"].cancel()


@without_automatic_drain
def test_a_listener_that_was_given_the_last_reference_lets_it_go_in_that_drain():
    log = []
    value = [Value(log)]
    space = namespace(X=value)
    handle = freeze(space, "X").commit()
    subscription = depwatch.subscribe(lambda event: log.append(type(event.old)), space, "X")
    space["X"] = None
    del value
    depwatch.drain()
    assert log == [list, "died"]
    depwatch.drain()
    assert handle.retired
    subscription.cancel()


def test_a_list_that_catch_warnings_replaces_comes_back():
    python("""
        import warnings, depwatch
        recorder = depwatch.Recorder("r", unstable_after=None)
        recorder.read_attr(warnings, "filters")
        handle = recorder.commit()
        for _ in range(20):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
            depwatch.drain()
        assert handle.valid, depwatch.explain(handle)
        """)


@without_automatic_drain
def test_a_function_that_only_the_builtins_have_comes_back_from_behind_a_global():
    space = {"__builtins__": {"f": lambda: 1}}
    handle = recorder_of(depwatch.Recorder.read_global, space, "f").commit()
    space["f"] = None
    depwatch.drain()
    assert not handle.valid
    del space["f"]
    depwatch.drain()
    assert handle.valid


# --- numbers and texts have no destructor ----------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "equal"), [(10**20, 10**20), (1.5, 1.5), ("some text", "some text"), (None, None)])
@without_automatic_drain
def test_a_scalar_comes_back_though_nobody_had_it(old, equal):
    space = namespace(X=type(old)(str(old)) if old is not None else None)
    handle = freeze(space, "X").commit()
    for way in (lambda: space.pop("X"), lambda: space.__delitem__("X"), lambda: space.update(X=object())):
        way()
        depwatch.drain()
        assert not handle.valid
        space["X"] = type(equal)(str(equal)) if equal is not None else None
        depwatch.drain()
        assert handle.valid


# --- what goes by who else has it ------------------------------------------------------------------------------------


def arrays():
    yield array.array("d", [1, 2])
    yield memoryview(bytearray(4))
    yield type("Array", (array.array,), {})("d", [1])


@pytest.mark.parametrize("kind", range(3))
@without_automatic_drain
def test_nothing_of_ours_is_on_an_array_before_or_after_a_drain(kind):
    value = list(arrays())[kind]
    space = namespace(X=value)
    with_space = sys.getrefcount(value)
    handle = freeze(space, "X").commit()
    subscription = depwatch.subscribe(lambda event: None, space, "X")
    for is_there in (False, True, False):
        space["X"] = value if is_there else None
        for _ in range(2):
            assert (sys.getrefcount(value), weakref.getweakrefcount(value)) == (with_space - (not is_there), 0)
            depwatch.drain()
    assert handle.retired
    assert "depwatch keeps none like it" in handle.reason
    subscription.cancel()


@without_automatic_drain
def test_a_bytearray_can_grow_when_the_program_has_dropped_its_view():
    data = bytearray(4)
    view = memoryview(data)
    space = namespace(VIEW=view)
    handle = freeze(space, "VIEW").commit()
    space["VIEW"] = None
    del view
    data.append(1)
    assert not handle.valid


@without_automatic_drain
def test_an_array_that_is_stored_is_told_if_it_is_still_there():
    heard, value = [], array.array("d", [1])
    space = namespace(X=1)
    subscription = depwatch.subscribe(lambda event: heard.append((event.old, event.new)), space, "X")
    space["X"] = value
    depwatch.drain()
    space["X"] = 2
    depwatch.drain()
    at_once((space.__setitem__, "X", value), (space.__setitem__, "X", 3))
    depwatch.drain()
    assert heard == [(1, value), (UNKNOWN, 2), (2, UNKNOWN), (UNKNOWN, 3)]
    subscription.cancel()


# --- what is told ----------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_old_and_new_values_are_told_as_long_as_somebody_has_them(log):
    value, other = Value([]), Value([])
    space = namespace(X=value)
    subscription = depwatch.subscribe(log.event, space, "X")
    at_once((space.__setitem__, "X", other), (space.__setitem__, "X", value), (space.__setitem__, "X", None))
    assert log.drained() == [
        ("MODIFIED", "X", value, other),
        ("MODIFIED", "X", other, value),
        ("MODIFIED", "X", value, None),
    ]
    space["X"] = Value([])
    at_once((space.__setitem__, "X", None), (space.pop, "X"))
    assert log.drained() == [
        ("MODIFIED", "X", None, UNKNOWN),
        ("MODIFIED", "X", UNKNOWN, None),
        ("DELETED", "X", None, UNKNOWN),
    ]
    subscription.cancel()


@without_automatic_drain
def test_an_explanation_says_that_the_old_value_is_gone():
    space = namespace(X=Value([]), Y=1)
    handle = freeze(space, "X", "Y").commit()
    space["X"] = 5
    assert "<an object that is gone> -> 5, changed at" in depwatch.explain(handle)


@without_automatic_drain
def test_keys_that_are_no_texts_die_with_their_items():
    log = []

    class Key:
        def __del__(self):
            log.append("died")

    space = {}
    subscription = depwatch.subscribe(lambda event: None, space)
    key = Key()
    space[key] = 1
    space.pop(key)
    del key
    assert log == ["died"]
    subscription.cancel()


def test_values_beyond_the_room_for_them_are_let_go_and_nothing_is_wrong():
    python("""
        import depwatch
        spaces = [{f"n{i}": object() for i in range(20_000)} for _ in range(2)]
        handles = []
        for space in spaces:
            for name in space:
                recorder = depwatch.Recorder("r")
                recorder.read_key(space, name) if hasattr(recorder, "read_key") else recorder.read_global(space, name)
                handles.append(recorder.commit())
        copies = [dict(space) for space in spaces]
        for space in spaces:
            space.clear()
        assert not any(handle.valid for handle in handles)
        for space, copied in zip(spaces, copies):
            space.update(copied)
        depwatch.drain()
        healed = sum(handle.valid for handle in handles)
        assert healed + sum(handle.retired for handle in handles) == len(handles)
        assert healed >= 8192, healed
        depwatch._core.check_index()
        """)


@without_automatic_drain
def test_a_break_that_keeps_nothing_still_counts_towards_giving_up():
    space = namespace(X=None)
    for _ in range(6):
        space["X"] = object()
        handle = freeze(space, "X").commit()
        space["X"] = None
        depwatch.drain()
        assert handle.retired
        handle.release()
    with pytest.raises(depwatch.Unstable):
        freeze(space, "X")


def test_what_is_kept_and_let_go_queues_no_more_than_before():
    space = namespace(X=1)
    handle = freeze(space, "X").commit()
    with Counted() as counted:
        at_once(*[(space.__setitem__, "X", [i]) for i in range(100)])
        assert counted("details_queued") == {"details_queued": 1}
    assert not handle.valid
