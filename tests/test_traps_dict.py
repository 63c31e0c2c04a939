"""Namespaces: every way to rebind a name, to empty and fill a dict, and keys, values and builtins that fight back."""

import builtins
import operator
import sys
import types

import pytest

import depwatch
from claims import MISSING, Claims
from host.versions import MISSES_INSTANCE_STORES
from support import UNKNOWN, at_once, namespace, without_automatic_drain

# --- names that code binds -------------------------------------------------------------------------------------------

REBINDINGS = [
    "X = 2",
    "X += 'more'",
    "X: int = 2",
    "(X := 2)",
    "[X := i for i in (1, 2)]",
    "(lambda: [X for X in (1, 2)])(); X = 3",
    "def X(): pass",
    "class X: pass",
    "type X = int",
    "import sys as X",
    "from sys import path as X",
    "from library import *",
    "for X in (1, 2): pass",
    "with manager() as X: pass",
    "try: raise ValueError\nexcept ValueError as X: pass",
    "match 5:\n    case X: pass",
    "def f():\n    global X\n    X = 2\nf()",
    "class C:\n    global X\n    X = 2",
    "def g():\n    global X\n    yield\n    X = 2\nlist(g())",
    "del X",
    "exec('X = 2')",
    "eval('(X := 2)')",
    "globals()['X'] = 2",
    "locals()['X'] = 2",
    "vars()['X'] = 2",
    "sys._getframe().f_locals['X'] = 2",
    "sys._getframe().f_globals['X'] = 2",
    "(lambda: 1).__globals__['X'] = 2",
    "globals().update({'X': 2})",
    "globals().__ior__({'X': 2})",
    "globals().pop('X')",
    "globals().clear()",
    "while globals().popitem()[0] != 'X': pass",
]


class Manager:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.mark.parametrize("statement", REBINDINGS)
@without_automatic_drain
def test_every_statement_that_rebinds_a_global_breaks_it_and_the_old_object_mends_it(log, monkeypatch, statement):
    library = types.ModuleType("library")
    library.X = 2
    monkeypatch.setitem(sys.modules, "library", library)
    old = "".join(["o", "ld"])
    globals_ = {"__builtins__": builtins, "manager": Manager, "sys": sys, "X": old}
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    exec(statement, globals_)
    assert globals_.get("X") is not old
    claims.changed(claim)
    globals_["X"] = old
    claims.restored(claim)


@pytest.mark.parametrize("statement", [
    "[X for X in (1, 2)]", "(lambda X: X)(2)", "def f(): X = 2\nf()", "class C: X = 2", "X", "dir(); repr(X)",
    "import sys as Y", "try: raise ValueError\nexcept ValueError as Y: pass", "exec('X = 2', {})",
    "exec('X = 2', {}, {})",
    "exec('X = 2', None, {})", "globals() | {'X': 2}", "dict(globals()).update(X=2)", "X = X",
])  # fmt: skip
@without_automatic_drain
def test_a_statement_that_binds_the_name_elsewhere_changes_nothing(log, statement):
    globals_ = {"__builtins__": builtins, "X": "old"}
    claims = Claims(log)
    claims.of_global(globals_, "X")
    exec(statement, globals_)
    claims.unchanged()


@without_automatic_drain
def test_a_mapping_that_fails_in_the_middle_of_an_update_has_changed_what_it_has_changed(log):
    class Failing:
        def keys(self):
            return "XYZ"

        def __getitem__(self, key):
            return {"X": "x", "Y": "y"}[key]

    globals_ = namespace(X=1, Y=2, Z=3)
    claims = Claims(log)
    x, y, _ = (claims.of_global(globals_, name) for name in "XYZ")
    with pytest.raises(KeyError):
        globals_.update(Failing())
    claims.changed(x, y)
    with pytest.raises(ValueError):
        globals_.update([("X", 1), ("Y",)])
    claims.restored(x)


