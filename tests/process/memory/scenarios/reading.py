"""Reading, which records: first uses, and those of what is watched already."""

import gc
import types
from array import array

from scenarios import scenario

import depwatch
from support import namespace, seen_in


@scenario
def a_recorder_is_made(stage):
    recorder = yield lambda: depwatch.Recorder("made")
    assert recorder.name == "made"


@scenario
def a_global_is_read(stage):
    globals_ = namespace({"len": len}, X=stage.value())
    recorder = depwatch.Recorder("global")
    value = yield lambda: recorder.read_global(globals_, "X")
    assert value is globals_["X"]
    stage.commit(recorder, lambda: globals_["X"] is value)
    globals_["X"] = stage.value()


@scenario
def a_builtin_is_read(stage):
    globals_ = namespace({"thing": stage.value()})
    recorder = depwatch.Recorder("builtin")
    function = seen_in(globals_)
    value = yield lambda: recorder.read_global(function, "thing")
    handle = stage.commit(recorder)
    assert recorder is not None and value is globals_["__builtins__"]["thing"]
    globals_["thing"] = value
    assert handle.valid
    globals_["thing"] = 1


@scenario
def a_missing_global_is_read(stage):
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("missing")

    def read():
        try:
            recorder.read_global(globals_, "Y")
        except NameError:
            return "refused"

    assert (yield read) == "refused"
    assert recorder.reads == 0


@scenario
def an_attribute_of_a_module_is_read(stage):
    module = types.ModuleType("a_module")
    module.X = stage.value()
    recorder = depwatch.Recorder("module")
    yield lambda: recorder.read_attr(module, "X")
    handle = stage.commit(recorder)

    class Other(types.ModuleType):
        pass

    module.__class__ = Other
    assert not handle.valid


@scenario
def an_attribute_of_a_class_is_read(stage):
    class Base:
        x = stage.value()

    class Derived(Base):
        pass

    stage.mortal(Base), stage.mortal(Derived)
    recorder = depwatch.Recorder("attribute")
    value = yield lambda: recorder.read_type_attr(Derived, "x")
    handle = stage.commit(recorder, lambda: Derived.x is value)
    Derived.x = 1
    assert not handle.valid


@scenario
def an_attribute_of_a_class_with_two_bases_is_read(stage):
    class First:
        x = stage.value()

    class Second:
        x = 2

    class Derived(First, Second):
        pass

    recorder = depwatch.Recorder("two bases")
    value = yield lambda: recorder.read_type_attr(Derived, "x")
    handle = stage.commit(recorder, lambda: Derived.x is value)
    First.x = 1
    assert not handle.valid


@scenario
def an_attribute_is_read_again(stage):
    class Base:
        x = stage.value()

    class Derived(Base):
        pass

    stage.mortal(Derived)
    recorder = depwatch.Recorder("attribute")
    recorder.read_type_attr(Derived, "x")
    value = yield lambda: recorder.read_type_attr(Base, "x")
    handle = stage.commit(recorder, lambda: Base.x is value and Derived.x is value)

    class Other:
        x = 5

    Derived.__bases__ = (Other,)
    assert not handle.valid


@scenario
def an_attribute_of_an_exception_is_read(stage):
    gc.unfreeze()  # before CPython 3.13.3, what is frozen is not found

    class Failure(ValueError):
        x = 1

    class Other(Failure):
        pass

    stage.mortal(Failure), stage.mortal(Other)
    recorder = depwatch.Recorder("static base")
    yield lambda: recorder.read_type_attr(Other, "x")
    stage.commit(recorder, lambda: Other.x == 1)
    Failure.x = 2


@scenario
def an_attribute_is_read_where_type_watchers_serve(stage):
    class Failure(OSError):
        x = 1

    stage.mortal(Failure)
    gc.freeze()
    recorder = depwatch.Recorder("frozen table")
    yield lambda: recorder.read_type_attr(Failure, "x")
    gc.unfreeze()
    stage.commit(recorder, lambda: Failure.x == 1)
    Failure.x = 2


@scenario
def parts_of_a_function_are_read(stage):
    default = stage.value()

    def function(a=default, *, b=1):
        return a

    stage.mortal(function)
    recorder = depwatch.Recorder("function")
    yield lambda: recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
    handle = stage.commit(recorder)
    function.__kwdefaults__["b"] = 2
    assert not handle.valid


