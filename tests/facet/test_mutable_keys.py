"""Keys that are no exact str: whether one equals a name may change without an event; only immutable types are sure."""

import gc
import types

import pytest

import depwatch
from support import UNKNOWN, freeze, freeze_attribute, namespace, seen_in, without_automatic_drain


def key_types():
    """A class whose instances have the hash of "X" and equal nothing yet, with its base; and a str subclass."""

    class Base:
        pass

    class Key(Base):
        def __hash__(self):
            return hash("X")

    return Base, Key, type("Name", (str,), {})


class Equal:
    """Says that it equals "X"."""

    def __hash__(self):
        return hash("X")

    def __eq__(self, other):
        return other == "X"


def own_eq(base, key):
    type(key).__eq__ = Equal.__eq__


def eq_of_a_base(base, key):
    base.__eq__ = Equal.__eq__


def bases_with_eq(base, key):
    class WithEq(base):
        __eq__ = Equal.__eq__
        __hash__ = Equal.__hash__

    type(key).__bases__ = (WithEq,)


def class_with_eq(base, key):
    key.__class__ = Equal


def another_hash_first(base, key):
    type(key).__hash__ = object.__hash__
    own_eq(base, key)


CHANGES = [own_eq, eq_of_a_base, bases_with_eq, class_with_eq, another_hash_first]


def class_dict(cls):
    return gc.get_referents(vars(cls))[0]


def global_of(key):
    names = namespace() | {key: "by the key"}
    return lambda recorder: recorder.read_global(seen_in(names), "X"), lambda: names["X"]


def global_beside(key):
    """An exact str and the key, under one hash: which of them is found first is for the table to say."""
    names = namespace(X=1) | {key: "by the key"}
    return lambda recorder: recorder.read_global(names, "X"), lambda: names["X"]


def builtin_of(key):
    builtins = {key: "by the key", "X": 1}
    names = namespace(builtins)
    return lambda recorder: recorder.read_global(seen_in(names), "X"), lambda: builtins["X"]


def module_attribute_of(key):
    module = types.ModuleType("m")
    module.X = 1
    vars(module)[key] = "by the key"
    return lambda recorder: recorder.read_attr(module, "X"), lambda: vars(module)["X"]


def attribute_of(key):
    cls = type("C", (), {"X": 1})
    class_dict(cls)[key] = "by the key"
    return lambda recorder: recorder.read_type_attr(cls, "X"), lambda: vars(cls)["X"]


PLACES = [global_of, global_beside, builtin_of, module_attribute_of, attribute_of]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_name_is_refused_beside_a_key_that_may_come_to_equal_it(place, change):
    base, Key, _ = key_types()
    key = Key()
    read, _ = place(key)
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match=r"key of type Key with the same hash.*use only keys of type str"):
        read(recorder)
    change(base, key)
    with pytest.raises(depwatch.Unwatchable, match=r"key of type \w+ with the same hash"):
        read(recorder)
    recorder.close()


@pytest.mark.parametrize("place", [global_of, builtin_of, attribute_of])
def test_a_name_is_refused_where_a_str_subclass_stands_for_it(place):
    *_, Name = key_types()
    read, _ = place(Name("X")) if place is global_of else place(Name("Y"))
    recorder = depwatch.Recorder("r")
    if place is not global_of:
        assert read(recorder) == 1  # the other key is stored under another hash
        recorder.close()
        return
    with pytest.raises(depwatch.Unwatchable, match="key of type Name with the same hash"):
        read(recorder)
    recorder.close()


def test_a_key_counts_by_the_hash_that_it_was_stored_under():
    _, Key, _ = key_types()
    names = namespace() | {Key(): 1, "Y": 2}
    Key.__hash__ = lambda self: hash("Y")
    recorder = depwatch.Recorder("r")
    assert recorder.read_global(names, "Y") == 2
    with pytest.raises(depwatch.Unwatchable, match="key of type Key with the same hash"):
        recorder.read_global(names, "X")
    recorder.close()


def a_module():
    class First(types.ModuleType):
        __hash__ = Equal.__hash__

    return First("key")


def test_a_module_as_a_key_may_get_another_class():
    key = a_module()
    names = namespace() | {key: "by the module"}
    key.__class__ = types.ModuleType
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match="key of type module with the same hash"):
        recorder.read_global(names, "X")
    recorder.close()


def test_a_class_as_a_key_is_as_sure_as_its_metaclass():
    meta = type("Meta", (type,), {"__hash__": Equal.__hash__})
    names = namespace() | {meta("C", (), {}): "by the class"}
    recorder = depwatch.Recorder("r")
    with pytest.raises(depwatch.Unwatchable, match="key of type Meta with the same hash"):
        recorder.read_global(names, "X")
    recorder.close()