@without_automatic_drain
def test_a_change_that_is_refused_is_no_change(log):
    claims = Claims(log)
    globals_ = namespace(X=1)
    claims.of_global(globals_, "X")
    for error, change in (
        (TypeError, lambda: operator.setitem(globals_, [], 2)),
        (KeyError, lambda: globals_.pop("Y")),
        (TypeError, lambda: globals_.update(5)),
        (TypeError, lambda: operator.setitem(types.MappingProxyType(globals_), "X", 2)),
    ):
        with pytest.raises(error):
            change()
    claims.unchanged()


# --- emptied and filled ----------------------------------------------------------------------------------------------

FILLINGS = {
    "update": lambda d, source: d.update(source),
    "|=": operator.ior,
    "__init__": lambda d, source: d.__init__(source),
    "update, subclass": lambda d, source: d.update(type("Sub", (dict,), {})(source)),
    "update, source with holes": lambda d, source: d.update(with_hole(source)),
    "update, pairs": lambda d, source: d.update(source.items()),
    "update, keywords": lambda d, source: d.update(**source),
}


def with_hole(source):
    copy = dict(source)
    copy["hole"] = 1
    del copy["hole"]
    return copy


@pytest.mark.parametrize("which", ["globals", "builtins"])
@pytest.mark.parametrize("fill", FILLINGS.values(), ids=FILLINGS)
@without_automatic_drain
def test_an_emptied_dict_that_is_filled_from_another_holds_again_exactly_if_the_value_is_the_same(log, fill, which):
    value = object()
    names = {"X": value}
    globals_ = namespace(names) if which == "builtins" else namespace(X=value)
    emptied = names if which == "builtins" else globals_
    before = dict(emptied)
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    emptied.clear()
    claims.changed(claim)
    fill(emptied, before | {"X": object()})
    assert claim.handle.broken == 1
    assert claims.settled() == []
    emptied.clear()
    assert claims.settled() == []
    fill(emptied, before)
    claims.restored(claim)


@pytest.mark.parametrize("value, told", [(2, [("invalidated", "global X 0")]), (1, [])])
@without_automatic_drain
def test_emptied_and_filled_from_another_before_any_drain_is_broken_until_the_drain_has_looked(log, value, told):
    globals_ = namespace(X=1)
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    at_once((dict.clear, globals_), (dict.update, globals_, {"X": value}))
    assert claim.handle.broken == 1
    assert claims.settled() == told


@without_automatic_drain
def test_globals_filled_by_a_clone_shadow_the_builtins(log):
    globals_, names = {}, {"X": "builtin"}
    globals_["__builtins__"] = names
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    del globals_["__builtins__"]
    claims.unchanged()
    globals_.update({"X": "global"})
    claims.changed(claim)
    globals_.clear()
    claims.restored(claim)


# --- builtins --------------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_delete_then_the_builtin_then_add_again(log):
    value = object()
    names, globals_ = {"X": "builtin"}, None
    globals_ = namespace(names, X=value)
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    del globals_["X"]
    claims.changed(claim)
    assert claim.cell.value == "builtin"
    names["X"] = "other builtin"
    assert claims.settled() == []
    globals_["X"] = "other"
    assert claims.settled() == []
    names["X"] = value  # of no avail: it is shadowed
    assert claims.settled() == []
    del globals_["X"]
    claims.restored(claim)
    names["X"] = "builtin"
    claims.changed(claim)
    globals_["X"] = value
    claims.restored(claim)
    at_once((operator.delitem, globals_, "X"), (operator.setitem, globals_, "X", value))
    assert claim.handle.broken == 1
    claims.unchanged()


