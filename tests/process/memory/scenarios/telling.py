"""Absence, facts, looks, owners, guarded callables, and what handles and drains tell."""

import types
from array import array

from scenarios import scenario

import depwatch
from support import freeze, namespace, seen_in

NOTHING = object()


class Owner:
    pass


@scenario
def what_is_missing_is_read_and_defined(stage):
    names, module = {}, types.ModuleType("shop")

    class Class:
        pass

    for owner in (names, module, Class, seen_in(namespace())):
        recorder = depwatch.Recorder(f"absent {type(owner).__name__}")
        assert (yield lambda: recorder.read(owner, "X", default=NOTHING)) is NOTHING
        stage.commit(recorder)
    names["X"] = module.X = Class.X = 1
    yield depwatch.drain
    del names["X"], module.X, Class.X
    yield depwatch.drain


@scenario
def a_fact_is_made_read_and_told(stage):
    fact = yield lambda: depwatch.Fact(1, "fact")
    recorder = depwatch.Recorder("rests on it")
    assert (yield lambda: recorder.read(fact)) == 1
    handle = stage.commit(recorder, lambda: fact.value == 1)
    assert (yield lambda: repr(fact)) == "<Fact 'fact', 1>"
    yield lambda: fact.set(2)
    assert handle.broken == 1
    yield depwatch.drain
    assert list((yield lambda: depwatch.invalidate([fact], "told so"))) == [handle.id]


@scenario
def values_are_looked_at(stage):
    names, module = namespace(X=1), types.ModuleType("shop")
    module.X = 2
    assert (yield lambda: depwatch.look(names, "X")) == 1
    assert (yield lambda: depwatch.look(module, "X")) == 2
    assert (yield lambda: depwatch.look(module, "Y", default=3)) == 3


@scenario
def a_handle_has_an_owner(stage):
    owners, names = [Owner()], namespace(X=1)
    recorder = freeze(names, "X", name="owned")
    handle = yield lambda: recorder.commit(owner=owners[0], **stage.callbacks())
    stage.claim(handle, lambda: names["X"] == 1)
    many = freeze(names, "X", name="many")
    handles = yield lambda: many.commit_many(array("Q", [0, 1, 2]), array("I", [1, 1]), owner=owners[0])
    owners.clear()
    assert (handle.released, handles.released) == (True, True)
    yield depwatch.drain


@scenario
def a_handle_tells_of_itself(stage):
    names = {"X": stage.value(), "Y": 1}
    recorder = depwatch.Recorder("tells")
    recorder.read(names, "X"), recorder.read(names, "Y"), recorder.read(names, "Z", default=None)
    handle = stage.commit(recorder)
    many = freeze(names, "Y", name="many")
    handles = many.commit_many(array("Q", [0, 1, 2]), array("I", [0, 0]))
    stage.finally_do(handles.release)
    names["Y"] = 2
    assert len((yield lambda: handle.assumptions)) == 3
    assert (yield lambda: handle.breaks) == 1
    assert [each.name for each in (yield handle.broken_facets)] == ["Y"]
    assert len((yield lambda: handles.assumptions)) == 1
    assert (yield lambda: handles.breaks) >= 1
    assert [each.name for each in (yield handles.broken_facets)] == ["Y"]
    assert "'Y' in" in (yield lambda: depwatch.explain(handle))
    assert "'Y'" in (yield lambda: depwatch.explain(handles))


@scenario
def a_callable_is_guarded(stage):
    names = namespace(X=1, Y=1)
    recorder = freeze(names, "X", name="guarded")
    recorder.guard_cell(names, "Y")
    handle = stage.commit(recorder, lambda: names["X"] == 1)
    guarded = yield lambda: depwatch.guarded(handle, lambda: "fast", lambda: "slow")
    assert (yield guarded) == "fast"
    assert (yield lambda: repr(guarded)).endswith("fast>")
    holder = type("C", (), {"method": guarded})()
    assert callable((yield lambda: holder.method))
    names["Y"] = 2
    assert guarded() == "slow"


@scenario
def what_happens_to_any_handle_is_told(stage):
    heard = stage.with_memory(lambda event: stage.log.append(f"any {event.what} {event.text is not None} {event.new}"))
    names = namespace(X=1)
    handle = stage.commit(freeze(names, "X", name="any"), lambda: names["X"] == 1)
    listeners = []
    for _ in range(2):
        listeners.append((yield lambda: depwatch.on_any(heard)))
    stage.finally_do(lambda: [listener.cancel() for listener in listeners])
    names["X"] = 2
    yield depwatch.drain
    names["X"] = 1
    yield depwatch.drain
    handle.retire("enough")
    yield depwatch.drain


@scenario
def a_change_that_was_undone_is_refused(stage):
    names = namespace(X=1)
    recorder = freeze(names, "X", name="undone")
    names["X"], names["X"] = 2, 1

    def commit():
        try:
            recorder.commit()
        except (depwatch.Stale, depwatch.Released) as error:
            return type(error).__name__

    assert (yield commit) in ("Stale", "Released")


@scenario
def native_code_asks_by_name(stage):
    c, names = stage.c, {"X": stage.value()}
    recorder = c.recorder_new("by name")
    assert (yield lambda: c.read_name(recorder, names, "X", False)) == (names["X"],)
    assert (yield lambda: c.read_name(recorder, names, "Y", True)) == ()
    c.allow_undone(recorder)
    handle = c.commit(recorder)
    stage.finally_do(lambda: c.release(handle))
    assert (yield lambda: c.explain(handle)).startswith(f"handle {handle} is valid: 2 assumptions hold")
    assert (yield lambda: c.handle_breaks(handle)) == 0
