"""Committing, and what handles are asked."""

from array import array

from scenarios import scenario

import depwatch
from support import freeze, namespace


@scenario
def an_empty_recorder_is_committed(stage):
    recorder = depwatch.Recorder("empty")
    handle = yield lambda: recorder.commit(**stage.callbacks())
    stage.claim(handle)


@scenario
def one_is_committed(stage):
    globals_ = namespace(X=stage.value(), Y=1)
    recorder = freeze(globals_, "X", "Y", name="one")
    value = globals_["X"]
    handle = yield lambda: recorder.commit("artifact", **stage.callbacks())
    assert handle.artifact == "artifact"
    stage.claim(handle, lambda: globals_["X"] is value)
    globals_["X"] = 1


@scenario
def one_more_is_committed_on_what_many_rely_on(stage):
    globals_ = namespace(X=1)
    for number in range(300):
        stage.commit(freeze(globals_, "X", name=f"before {number}"), lambda: globals_["X"] == 1)
    names = [f"after {number}" for number in range(60)]
    recorders = [freeze(globals_, "X", name=name) for name in names]
    made = []

    def commit_all():
        while recorders:
            made.append(recorders[-1].commit(**stage.callbacks()))
            recorders.pop()

    yield commit_all
    assert len(made) == 60
    for handle in made:
        stage.claim(handle, lambda: globals_["X"] == 1)
    globals_["X"] = 2


@scenario
def a_stale_one_is_refused(stage):
    globals_ = namespace(X=stage.value())
    recorder = freeze(globals_, "X", name="stale")
    globals_["X"] = 2

    def commit():
        try:
            recorder.commit(**stage.callbacks())
        except (depwatch.Stale, depwatch.Released) as error:
            return type(error).__name__

    assert (yield commit) in ("Stale", "Released")  # released: it was refused, and memory was too short to say so


@scenario
def many_are_committed(stage):
    names = [f"NAME{number}" for number in range(20)]
    globals_ = namespace(**dict.fromkeys(names, 1))
    recorder = depwatch.Recorder("many")
    reads = [recorder.reads - 1 for name in names if recorder.read_global(globals_, name)]
    offsets = array("Q", range(0, 201, 2))
    numbers = array("I", [reads[i % 20] for i in range(200)])
    handles = yield lambda: recorder.commit_many(offsets, numbers, range(100), **stage.callbacks())
    for number, handle in enumerate(handles[:40]):
        stage.claim(handle, lambda number=number: number % 10 != 1 or globals_["NAME3"] == globals_["NAME2"] == 1)
    stage.finally_do(handles.release)
    assert [handle.broken for handle in handles] == [0] * 100
    globals_["NAME3"] = globals_["NAME2"] = 2
    depwatch.drain()
    assert [handle.broken for handle in handles] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 0] * 10


@scenario
def many_that_do_not_fit_are_refused(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="refused")

    def refuse(offsets, reads):
        try:
            recorder.commit_many(array("Q", offsets), array("I", reads))
        except (ValueError, depwatch.Stale) as error:
            return type(error).__name__

    assert (yield lambda: refuse([1], [])) == "ValueError"
    assert (yield lambda: refuse([0, 2, 1, 2], [0, 0])) == "ValueError"
    assert (yield lambda: refuse([0, 1], [7])) == "ValueError"
    globals_["X"] = 2
    assert (yield lambda: refuse([0, 1], [1])) == "Stale"


@scenario
def handles_are_asked(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(
        array("Q", [0, 1, 2, 3]), array("I", [1, 1, 1]), ["a", "b", "c"], **stage.callbacks()
    )
    stage.finally_do(handles.release)
    handle = yield lambda: handles[1]
    assert handle is handles[1] and handle.name == "many[1]"
    assert (yield lambda: handles[-1].artifact) == "c"
    assert [*(yield lambda: handles.ids)] == [each.id for each in handles]
    assert [*(yield lambda: handles.broken_addresses)] == [each.broken_address for each in handles]
    assert [*(yield lambda: handles[0:2])] == [handles[0], handles[1]]
    assert "3 Handles" in (yield lambda: repr(handles))
    assert len((yield lambda: list(handles))) == 3
    for attribute in ("name", "released"):
        yield lambda attribute=attribute: getattr(handles, attribute)
    for attribute in ("id", "name", "reason", "artifact", "released", "valid", "broken", "retired", "broken_address"):
        assert (yield lambda attribute=attribute: getattr(handle, attribute)) == getattr(handle, attribute)
    assert "valid" in (yield lambda: repr(handle))
    globals_["X"] = 2
    assert "1 broken" in (yield lambda: repr(handle))
    for each in handles:
        stage.claim(each, lambda: globals_["X"] == 1)

    def refuse():
        try:
            handles[5]
        except IndexError:
            return "refused"

    assert (yield refuse) == "refused"


@scenario
def handles_never_asked_for_break(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(array("Q", range(8)), array("I", [1] * 7), **stage.callbacks())
    stage.finally_do(handles.release)
    globals_["X"] = 2
    yield depwatch.drain
    for handle in handles:
        stage.claim(handle, lambda: False)


@scenario
def handles_are_retired_all(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(array("Q", range(8)), array("I", [1] * 7), **stage.callbacks())
    stage.finally_do(handles.release)
    handles[2], handles[3]
    yield lambda: handles.retire("all")
    for handle in handles:
        stage.claim(handle, lambda: False)
    assert {handle.reason for handle in handles} == {"all"}


@scenario
def handles_are_released(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(array("Q", range(8)), array("I", [1] * 7), **stage.callbacks())
    handles[2], handles[3]
    yield handles.release
    assert handles.released


@scenario
def a_handle_is_retired(stage):
    globals_ = namespace(X=1)
    handle = stage.commit(freeze(globals_, "X", name="retired"))
    yield lambda: handle.retire("by hand")
    assert handle.retired and handle.reason == "by hand"


@scenario
def a_handle_is_released(stage):
    globals_ = namespace(X=1)
    handle = stage.commit(freeze(globals_, "X", name="gone"))
    yield handle.release
    assert handle.released and "released" in repr(handle)


@scenario
def a_handle_is_dropped(stage):
    handles = [depwatch.Recorder("dropped").commit()]
    yield handles.clear


@scenario
def a_handle_is_explained(stage):
    globals_ = namespace(X=1, Y="text" * 40)
    handle = stage.commit(freeze(globals_, "X", "Y", name="explained"), lambda: globals_["X"] == 1)
    assert "valid" in (yield lambda: depwatch.explain(handle))
    globals_["X"] = globals_["Y"] = 3
    assert "1 -> 3" in (yield lambda: depwatch.explain(handle))
    handle.retire("now")
    assert "now" in (yield lambda: depwatch.explain(handle))