@without_automatic_drain
def test_a_real_builtin_is_shadowed_unshadowed_changed_deleted_and_put_back(log, monkeypatch):
    globals_ = {"__builtins__": builtins}
    exec("def function(x): return ascii(x)", globals_)
    claims = Claims(log)
    claim = claims.of_global(globals_["function"], "ascii")
    untouched = claims.of_global(globals_["function"], "len")
    globals_["ascii"] = repr
    claims.changed(claim)
    del globals_["ascii"]
    claims.restored(claim)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "ascii", repr)
        claims.changed(claim)
    claims.restored(claim)
    with monkeypatch.context() as patch:
        patch.delattr(builtins, "ascii")
        with pytest.raises(NameError):
            globals_["function"](1)
        claims.changed(claim)
    claims.restored(claim)
    assert untouched.handle.valid


@without_automatic_drain
def test_functions_of_one_namespace_with_different_builtins_are_different_assumptions(log):
    globals_ = {}
    claims, functions = Claims(log), []
    for value in ("first", "second"):
        globals_["__builtins__"] = {"X": value}
        exec("def function(): return X", globals_)
        functions.append(globals_["function"])
    first, second = (claims.of_global(function, "X") for function in functions)
    assert [function() for function in functions] == [first.value, second.value] == ["first", "second"]
    globals_["__builtins__"]["X"] = "changed"
    claims.changed(second)
    functions[0].__builtins__["X"] = "changed"
    claims.changed(first)
    globals_["X"] = "first"
    claims.restored(first)
    assert [function() for function in functions] == ["first", "first"]


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


@pytest.mark.parametrize("last", ["stored", "old", None])
@without_automatic_drain
def test_a_value_whose_destructor_rebinds_its_name_makes_nothing_stale(log, last):
    class Value:
        def __del__(self):
            if last is None:
                del globals_["X"]
            else:
                globals_["X"] = last

    globals_ = namespace(X="old")
    claims = Claims(log)
    claim = claims.of_global(globals_, "X")
    globals_["X"] = Value()
    claims.changed(claim)
    globals_["X"] = "dropped the value"  # its destructor has run when this line is done
    assert claim.truth() == (MISSING if last is None else last)
    assert claims.settled() == ([("resumed", claim.label)] if last == "old" else [])


@without_automatic_drain
def test_a_recorded_value_whose_destructor_rebinds_its_name_makes_nothing_stale(log):
    class Value:
        def __del__(self):
            globals_["X"] = "from the destructor"

    globals_ = namespace(X=Value())
    recorder = depwatch.Recorder("r")
    recorder.read_global(globals_, "X")
    cell = recorder.value_cell(globals_, "X", "object")
    handle = log.commit(recorder)
    globals_["X"] = "stored"
    assert (handle.valid, cell.value) == (False, "stored")
    depwatch.drain()  # the old value dies here
    assert globals_["X"] == cell.value == "from the destructor"
    assert log.drained() == [("invalidated", "r"), ("retired", "r")]
    assert handle.retired


# --- what looks like a namespace -------------------------------------------------------------------------------------


def test_a_view_of_a_namespace_is_refused_because_it_is_no_dict():
    class C:
        x = 1

    for view in (vars(C), types.MappingProxyType({"x": 1})):
        for read in (depwatch.Recorder("r").depend_on, depwatch.id_of):
            with pytest.raises(depwatch.Unwatchable, match="mappingproxy"):
                read(view)
        with pytest.raises(TypeError, match="mappingproxy"):
            depwatch.Recorder("r").read_global(view, "x")


@without_automatic_drain
def test_the_locals_of_a_function_are_a_dict_like_any_other_or_refused(log):
    claims = Claims(log)

    def function():
        x = 1
        snapshot = locals()
        snapshot["__builtins__"] = {}
        claims.of_global(snapshot, "x")
        x = 2
        locals()  # on 3.12 this stores x into the same dict
        claims.settled()
        sys._getframe().f_locals["x"] = 3
        claims.settled()
        snapshot["x"] = 4
        claims.settled()
        return x

    function()
    (claim,) = claims.all
    assert (claim.truth(), claim.handle.broken) == (4, 1)
    frame_locals = (lambda captured: sys._getframe().f_locals)(1)
    if type(frame_locals) is not dict:
        with pytest.raises(TypeError, match="FrameLocalsProxy"):
            depwatch.Recorder("r").read_global(frame_locals, "captured")


