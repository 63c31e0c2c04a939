"""Drains: of every kind of event and of everything that they cause."""

import _thread
import ctypes
import gc
import types
from array import array

from scenarios import scenario

import depwatch
from support import at_once, freeze, freeze_attribute, namespace, seen_in


def part(recorder, function, *parts):
    recorder.read_function(function, *parts)
    return recorder


@scenario
def a_global_breaks(stage):
    globals_ = namespace(X=stage.value(), Y=2)
    value = globals_["X"]
    stage.commit(freeze(globals_, "X", "Y", name="breaks"), lambda: globals_["X"] is value)
    globals_["X"] = stage.value()
    yield depwatch.drain


@scenario
def a_global_breaks_and_holds_again(stage):
    globals_ = namespace(X=1)
    stage.commit(freeze(globals_, "X", name="resumes"), lambda: globals_["X"] == 1)
    globals_["X"] = 2
    yield depwatch.drain
    globals_["X"] = 1
    yield depwatch.drain


@scenario
def a_global_goes_and_comes_back(stage):
    globals_ = namespace(X=stage.value())
    value = globals_["X"]
    stage.commit(freeze(globals_, "X", name="deleted"), lambda: globals_.get("X") is value)
    del globals_["X"]
    yield depwatch.drain
    globals_["X"] = value
    yield depwatch.drain


@scenario
def a_value_is_lost(stage):
    globals_ = namespace(X=stage.value())
    stage.commit(freeze(globals_, "X", name="lost"), lambda: False)
    globals_["X"] = None
    yield depwatch.drain


@scenario
def a_value_without_weak_references_is_waited_for(stage):
    globals_ = namespace(X=[1])
    kept = [globals_["X"]]
    stage.commit(freeze(globals_, "X", name="waits"), lambda: False)
    globals_["X"] = None
    yield depwatch.drain
    kept.clear()
    globals_["Y"] = 1
    stage.commit(freeze(globals_, "Y", name="other"), lambda: globals_["Y"] == 1)
    globals_["Y"] = 2
    yield depwatch.drain


@scenario
def many_values_are_lost_at_once(stage):
    names = [f"NAME{number}" for number in range(150)]
    globals_ = namespace(**{name: [name] for name in names})
    kept = list(globals_.values())
    for name in names[:100]:
        stage.commit(freeze(globals_, name, name=name), lambda: False)
    globals_.update(dict.fromkeys(names))
    yield depwatch.drain
    kept.clear()
    globals_["X"] = 1
    stage.commit(freeze(globals_, "X", name="X"), lambda: globals_["X"] == 1)
    globals_["X"] = 2
    yield depwatch.drain


@scenario
def many_facets_break_at_once(stage):
    names = [f"NAME{number}" for number in range(150)]
    globals_ = namespace(**dict.fromkeys(names, 1))
    for number in range(0, 150, 3):
        group = names[number : number + 3]
        stage.commit(freeze(globals_, *group, name=group[0]), lambda group=group: globals_[group[0]] == 1)
    at_once((globals_.update, dict.fromkeys(names, 2)))
    yield depwatch.drain


@scenario
def many_handles_break_and_retire(stage):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X", name="many")
    handles = recorder.commit_many(array("Q", range(101)), array("I", [1] * 100), **stage.callbacks())
    globals_["X"] = 2
    yield depwatch.drain
    for handle in handles[:50]:
        handle.retire("half")
    yield depwatch.drain
    handles.release()
    yield depwatch.drain


@scenario
def whole_objects_change(stage):
    mapping, function = {"a": 1}, seen_in(namespace())

    class Class:
        pass

    for thing in (mapping, function, Class):
        recorder = depwatch.Recorder(type(thing).__name__)
        recorder.depend_on(thing)
        stage.commit(recorder)
    mapping["b"] = 1
    function.__defaults__ = (1,)
    Class.x = 1
    yield depwatch.drain


@scenario
def parts_of_a_function_change(stage):
    def function(a=1, *, b=2):
        return a

    before = function.__code__
    for name in ("code", "defaults", "kwdefaults"):
        stage.commit(part(depwatch.Recorder(name), function, name))
    function.__code__ = (lambda a: a).__code__
    function.__defaults__ = (2,)
    function.__kwdefaults__ = {"b": 3}
    yield depwatch.drain
    function.__code__ = before
    function.__kwdefaults__["b"] = 5
    yield depwatch.drain


