"""Questions to the index, and what is done to all that depends on some objects."""

from array import array

from scenarios import scenario

import depwatch
from support import dependents, freeze, freeze_attribute, namespace


@scenario
def dependents_are_asked_for(stage):
    globals_ = namespace(X=1, Y=1)

    class Class:
        x = 1

    handle = stage.commit(freeze(globals_, "X", name="asked"), lambda: globals_["X"] == 1)
    other = stage.commit(freeze_attribute(Class, "x", name="class"), lambda: Class.x == 1)
    assert set((yield lambda: depwatch.dependents(globals_))) == {handle.id}
    assert set((yield lambda: depwatch.dependents(globals_, "X"))) == {handle.id}
    assert set((yield lambda: depwatch.dependents(globals_, "Y"))) == set()
    assert set((yield lambda: depwatch.dependents(Class))) == {other.id}
    assert set((yield lambda: depwatch.dependents(Class, "x"))) == {other.id}
    assert set((yield lambda: depwatch.dependents({}))) == set()


@scenario
def many_dependents_are_asked_for(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(array("Q", range(6001)), array("I", [1] * 6000))
    stage.finally_do(handles.release)
    assert len((yield lambda: depwatch.dependents(globals_))) == 6000


@scenario
def objects_are_invalidated(stage):
    globals_, mapping = namespace(X=1, Y=1), {"a": 1}

    def function():
        pass

    class Class:
        x = 1

    first = stage.commit(freeze(globals_, "X", name="first"))
    recorder = depwatch.Recorder("second")
    recorder.depend_on(mapping)
    recorder.read_function(function, "code")
    second = stage.commit(recorder)
    third = stage.commit(freeze_attribute(Class, "x", name="third"))
    many = freeze(globals_, "Y", name="many").commit_many(
        array("Q", range(4)), array("I", [1] * 3), **stage.callbacks()
    )
    stage.finally_do(many.release)
    found = yield lambda: depwatch.invalidate([globals_, mapping, function, Class], "told so")
    assert {first.reason, second.reason, third.reason, many[0].reason} == {"told so"}
    assert set(found) == {first.id, second.id, third.id, *many.ids}
    assert not dependents(globals_)


@scenario
def an_id_is_asked_for(stage):
    mapping = {}
    number = yield lambda: depwatch.id_of(mapping)
    assert number == depwatch.id_of(mapping)


@scenario
def counters_are_asked_for(stage):
    counters = yield depwatch.stats
    assert counters["handles"] == 0


@scenario
def counters_by_name_are_asked_for(stage):
    globals_ = namespace(X=1)
    stage.commit(freeze(globals_, "X", name="counted"), lambda: globals_["X"] == 1)
    counters = yield lambda: depwatch.stats(by_name=True)
    assert counters["counted"]["handles_committed"] >= 1


@scenario
def the_index_is_checked(stage):
    yield depwatch._core.check_index


@scenario
def what_is_held_is_looked_for(stage):
    held = {"x": 1}
    found = yield lambda: depwatch._core.held([dict], [[held]], False)
    assert found == [held]


@scenario
def the_tables_of_static_types_are_found(stage):
    classes = [type("Late", (BufferError,), {})]
    yield depwatch._core.find_static_tables
    handle = freeze_attribute(classes[0], "__doc__").commit()
    assert handle.valid
