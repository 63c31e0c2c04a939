"""Reading, which records: first uses, and those of what is watched already."""

import gc
import types
from array import array

import depwatch
from scenarios import scenario
from support import namespace, seen_in


def many(n):
    return [f"NAME{number}" for number in range(n)]


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
def many_globals_are_read(stage):
    globals_ = namespace(**dict.fromkeys(many(40), 1))
    recorder = depwatch.Recorder("many globals")
    yield lambda: [recorder.read_global(globals_, name) for name in many(40)]
    stage.commit(recorder, lambda: globals_["NAME0"] == 1)
    globals_["NAME0"] = 2


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
def an_attribute_of_a_module_of_another_class_is_read(stage):
    class Kind(types.ModuleType):
        pass

    module = Kind("a_module")
    module.X = stage.value()
    recorder = depwatch.Recorder("module")
    yield lambda: recorder.read_attr(module, "X")
    handle = stage.commit(recorder)
    Kind.other = 1
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
def an_exception_loses_its_static_base(stage):
    gc.unfreeze()

    class Failure(KeyError):
        pass

    stage.mortal(Failure)
    recorder = depwatch.Recorder("static base")
    value = yield lambda: recorder.read_type_attr(Failure, "__str__")
    handle = stage.commit(recorder, lambda: Failure.__str__ is value)
    Failure.__bases__ = (LookupError,)
    assert not handle.valid


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
    def function(a=stage.value(), *, b=1):
        return a

    stage.mortal(function)
    recorder = depwatch.Recorder("function")
    yield lambda: recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
    handle = stage.commit(recorder)
    function.__kwdefaults__["b"] = 2
    assert not handle.valid


@scenario
def a_whole_dict_is_depended_on(stage):
    mapping = {"a": stage.value()}
    recorder = depwatch.Recorder("whole")
    yield lambda: recorder.depend_on(mapping)
    handle = stage.commit(recorder)
    mapping["b"] = 1
    assert not handle.valid


@scenario
def a_whole_class_is_depended_on(stage):
    class Base:
        pass

    class Derived(Base):
        x = 1

    stage.mortal(Derived)
    recorder = depwatch.Recorder("whole")
    yield lambda: recorder.depend_on(Derived)
    handle = stage.commit(recorder)
    Base.y = 1
    assert not handle.valid


@scenario
def a_whole_function_is_depended_on(stage):
    def function(*, b=1):
        pass

    stage.mortal(function)
    recorder = depwatch.Recorder("whole")
    yield lambda: recorder.depend_on(function)
    handle = stage.commit(recorder)
    function.__defaults__ = (1,)
    assert not handle.valid


@scenario
def a_code_object_is_depended_on(stage):
    globals_ = {}
    exec("def function(): return 1", globals_)
    function = globals_.pop("function")
    recorder = depwatch.Recorder("code")
    yield lambda: recorder.depend_on(function.__code__)
    handle = stage.commit(recorder)
    del function
    assert not handle.valid


@scenario
def a_global_is_read_beside_an_odd_key(stage):
    class Odd:
        def __hash__(self):
            return 7

        def __eq__(self, other):
            return self is other

    globals_ = namespace(X=stage.value()) | {Odd(): 1}
    recorder = depwatch.Recorder("odd")
    value = yield lambda: recorder.read_global(globals_, "X")
    stage.commit(recorder, lambda: globals_["X"] is value)
    globals_["X"] = 2


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
        (recorder.depend_on, [1]),
        (closed.read_global, {}, "X"),
        (handle.retire, "again"),
        (lambda: handle.valid,),
        (handle.release,),
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