@without_automatic_drain
def test_the_namespace_of_a_class_body_is_another_dict_than_that_of_the_class(log):
    claims = Claims(log)

    class C:
        x = 1
        __builtins__ = builtins
        claims.of_global(locals(), "x")
        exec("x = 2")
        claims.changed(*claims.all)
        exec("x = 1")
        claims.restored(*claims.all)

    C.x = 3
    assert (claims.settled(), C.x) == ([], 3)


class Instance:
    def __init__(self):
        self.X = "old"
        self.Y = 1
        self.__builtins__ = {}


INSTANCE_CHANGES = {
    "store": lambda obj: setattr(obj, "X", 2),
    "object.__setattr__": lambda obj: object.__setattr__(obj, "X", 2),
    "delete": lambda obj: delattr(obj, "X"),
    "in the dict": lambda obj: vars(obj).update(X=2),
    "hot loop": lambda obj: [setattr(obj, "X", i) for i in range(100)],
    "growing": lambda obj: [setattr(obj, name, 2) for name in ("X", *(f"n{i}" for i in range(50)))],
}


@pytest.mark.parametrize("change", INSTANCE_CHANGES.values(), ids=INSTANCE_CHANGES)
@without_automatic_drain
def test_a_dict_of_an_instance_is_refused_where_stores_through_the_object_are_not_told_and_right_elsewhere(log, change):
    obj = Instance()
    claims = Claims(log)
    if MISSES_INSTANCE_STORES:
        for read, arguments in (("read_global", ("X",)), ("depend_on", ()), ("value_cell", ("X", "object"))):
            with pytest.raises(depwatch.Unwatchable, match="gh-125608"):
                getattr(depwatch.Recorder("r"), read)(vars(obj), *arguments)
        return
    claim = claims.of_global(vars(obj), "X")
    change(obj)
    claims.changed(claim)
    obj.X = "old"
    claims.restored(claim)


@pytest.mark.skipif(MISSES_INSTANCE_STORES, reason="there the dict is refused: see the test before")
@pytest.mark.parametrize("give_up", [
    lambda obj: setattr(obj, "__dict__", {}), lambda obj: delattr(obj, "__dict__"),
], ids=["=", "del"])  # fmt: skip
@without_automatic_drain
def test_the_dict_that_an_instance_gave_up_is_still_what_it_is(log, give_up):
    obj = Instance()
    mapping = vars(obj)
    claims = Claims(log)
    claim = claims.of_global(mapping, "X")
    give_up(obj)
    obj.X = "of the new dict"
    claims.unchanged()
    del obj
    claims.unchanged()
    mapping["X"] = 2
    claims.changed(claim)


def test_an_instance_attribute_is_refused_whatever_the_object_has_for_a_dict():
    class Slotted:
        __slots__ = ("x",)

    slotted = Slotted()
    slotted.x = 1
    for obj in (Instance(), slotted, types.SimpleNamespace(X=1), ValueError()):
        with pytest.raises(depwatch.Unwatchable, match="instance attribute"):
            depwatch.Recorder("r").read_attr(obj, "X")


@without_automatic_drain
def test_missing_makes_no_entry_and_so_no_event(log):
    class Computed(dict):
        def __missing__(self, key):
            return "computed"

    mapping = Computed(X=1)
    subscription = depwatch.subscribe(log.event, mapping, "X", "Y")
    assert (mapping["Y"], log.drained()) == ("computed", [])
    del mapping["X"]
    assert (mapping["X"], log.drained()) == ("computed", [("DELETED", "X", 1, UNKNOWN)])
    with pytest.raises(depwatch.Unwatchable, match="exact dict"):
        depwatch.Recorder("r").read_global(mapping, "Y")
    subscription.cancel()
