"""Lifetimes are the program's: what a store drops for good dies in that store, whoever relies on it or listens."""

import array
import gc
import sys
import types
import weakref

import pytest

import depwatch
from support import UNKNOWN, at_once, freeze, freeze_attribute, namespace, python, without_automatic_drain


class Value:
    """Says when it dies."""

    def __init__(self, log, name="died"):
        self.log, self.name = log, name

    def __del__(self):
        self.log.append(self.name)


class Items(list):
    """A list that weak references are possible to; a plain one has none."""


def reads(method, *arguments):
    recorder = depwatch.Recorder("frozen")
    getattr(recorder, method)(*arguments)
    return recorder


# --- where a value can be, and how it can go -------------------------------------------------------------------------


class InDict:
    cells = True

    def __init__(self, value):
        self.owner = namespace(a=1)
        self.put(value)

    def recorder(self):
        return reads("read_global", self.owner, "X")

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
        "moved to its place, then stored": lambda it: (it.put(it.owner.pop("X")), it.put(None)),
        "beside an odd key": lambda it: (it.owner.update({5: it.owner.pop("X")}), it.put(it.owner.pop(5)), it.put(1)),
    }


class InInstance(InDict):
    """Whose dict shares its keys with those of other instances."""

    def __init__(self, value):
        self.instance = type("Type", (), {})()
        self.owner = vars(self.instance)
        self.put(value)

    ways = {name: InDict.ways[name] for name in ("stored", "deleted", "moved to its place, then stored")} | {
        "setattr": lambda it: setattr(it.instance, "X", None)
    }


class InModule(InDict):
    def __init__(self, value):
        self.owner = types.ModuleType("module")
        self.put(value)

    def recorder(self):
        return reads("read_attr", self.owner, "X")

    def put(self, value):
        self.owner.X = value

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "with the module": lambda it: it.__dict__.clear(),
        "another class": lambda it: (setattr(it.owner, "__class__", type("M", (types.ModuleType,), {})), it.put(None)),
    }


class InClass(InModule):
    def __init__(self, value):
        self.owner = type("Owner", (), {"X": value})

    def recorder(self):
        return freeze_attribute(self.owner, "X")

    ways = {
        "stored": lambda it: it.put(None),
        "type.__setattr__": lambda it: type.__setattr__(it.owner, "X", None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "with the class": lambda it: (it.__dict__.clear(), gc.collect()),
    }


class InBase(InClass):
    """Read through a class that inherits it."""

    cells = False

    def __init__(self, value):
        super().__init__(value)
        self.derived = type("Derived", (self.owner,), {})

    def recorder(self):
        return freeze_attribute(self.derived, "X")

    def unshadow(self):
        del self.derived.X

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, "X"),
        "shadowed, then stored": lambda it: (setattr(it.derived, "X", 1), it.put(None)),
    }


class InBuiltins(InDict):
    """Read as a global that the builtins provide."""

    cells = False

    def __init__(self, value):
        self.builtins = {"X": value}
        self.owner = {"__builtins__": self.builtins}

    def put(self, value):
        self.builtins["X"] = value

    def unshadow(self):
        del self.owner["X"]

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: it.builtins.__delitem__("X"),
        "shadowed, then stored": lambda it: at_once((it.owner.__setitem__, "X", 1), (it.builtins.__setitem__, "X", 2)),
    }


class InDefaults(InDict):
    part, cells = "defaults", False

    def __init__(self, value):
        self.owner = lambda a=None: a
        self.put(value)

    def recorder(self):
        return reads("read_function", self.owner, self.part)

    def put(self, value):
        self.owner.__defaults__ = (value,)

    ways = {
        "stored": lambda it: it.put(None),
        "deleted": lambda it: delattr(it.owner, f"__{it.part}__"),
        "with the function": lambda it: it.__dict__.clear(),
    }


class InKwdefaults(InDefaults):
    part = "kwdefaults"

    def put(self, value):
        self.owner.__kwdefaults__ = {"a": value}

    ways = InDefaults.ways | {"in place": lambda it: it.owner.__kwdefaults__.__setitem__("a", None)}


PLACES = [InDict, InModule, InClass, InBase, InBuiltins, InDefaults, InKwdefaults]
if sys.version_info[:2] != (3, 13):  # which refuses it
    PLACES.append(InInstance)
WAYS = [(place, way) for place in PLACES for way in place.ways]
# Where the value itself can be put back. (After clear() "__builtins__" is gone, too, on which a global relies.)
FOR_GOOD = ("cleared", "another class", "by another key")
HEALING = [
    (place, way)
    for place, way in WAYS
    if not issubclass(place, InDefaults) and way not in FOR_GOOD and not way.startswith("with")
]