@scenario
def a_class_changes(stage):
    class Base:
        x = stage.value()

    class Derived(Base):
        pass

    class Other:
        x = 3

    value = Base.x
    stage.commit(freeze_attribute(Derived, "x", name="derived"), lambda: Derived.x is value)
    stage.commit(freeze_attribute(Base, "x", name="base"), lambda: Base.x is value)
    Base.x = 1
    yield depwatch.drain
    Base.x = value
    yield depwatch.drain
    Derived.__bases__ = (Other,)
    yield depwatch.drain


@scenario
def bases_are_assigned_while_an_mro_in_python_looks(stage):
    looked = set()

    class Meta(type):
        def mro(cls):
            if asking:
                try:
                    depwatch.Recorder("inside").read_type_attr(Base, "x")
                except depwatch.Unwatchable:
                    looked.add("refused")
            return type.mro(cls)

    class One:
        x = 1

    class Other:
        x = 2

    class Base(One):
        pass

    asking = []
    derived = Meta("Derived", (Base,), {})
    asking.append(True)
    stage.commit(freeze_attribute(Base, "x", name="base"), lambda: Base.x == 1)

    def assign():
        Base.__bases__ = (Other,)

    yield assign
    assert looked == {"refused"} and derived.x == 2
    yield depwatch.drain
    recorder = depwatch.Recorder("after")
    yield lambda: recorder.read_type_attr(Other, "x")
    stage.commit(recorder, lambda: Other.x == 2)


@scenario
def a_global_is_removed_before_the_same_builtin(stage):
    value = stage.value()
    globals_ = namespace({"X": value}, X=value)
    function = seen_in(globals_)
    stage.commit(
        freeze(function, "X", name="behind"), lambda: (globals_.get("X") or globals_["__builtins__"]["X"]) is value
    )
    del globals_["X"]
    yield depwatch.drain
    globals_["__builtins__"]["X"] = 2
    yield depwatch.drain


@scenario
def objects_die(stage):
    def function():
        pass

    class Class:
        x = 1

    globals_ = namespace(X=1)
    stage.mortal(Class), stage.mortal(function)
    stage.commit(part(depwatch.Recorder("function"), function, "code", "existence"))
    stage.commit(freeze_attribute(Class, "x", name="class"))
    stage.commit(freeze(globals_, "X", name="dict"))
    subscriptions = [depwatch.subscribe(stage.heard, each) for each in (globals_, Class, function)]
    del function, Class
    globals_ = None
    gc.collect()
    yield depwatch.drain
    del subscriptions


@scenario
def a_facet_breaks_too_often(stage):
    globals_ = namespace(X=0)
    stage.commit(freeze(globals_, "X", name="twice", unstable_after=2), lambda: globals_["X"] == 0)
    for value in (1, 0, 2):
        globals_["X"] = value
        yield depwatch.drain


@scenario
def a_dict_is_cleared_and_filled(stage):
    builtins = {}
    globals_ = namespace(builtins, X=1)
    stage.commit(freeze(globals_, "X", name="cleared"), lambda: globals_.get("X") == 1)
    globals_.clear()
    yield depwatch.drain
    globals_.update(namespace(builtins, X=1))
    yield depwatch.drain


@scenario
def an_odd_key_is_stored(stage):
    class Odd(str):
        def __eq__(self, other):
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    globals_ = namespace(X=1, Y=1)
    stage.commit(freeze(globals_, "X", name="X"), lambda: globals_["X"] == 1)
    stage.commit(freeze(globals_, "Y", name="Y"), lambda: globals_["Y"] == 1)
    globals_[Odd("X")] = 2
    yield depwatch.drain


@scenario
def a_module_gets_another_class(stage):
    module = types.ModuleType("a_module")
    module.X = 1

    class Other(types.ModuleType):
        pass

    recorder = depwatch.Recorder("module")
    recorder.read_attr(module, "X")
    stage.commit(recorder)
    module.__class__ = Other
    yield depwatch.drain


VALUES = (1, -(2**70), 2**5000, 1.5, 1j, "text" * 50, "t", b"bytes" * 50, b"b", [1], (), {}, set(), print, seen_in)
MORE = (seen_in.__code__, int, types, types.ModuleType("m"), object(), None, True)


