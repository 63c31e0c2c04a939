"""Namespaces: every statement that rebinds a name, dicts that are emptied and filled, destructors of values."""

import builtins
import operator
import sys
import types

import pytest

import depwatch
from claims import MISSING, Claims
from support import at_once, namespace, without_automatic_drain

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
def test_an_update_that_fails_in_the_middle_has_changed_what_it_has_changed(log):
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
def test_an_emptied_dict_filled_from_another_holds_again_if_the_value_is_the_same(log, fill, which):
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
def test_emptied_and_filled_from_another_is_broken_until_a_drain_has_looked(log, value, told):
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
    globals_["X"] = "stored"  # the old value dies here, when the store is made
    assert (handle.valid, cell.value, globals_["X"]) == (False, "from the destructor", "from the destructor")
    assert log.drained() == [("invalidated", "r"), ("retired", "r")]
    assert handle.retired