def ids(ways):
    return [f"{place.__name__}, {way}" for place, way in ways]


def rely(it, log):
    return [it.recorder().commit(on_retire=lambda handle: log.append("retired"))]


def rely_twice(it, log):
    return [*rely(it, log), *rely(it, log), it.recorder()]


def use_cells(it, log):
    recorder = it.recorder()
    if it.cells:
        recorder.value_cell(it.owner, "X", "object")
        recorder.guard_cell(it.owner, "X")
    return [recorder.commit()]


def listen(it, log):
    return [depwatch.subscribe(lambda event: None, it.owner, getattr(it, "part", "X"))]


def listen_to_all(it, log):
    return [depwatch.subscribe(lambda event: None, owner) for owner in (it.owner, getattr(it, "builtins", it.owner))]


def do_everything(it, log):
    return [each for act in (rely_twice, use_cells, listen, listen_to_all) for each in act(it, log)]


def end(interests):
    for each in interests:
        if isinstance(each, depwatch.Subscription):
            each.cancel()


@pytest.mark.parametrize("interest", [rely, rely_twice, use_cells, listen, listen_to_all, do_everything])
@pytest.mark.parametrize(("place", "way"), WAYS, ids=ids(WAYS))
@without_automatic_drain
def test_a_value_that_a_store_drops_dies_in_that_store(place, way, interest):
    log = []
    it = place(Value(log))
    interests = interest(it, log)
    place.ways[way](it)
    assert log[:1] == ["died"]
    depwatch.drain()
    assert set(log[1:]) <= {"retired"}
    end(interests)


@pytest.mark.parametrize("interest", [rely, listen, listen_to_all, do_everything])
@pytest.mark.parametrize("place", PLACES)
@without_automatic_drain
def test_a_new_value_that_is_dropped_before_a_drain_dies_too(place, interest):
    log = []
    it = place(Value(log, "first"))
    interests = interest(it, log)
    for name in ("second", "third"):
        it.put(Value(log, name))
    it.put(None)
    assert log == ["first", "second", "third"]
    end(interests)


KEYS = {"text": "X", "number": 5, "fraction": 0.5, "instance": object()}


@pytest.mark.parametrize("size", [0, 20, 300, 70_000])  # a table has indices of 1, 2 or 4 bytes
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@without_automatic_drain
def test_of_a_dict_that_is_watched_as_a_whole_each_value_dies_in_its_store(key, size):
    log, space = [], {f"name {i}": i for i in range(size)}
    for i in range(0, size, 2):
        del space[f"name {i}"]
    subscription = depwatch.subscribe(lambda event: None, space)
    for name in ("first", "second"):
        space[key] = Value(log, name)
    del space[key]
    assert log == ["first", "second"]
    subscription.cancel()


@pytest.mark.parametrize("place", [place for place in PLACES if not issubclass(place, InDefaults)])
@without_automatic_drain
def test_a_value_that_was_away_and_came_back_dies_when_it_is_dropped(place):
    log = []
    value = Value(log)
    it = place(value)
    interests = do_everything(it, log)
    for _ in range(3):
        it.put(None)
        it.put(value)
    assert interests[0].valid
    it.put(None)
    it.put(value)
    del value
    assert log == []
    it.put(None)
    assert log == ["died"]
    end(interests)


@without_automatic_drain
def test_a_value_under_several_names_dies_with_the_last_of_them():
    log = []
    value = [Value(log)]  # no weak reference is possible to a list
    spaces = [namespace(X=value, Y=value), namespace(X=value)]
    owner = type("Owner", (), {"X": value})
    handles = [freeze(space, name).commit() for space in spaces for name in ("X", "Y") if name in space]
    handles.append(freeze_attribute(owner, "X").commit())
    del value
    spaces[0]["X"] = None
    depwatch.drain()
    spaces[0]["Y"] = owner.X = None
    assert log == []
    spaces[1].clear()
    assert log == ["died"]
    depwatch.drain()
    assert [handle.retired for handle in handles] == [True] * 4


@pytest.mark.parametrize("end", [dict.clear, lambda space: None], ids=["clear", "death"])
@without_automatic_drain
def test_a_value_that_is_in_a_dict_twice_dies_with_all_that_is_in_it(end):
    log = []
    space = namespace(X=Value(log))
    space["Y"] = space["X"]
    handles = [freeze(space, "X").commit(), freeze(space, "Y").commit()]
    end(space)
    del space
    assert log == ["died"]
    depwatch.drain()
    assert [handle.retired for handle in handles] == [True, True]