@scenario
def values_of_all_kinds_are_worded(stage):
    globals_ = namespace(X=object())
    before = globals_["X"]
    handle = stage.commit(freeze(globals_, "X", name="worded"), lambda: globals_["X"] is before)
    for value in VALUES + MORE:
        globals_["X"] = before
        depwatch.drain()
        globals_["X"] = value
        yield depwatch.drain
        globals_["X"] = before
        yield lambda: depwatch._core.brief(value)
    assert handle.valid or handle.retired


@scenario
def a_change_outside_python_is_worded(stage):
    module = types.ModuleType("nameless")
    del module.__name__
    globals_ = namespace(X=module)
    stage.commit(freeze(globals_, "X", name="outside"), lambda: globals_["X"] is module)
    ended = _thread.allocate_lock()
    ended.acquire()
    at_once(
        (_thread.start_new_thread, globals_.update, ({"X": 1},)),
        (_thread.start_new_thread, ended.release, ()),
        (ended.acquire,),
    )
    while globals_["X"] is module:
        pass
    yield depwatch.drain


@scenario
def the_details_of_a_change_are_dropped(stage):
    globals_ = namespace(X=stage.value(), Y=1)
    subscription = depwatch.subscribe(lambda event: None, globals_, "Y")
    stage.commit(freeze(globals_, "X", name="lost"), lambda: False)
    at_once(*((globals_.__setitem__, "Y", value) for value in range(8200)))
    globals_["X"] = 1
    yield depwatch.drain
    subscription.cancel()


@scenario
def listeners_hear_events(stage):
    globals_ = namespace(X=stage.value(), Y=1)

    class Class:
        x = 1

    subscriptions = [
        depwatch.subscribe(stage.heard, globals_, "X", "Y"),
        depwatch.subscribe(stage.heard, globals_, "X"),
        depwatch.subscribe(stage.heard, globals_),
        depwatch.subscribe(stage.heard, Class, "x"),
        depwatch.subscribe(stage.heard, seen_in, "code"),
        depwatch.subscribe_created(stage.heard, (lambda: None).__code__),
    ]
    stage.finally_do(lambda: [each.cancel() for each in subscriptions])
    globals_["X"] = 2
    globals_["Z"] = 2
    del globals_["Y"]
    Class.x = 2
    yield depwatch.drain


@scenario
def functions_are_created(stage):
    def make():
        return lambda: None

    code = make().__code__
    subscription = depwatch.subscribe_created(lambda event: stage.log.append(event.change.name), code)
    stage.finally_do(subscription.cancel)
    make(), make()
    yield depwatch.drain


@scenario
def the_life_of_functions_is_heard(stage):
    made = []

    def hear(event, function, attribute, value):
        name = getattr(function, "__qualname__", getattr(function, "qualname", ""))
        if "mine" in name:
            stage.log.append(f"{event.name} {name} {attribute.name}")

    depwatch.set_lifecycle_callback(hear)
    exec("def mine(): pass\nmade.append(mine)\ndel mine", {"made": made})
    made[0].__defaults__ = (1,)
    made[0].__code__ = (lambda: 1).__code__
    yield depwatch.drain
    made.clear()
    yield depwatch.drain
    depwatch.set_lifecycle_callback(None)


@scenario
def a_callback_changes_what_others_rely_on(stage):
    globals_ = namespace(X=1, Y=1)

    def change(handle):
        stage.log.append("changed")
        globals_["Y"] = 2

    recorder = freeze(globals_, "X", name="first")
    stage.claim(recorder.commit(on_invalidate=change), lambda: globals_["X"] == 1)
    stage.commit(freeze(globals_, "Y", name="second"), lambda: globals_["Y"] == 1)
    globals_["X"] = 2
    yield depwatch.drain
    yield depwatch.drain


@scenario
def a_drain_comes_by_itself(stage):
    """With what it raises written to sys.unraisablehook; the next one goes on."""
    globals_ = namespace(X=1)
    stage.commit(freeze(globals_, "X", name="by itself"), lambda: globals_["X"] == 1)
    yield lambda: at_once((globals_.update, {"X": 2}), (ctypes.pythonapi.Py_MakePendingCalls,))


a_drain_comes_by_itself.automatic = True  # in the main thread