@scenario
def a_key_is_refused_beside_one_with_its_hash(stage):
    class Same:
        def __hash__(self):
            return hash("X")

        def __eq__(self, other):
            return self is other

    globals_ = namespace() | {Same(): 1, "X": 2}
    recorder = depwatch.Recorder("same hash")

    def read():
        try:
            recorder.read_global(globals_, "X")
        except depwatch.Unwatchable:
            return "refused"

    assert (yield read) == "refused"


@scenario
def whole_objects_are_depended_on(stage):
    class Base:
        pass

    class Derived(Base):
        x = 1

    def function(*, b=1):
        pass

    globals_ = {}
    exec("def function(): return 1", globals_)
    code, mapping = globals_["function"].__code__, {"a": stage.value()}
    stage.mortal(Derived), stage.mortal(function)
    handles = []
    for each in (code, mapping, Derived, function):
        recorder = depwatch.Recorder("whole")
        yield lambda recorder=recorder, each=each: recorder.depend_on(each)
        handles.append(stage.commit(recorder))
    mapping["b"] = 1
    Base.y = 1
    function.__defaults__ = (1,)
    del each, code, recorder
    globals_.clear()
    assert not any(handle.valid for handle in handles)


@scenario
def another_value_is_recorded(stage):
    globals_ = namespace(X=stage.value())
    first = depwatch.Recorder("first")
    first.read_global(globals_, "X")
    stage.commit(first, lambda: False)
    globals_["X"] = second = stage.value()
    recorder = depwatch.Recorder("second")
    yield lambda: recorder.read_global(globals_, "X")
    stage.commit(recorder, lambda: globals_["X"] is second)


@scenario
def an_unstable_facet_is_refused(stage):
    globals_ = namespace(X=0)
    for value in range(2):
        recorder = depwatch.Recorder("breaks", 2)
        recorder.read_global(globals_, "X")
        stage.commit(recorder, lambda: False)
        globals_["X"] = value + 1
        depwatch.drain()
    recorder = depwatch.Recorder("refused", 2)

    def read():
        try:
            recorder.read_global(globals_, "X")
        except depwatch.Unstable:
            return "unstable"

    assert (yield read) == "unstable"
    assert recorder.reads == 0


@scenario
def what_is_no_object_of_ours_is_refused(stage):
    refused = []

    def refuse(call, *arguments):
        try:
            call(*arguments)
        except (TypeError, ValueError, depwatch.DepwatchError) as error:
            refused.append(str(error))
            return type(error).__name__

    recorder = depwatch.Recorder("refusing")
    closed = depwatch.Recorder("closed")
    closed.close()
    handle = depwatch.Recorder("released").commit()
    handle.release()
    core = depwatch._core
    gone = depwatch.Recorder("many").commit_many(array("Q", [0, 0]), array("I"))
    gone.release()
    for call in (
        (lambda: repr(handle) and gone[0],),
        (depwatch.Recorder, 5),
        (recorder.depend_on, 5),
        (depwatch.Fact, 1, 5),
        (recorder.depend_on, [1]),
        (closed.read_global, {}, "X"),
        (handle.retire, "again"),
        (lambda: handle.valid,),
        (handle.retire, 5),
        (recorder.__init__, "twice"),
        (setattr, handle, "x", 1),
        (delattr, handle, "x"),
        (handle.__reduce_ex__, 4),
        (handle.__init__,),
        (lambda: core.FacetReference.__new__(core.FacetReference).kind,),
        (lambda: core.Handle.__new__(core.Handle).valid,),
        (lambda: repr(core.Handle.__new__(core.Handle)) and core.facet("key", 5),),
        (recorder.value_cell, {}, "X", "no kind"),
    ):
        assert (yield lambda call=call: refuse(*call)) is not None


@scenario
def a_recorder_is_closed(stage):
    globals_ = namespace(X=stage.value())
    recorder = depwatch.Recorder("closed")
    recorder.read_global(globals_, "X")
    recorder.guard_cell(seen_in(globals_), "X")
    yield recorder.close
    assert not depwatch.dependents(globals_)