@without_automatic_drain
def test_a_destructor_that_stores_itself_anew_puts_nothing_wrong():
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


# --- what somebody else has ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "way"), HEALING, ids=ids(HEALING))
@without_automatic_drain
def test_a_value_that_somebody_has_comes_back(place, way):
    log = []
    value = Value(log)
    it = place(value)
    handle = it.recorder().commit()
    place.ways[way](it)
    depwatch.drain()
    assert not handle.valid
    if "shadowed" in way:
        it.unshadow()
    it.put(value)
    depwatch.drain()
    assert handle.valid
    assert log == []


@pytest.mark.parametrize("make", [list, dict, set, Items, lambda: (1, object()), lambda: types.SimpleNamespace()])
@without_automatic_drain
def test_what_others_have_is_let_go_at_the_first_drain_at_which_they_have_not(make):
    log = []
    value = [make(), Value(log)]
    space = namespace(X=value)
    handles = [freeze(space, "X").commit() for _ in range(2)]
    space["X"] = None
    depwatch.drain()
    assert [handle.retired for handle in handles] == [False, False]
    del value
    assert log == []
    handles.append(freeze(space, "X").commit())  # a public call: it drains
    depwatch.drain()
    assert log == ["died"]
    depwatch.drain()
    assert [handle.retired for handle in handles] == [True, True, False]


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


@pytest.mark.parametrize("make", [lambda: int("1" * 20), lambda: float("1.5"), lambda: str(1.5), lambda: None])
@without_automatic_drain
def test_numbers_and_texts_have_no_destructor_and_come_back_though_nobody_had_them(make):
    space = namespace(X=make())
    handle = freeze(space, "X").commit()
    for way in (lambda: space.pop("X"), lambda: space.update(X=object())):
        way()
        depwatch.drain()
        assert not handle.valid
        space["X"] = make()
        depwatch.drain()
        assert handle.valid


@pytest.mark.slow
def test_values_beyond_the_room_for_them_are_let_go_and_nothing_is_wrong():
    python("""
        import depwatch
        space = {f"n{i}": object() for i in range(40_000)}
        handles = []
        for name in space:
            recorder = depwatch.Recorder("r")
            recorder.read_global(space, name)
            handles.append(recorder.commit())
        copied = dict(space)
        space.clear()
        assert not any(handle.valid for handle in handles)
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


# --- what goes by who else has it ------------------------------------------------------------------------------------

ARRAYS = [
    lambda: array.array("d", [1, 2]),
    lambda: memoryview(bytearray(4)),
    lambda: type("Array", (array.array,), {})("d", [1]),
]


@pytest.mark.parametrize("make", ARRAYS)
@without_automatic_drain
def test_nothing_of_ours_is_on_an_array_before_or_after_a_drain(make):
    value = make()
    space = namespace(X=value)
    with_space = sys.getrefcount(value)
    handle = freeze(space, "X").commit()
    subscription = depwatch.subscribe(lambda event: None, space, "X")
    for is_there in (False, True, False):
        space["X"] = value if is_there else None
        for _ in range(2):
            assert (sys.getrefcount(value), weakref.getweakrefcount(value)) == (with_space - (not is_there), 0)
            depwatch.drain()
    assert "depwatch keeps none of its type" in handle.reason
    subscription.cancel()


# --- what is told ----------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_old_and_new_values_are_told_as_long_as_somebody_has_them(log):
    value, other, numbers = Value([]), Value([]), array.array("d", [1])
    space = namespace(X=value)
    subscription = depwatch.subscribe(log.event, space, "X")
    for each in (other, value, None):
        space["X"] = each
    space["X"] = Value([])
    space["X"] = None
    space["X"] = numbers
    assert log.drained() == [
        ("MODIFIED", "X", value, other),
        ("MODIFIED", "X", other, value),
        ("MODIFIED", "X", value, None),
        ("MODIFIED", "X", None, UNKNOWN),
        ("MODIFIED", "X", UNKNOWN, None),
        ("MODIFIED", "X", None, numbers),  # of an array, only what is still there
    ]
    at_once((space.__setitem__, "X", 2), (space.__setitem__, "X", numbers), (space.pop, "X"))
    assert log.drained() == [
        ("MODIFIED", "X", UNKNOWN, 2),
        ("MODIFIED", "X", 2, UNKNOWN),
        ("DELETED", "X", UNKNOWN, UNKNOWN),
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
    log, space = [], {}
    subscription = depwatch.subscribe(lambda event: None, space)
    space[Value(log)] = 1
    space.popitem()
    assert log == ["died"]
    subscription.cancel()
