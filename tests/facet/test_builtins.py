"""Builtins: what a namespace finds behind its own names, shadowed, revealed and exchanged."""

import builtins
import operator
import types

import pytest

import depwatch
from claims import Claims
from support import UNKNOWN, Counted, at_once, freeze, namespace, seen_in, without_automatic_drain


def test_builtins_may_be_a_module_or_a_dict():
    module = types.ModuleType("b")
    module.X = 1
    for owner in ({"__builtins__": module}, {"__builtins__": vars(module)}):
        handle = freeze(owner, "X").commit()
        module.X = 2
        assert handle.broken == 1
        module.X = 1
        assert handle.valid


SAME = object()
NOTHING = ()  # is told nor queued: the change does not concern the name
MOVED = []  # it breaks until the drain, which tells nobody: the same object is found at another place

# What the namespace g and its builtins b have at first; then each change, whether X is broken at once, what is told.
SHADOWS = {
    "the global shadows the builtin": ({"X": "global"}, {"X": "builtin"}, [
        ("b['X'] = 'other'", 0, NOTHING),
        ("del b['X']", 0, NOTHING),
        ("b['X'] = 'new'", 0, NOTHING),
        ("b.clear()", 0, NOTHING),
        ("b.update(X=1)", 0, NOTHING),
    ]),
    "only the builtins have it": ({}, {"X": "builtin", "Y": 1}, [
        ("b['Y'] = 2", 0, NOTHING),
        ("b['X'] = 'other'", 1, ["invalidated"]),
        ("b['X'] = 'builtin'", 0, ["resumed"]),
    ]),
    "a new global shadows the builtin": ({}, {"X": "builtin"}, [
        ("g['X'] = 'global'", 1, ["invalidated"]),
        ("b['X'] = 'other'", 1, NOTHING),
        ("b['X'] = 'builtin'", 1, NOTHING),
        ("del g['X']", 1, ["resumed"]),
        ("b['Y'] = 1", 0, NOTHING),
    ]),
    "a deleted global reveals another value": ({"X": "global"}, {"X": "builtin"}, [
        ("del g['X']", 1, ["invalidated"]),
        ("b['Y'] = 1", 1, NOTHING),
    ]),
    "a deleted global reveals the same object": ({"X": SAME}, {"X": SAME}, [
        ("del g['X']", 1, MOVED),
        ("b['X'] = 0", 1, ["invalidated"]),
    ]),
    "a deleted global reveals the same object, which changes before any drain": ({"X": SAME}, {"X": SAME}, [
        ("del g['X']; b['X'] = 0", 1, ["invalidated"]),
    ]),
    "a new global shadows the same object": ({}, {"X": SAME}, [
        ("g['X'] = SAME", 0, []),
        ("g['X'] = 0", 1, ["invalidated"]),
    ]),
    "a new global shadows the same object and changes before any drain": ({}, {"X": SAME}, [
        ("g['X'] = SAME; g['X'] = 0", 1, ["invalidated"]),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("owner", ["namespace", "function"])
@pytest.mark.parametrize(("in_globals", "in_builtins", "changes"), SHADOWS.values(), ids=SHADOWS)
@without_automatic_drain
def test_only_a_change_of_the_dict_that_provides_the_value_breaks(log, in_globals, in_builtins, changes, owner):
    builtins_ = dict(in_builtins)
    globals_ = namespace(builtins_, **in_globals)
    handle = log.commit(freeze(globals_ if owner == "namespace" else seen_in(globals_), "X"))
    was_broken = 0
    for change, broken, told in changes:
        with Counted() as counted:
            exec(change, {"g": globals_, "b": builtins_, "SAME": SAME})
            assert handle.broken == broken, change
            assert log.drained() == [(state, "frozen") for state in told], change
        assert counted("breaks")["breaks"] == max(broken - was_broken, 0), change
        if told is NOTHING:
            assert counted("details_queued") == {"details_queued": 0}, change
        was_broken = handle.broken
        assert was_broken == (0 if told is MOVED or "resumed" in told else broken), change


def test_exec_adds_builtins_to_a_watched_namespace_and_changes_no_other_name(log):
    globals_ = {"X": 1}
    subscription = depwatch.subscribe(log.event, globals_)
    handle = log.commit(freeze(globals_, "X"))
    exec("pass", globals_)
    ((change, facet, _, _),) = log.drained()
    assert (change, facet) == ("ADDED", "__builtins__")
    assert handle.valid
    subscription.cancel()


def test_a_namespace_that_is_its_own_builtins_is_read_once(log):
    globals_ = {"X": 1}
    globals_["__builtins__"] = globals_
    handle = log.commit(freeze(globals_, "X"))
    globals_["X"] = 2
    assert handle.broken == 1
    globals_["X"] = 1
    assert handle.valid
    del globals_["X"]
    assert log.drained()[-1] == ("invalidated", "frozen")
    globals_.clear()


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
def test_functions_of_one_namespace_with_other_builtins_are_other_assumptions(log):
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


# --- builtins that are exchanged -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dict", "module"])
@without_automatic_drain
def test_other_builtins_in_a_namespace_change_what_its_names_mean(log, kind):
    """A function keeps the builtins that it was made with; a namespace is asked each time code is run in it.

    Y is a global of its own, but the other builtins could show if it were deleted: broken too often, never too rarely.
    """
    module = types.ModuleType("module")
    names = vars(module)
    names["__builtins__"] = first = {"X": "first"}
    names["Y"] = "global"
    owner = names if kind == "dict" else module
    x, y = (log.commit(freeze(owner, name, name=name)) for name in "XY")
    names["__builtins__"] = {"X": "second"}
    assert eval("X, Y", names) == ("second", "global")
    assert (x.broken, y.broken) == (1, 1)
    assert sorted(log.drained()) == [("invalidated", "X"), ("invalidated", "Y")]
    names["__builtins__"] = first
    depwatch.drain()
    assert (x.valid, y.valid) == (True, True)
    assert sorted(log.drained()) == [("resumed", "X"), ("resumed", "Y")]


@pytest.mark.parametrize("kind", ["dict", "module"])
@without_automatic_drain
def test_other_builtins_behind_a_deleted_global_are_not_taken_for_the_first(log, kind):
    value = object()
    module = types.ModuleType("module")
    names = vars(module)
    first = {"X": value}
    names.update(__builtins__=first, X=value)
    handle = log.commit(freeze(names if kind == "dict" else module, "X"))
    names["__builtins__"] = {"X": "second"}
    depwatch.drain()
    del names["X"]
    assert (eval("X", names), first["X"]) == ("second", value)
    assert not handle.valid
    assert log.drained() == [("invalidated", "frozen")]
    assert not handle.valid


@without_automatic_drain
def test_cells_of_a_dict_are_of_its_own_items_whatever_its_builtins_are(log):
    """A cell could not follow an exchange of the builtins; those of a function stay."""
    names = {"__builtins__": {"X": 1, "Y": 1}, "X": 2}
    recorder = depwatch.Recorder("cells")
    cell, guard = recorder.value_cell(names, "X", "object"), recorder.guard_cell(names, "X")
    for use in (recorder.guard_cell, lambda *owner_and_name: recorder.value_cell(*owner_and_name, "object")):
        with pytest.raises(KeyError, match="'Y'"):
            use(names, "Y")
    handle = log.commit(recorder)
    names["__builtins__"] = {"X": 3}
    assert (cell.value, guard.holds, handle.valid) == (2, True, True)
    del names["X"]
    depwatch.drain()
    assert (cell.value, guard.holds) == (UNKNOWN, False)


@without_automatic_drain
def test_a_function_keeps_the_builtins_that_it_was_made_with(log):
    names = {"__builtins__": {"X": "first"}}
    function = seen_in(names)
    handle = log.commit(freeze(function, "X"))
    names["__builtins__"] = {"X": "second"}
    del names["__builtins__"]
    assert function.__builtins__ == {"X": "first"}
    assert (log.drained(), handle.valid) == ([], True)
    assert "1 assumption hold" in depwatch.explain(handle)


@pytest.mark.parametrize("kind", ["dict", "module"])
@without_automatic_drain
def test_a_namespace_without_builtins_has_none_until_there_are_some(log, kind):
    module = types.ModuleType("module")
    names = vars(module)
    owner = names if kind == "dict" else module
    names["X"] = "global"
    handle = log.commit(freeze(owner, "X"))
    readings = [("read_global", ())] if kind == "module" else [
        ("read_global", ()), ("value_cell", ("object",)), ("guard_cell", ())
    ]  # fmt: skip
    for read, arguments in readings:
        with pytest.raises(NameError if read == "read_global" else KeyError, match="'len'"):
            getattr(depwatch.Recorder("r"), read)(owner, "len", *arguments)
    exec("pass", names)  # puts the usual ones there
    assert (log.drained(), handle.valid) == ([], True)
    assert depwatch.Recorder("r").read_global(owner, "len") is len
    names["__builtins__"] = {"X": "builtin", "len": "mine"}
    assert (log.drained(), handle.valid) == ([], True)
    del names["X"]
    assert (handle.broken, log.drained()) == (1, [("invalidated", "frozen")])


@without_automatic_drain
def test_a_read_that_fails_leaves_nothing_that_could_invalidate(log):
    names = {"__builtins__": {}, "X": "text"}
    recorder = depwatch.Recorder("r")
    for read, arguments in (("read_global", ()), ("read", ()), ("value_cell", ("object",)), ("guard_cell", ())):
        with pytest.raises(NameError if read == "read_global" else KeyError):
            getattr(recorder, read)(names, "missing", *arguments)
    with pytest.raises(TypeError, match="does not fit"):
        recorder.value_cell(names, "X", "f64")
    handle = log.commit(recorder)
    assert depwatch.explain(handle).endswith("valid: 0 assumptions hold")
    names["__builtins__"] = {"missing": 1}
    assert (log.drained(), handle.valid) == ([], True)


def test_the_builtins_are_what_is_named_where_they_changed_before_commit():
    names = {"__builtins__": {"X": 1}}
    recorder = freeze(names, "X")
    names["__builtins__"] = {"X": 1}
    with pytest.raises(depwatch.Stale, match="'__builtins__'"):
        recorder.commit()