ROUTES = {
    "setitem": lambda names, key: names.__setitem__(key, 2),
    "setdefault": lambda names, key: names.setdefault(key, 2),
    "update": lambda names, key: names.update({key: 2}),
    "or": lambda names, key: names.__ior__({key: 2}),
}


@pytest.mark.parametrize("store", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("kind", ["an instance", "a str subclass"])
@without_automatic_drain
def test_a_key_that_may_come_to_equal_a_name_retires_when_it_is_stored(log, kind, store):
    base, Key, Name = key_types()
    names = namespace(Y=1)
    builtins = names["__builtins__"]
    builtins["X"] = 1
    recorder = freeze(seen_in(names), "X")
    cell, guard = (getattr(recorder, make)(seen_in(names), "X", *rest) for make, rest in
                   (("value_cell", ("object",)), ("guard_cell", ())))  # fmt: skip
    handle, other = log.commit(recorder), log.commit(freeze(seen_in(names), "Y", name="other"))
    key = Key() if kind == "an instance" else Name("X")
    store(names, key)
    assert (handle.retired, guard.holds, cell.value) == (True, False, UNKNOWN)
    own_eq(base, key)
    type(key).__hash__ = Equal.__hash__
    assert eval("X", names) == 2
    assert other.valid is (kind == "a str subclass")  # the hash of an instance whose class has a __hash__ is not known
    others = [] if other.valid else [("retired", "other")]
    assert sorted(log.drained()) == [("retired", "frozen"), *others]
    assert (guard.holds, cell.value) == (False, UNKNOWN)


@without_automatic_drain
def test_a_store_by_a_str_subclass_under_a_key_that_is_there_is_one_by_name(log):
    """The dict keeps the key that it has."""
    *_, Name = key_types()
    names = namespace(X=1)
    handle = log.commit(freeze(names, "X"))
    names[Name("X")] = 2
    assert handle.broken == 1
    names[Name("X")] = 1
    assert (handle.valid, log.drained()) == (True, [])
    assert type(next(key for key in names if key == "X")) is str


class Plain:
    pass


@pytest.mark.parametrize(
    "key",
    [Plain(), types.ModuleType("m"), Plain, int, len, lambda: 1, type("Meta", (type,), {})("C", (), {}), object()],
    ids=["instance", "module", "class", "static type", "builtin", "function", "class of a metaclass", "object"],
)
@without_automatic_drain
def test_a_key_that_is_hashed_by_its_identity_concerns_no_name(log, key):
    names, cls = namespace(X=1), type("C", (), {"X": 1})
    handles = [log.commit(freeze(names, "X")), log.commit(freeze_attribute(cls, "X"))]
    for where in (names, class_dict(cls)):
        where[key] = 1
        where[key] = 2
        del where[key]
        where[key] = 3
    assert all(handle.valid for handle in handles)
    assert log.drained() == []
    assert freeze(names, "X").commit().valid


def test_a_name_that_a_key_has_come_to_equal_is_refused_when_that_key_is_removed(log):
    class Text(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            return self is other

    names = {"X": 2, Text("X"): 3}
    globals_ = namespace(names, X=1)
    function = seen_in(globals_)
    handle = log.commit(freeze(function, "X"))
    del globals_["X"]
    assert log.drained() == [("retired", "frozen")]
    del Text.__eq__, Text.__hash__
    del names["X"]  # and the other key is left, which spells the same
    assert handle.retired
    depwatch.drain()
    assert not depwatch._core.unsettled()
    with pytest.raises(depwatch.Unwatchable, match="also has a key of type Text with the same hash"):
        depwatch.Recorder("r").read_global(function, "X")


def test_a_name_can_be_read_again_when_its_delete_drops_a_key_that_equals_it(log):
    class Late:
        def __hash__(self):
            return hash("X")

    names = {Late(): 3, "X": 2}
    globals_ = namespace(names, X=1)
    function = seen_in(globals_)
    handle = log.commit(freeze(function, "X"))
    del globals_["X"]
    assert log.drained() == [("retired", "frozen")]
    Late.__eq__ = lambda self, other: True
    del names["X"]  # the dict drops the other key, which comes first
    assert names == {"X": 2}
    assert handle.retired
    assert freeze(function, "X").commit().valid
    assert not depwatch._core.unsettled()


def test_a_missing_attribute_of_a_module_asks_no_key_whether_it_equals_a_name():
    asked = []

    class Key:
        def __init__(self, like):
            self.like = like

        def __hash__(self):
            return hash(self.like)

        def __eq__(self, other):
            asked.append(other)
            return False

    for name in ("__getattr__", "__name__"):
        module = types.ModuleType("program")
        vars(module)[Key(name)] = 1
        asked.clear()
        with pytest.raises(depwatch.Unwatchable, match="also has a key of type Key with the same hash"):
            depwatch.Recorder("r").read_attr(module, "missing")
        assert asked == []
