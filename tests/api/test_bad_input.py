"""Bad input: refused with the value, the limit and the remedy, and without leaving anything watched."""

import builtins
import functools
import re
import sys
import types
from array import array

import pytest

import depwatch
from fuzz.keys import Text
from support import freeze, namespace


@pytest.fixture(autouse=True)
def nothing_watched():
    depwatch.drain()
    before = depwatch.stats()
    yield
    now = depwatch.stats()
    for name in ("objects", "facets", "handles", "dependencies"):
        assert now[name] <= before[name], name  # less, where garbage of an earlier test died meanwhile


def recorder():
    return depwatch.Recorder("r")


def closure():
    captured = 1

    def inner():
        return captured

    return inner


class Instance:
    def __init__(self):
        self.attribute = 1

    def method(self):
        pass


def test_every_error_of_our_own_is_a_depwatch_error():
    for error in (depwatch.Unwatchable, depwatch.Unstable, depwatch.Stale, depwatch.Released):
        assert issubclass(error, depwatch.DepwatchError)
        assert not issubclass(error, (TypeError, ValueError, LookupError))


# --- Unwatchable -----------------------------------------------------------------------------------------------------


def test_a_closure_cell_is_unwatchable_because_cpython_reports_no_change_of_it():
    with pytest.raises(depwatch.Unwatchable, match=r"cell.*CPython reports no change.*argument|re-read"):
        recorder().read_attr(closure().__closure__[0], "cell_contents")


def test_a_closure_variable_is_not_taken_for_a_global():
    for name in ("captured",):
        with pytest.raises((depwatch.Unwatchable, NameError), match=name):
            recorder().read_global(closure(), name)


@pytest.mark.parametrize("part", ["closure", "globals"])
def test_parts_of_a_function_that_never_change_or_without_event_are_unwatchable(part):
    with pytest.raises(depwatch.Unwatchable, match=f"{part}.*read-only"):
        recorder().read_function(closure(), part)


def test_the_name_of_a_function_is_unwatchable():
    for part in ("name", "qualname"):
        with pytest.raises(depwatch.Unwatchable, match=part):
            recorder().read_function(closure(), part)


@pytest.mark.parametrize("make", ["read_attr", "value_cell", "guard_cell"])
def test_an_instance_attribute_is_unwatchable_because_its_dict_can_be_exchanged(make):
    arguments = ("object",) if make == "value_cell" else ()
    with pytest.raises(depwatch.Unwatchable, match=r"'attribute'.*instance.*__dict__"):
        getattr(recorder(), make)(Instance(), "attribute", *arguments)


def test_an_attribute_of_a_class_is_refused_with_the_way_to_do_it():
    with pytest.raises(depwatch.Unwatchable, match="read_type_attr"):
        recorder().read_attr(Instance, "method")


def test_a_module_with_getattr_for_that_name_is_unwatchable():
    module = types.ModuleType("lazy")
    module.__getattr__ = lambda name: name
    with pytest.raises(depwatch.Unwatchable, match=r"'X'.*__getattr__"):
        recorder().read_attr(module, "X")
    for make, arguments in (("value_cell", ("object",)), ("guard_cell", ())):
        with pytest.raises((depwatch.Unwatchable, AttributeError)):
            getattr(recorder(), make)(module, "X", *arguments)


def test_a_module_of_a_class_that_computes_attributes_is_unwatchable():
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            return super().__getattribute__(name)

    class Computed(types.ModuleType):
        @property
        def X(self):
            return 1

    for kind in (Lazy, Computed):
        module = kind("m")
        vars(module)["X"] = 1
        with pytest.raises(depwatch.Unwatchable, match="'X'"):
            recorder().read_attr(module, "X")


def test_a_module_of_a_class_with_getattr_is_unwatchable_for_the_names_it_lacks():
    class Lazy(types.ModuleType):
        def __getattr__(self, name):
            return 42

    with pytest.raises(depwatch.Unwatchable):
        recorder().read_attr(Lazy("m"), "X")


def test_an_attribute_that_the_class_of_a_module_provides_is_not_missing():
    class Module(types.ModuleType):
        X = 1

    module = Module("m")
    assert module.X == 1
    try:
        assert recorder().read_attr(module, "X") == 1
    except depwatch.Unwatchable as refused:
        assert "'X'" in str(refused)


@pytest.mark.parametrize("obj", [3, "text", None, [1], (), object(), Instance(), len, Instance().method, sys.flags])
def test_objects_that_cpython_reports_nothing_of_are_unwatchable(obj):
    for use in (
        recorder().depend_on, depwatch.id_of, functools.partial(depwatch.subscribe, print),
    ):  # fmt: skip
        with pytest.raises((depwatch.Unwatchable, TypeError), match=type(obj).__name__):
            use(obj)


@pytest.mark.skipif(sys.version_info[:3] != (3, 13, 0), reason="only 3.13.0 loses events of instance dicts")
def test_the_dict_of_an_instance_is_unwatchable_on_3_13_0():
    instance = Instance()
    with pytest.raises(depwatch.Unwatchable, match="gh-125608"):
        recorder().depend_on(vars(instance))


@pytest.mark.skipif(not hasattr(builtins, "frozendict"), reason="this CPython has no frozendict")
def test_a_frozendict_is_unwatchable():
    with pytest.raises((depwatch.Unwatchable, TypeError), match="frozendict"):
        recorder().depend_on(builtins.frozendict(X=1))
    with pytest.raises((depwatch.Unwatchable, TypeError), match="frozendict"):
        recorder().read_global(builtins.frozendict(X=1), "X")


# --- missing names ---------------------------------------------------------------------------------------------------


def test_missing_names_raise_as_python_would():
    class Empty:
        pass

    module = types.ModuleType("module")
    with pytest.raises(NameError, match="name 'X' is not defined"):
        recorder().read_global(namespace(), "X")
    with pytest.raises(AttributeError, match="module 'module' has no attribute 'X'"):
        recorder().read_attr(module, "X")
    with pytest.raises(AttributeError, match="type object 'Empty' has no attribute 'X'"):
        recorder().read_type_attr(Empty, "X")


def test_a_missing_attribute_of_a_module_without_a_name_is_an_attribute_error():
    module = types.ModuleType("module")
    del module.__name__
    with pytest.raises(AttributeError):
        recorder().read_attr(module, "X")


# --- wrong types -----------------------------------------------------------------------------------------------------


def without_addresses(value):
    """A name for a test that is the same in every process."""
    return repr(value).partition(" at 0x")[0]


WRONG_OWNERS = [3, "text", None, [], object()]


@pytest.mark.parametrize("owner", WRONG_OWNERS, ids=without_addresses)
@pytest.mark.parametrize("read", ["read_global", "read_type_attr"])
def test_an_owner_of_the_wrong_type_is_named(read, owner):
    named = "None" if owner is None else type(owner).__name__ if not isinstance(owner, (int, str)) else repr(owner)
    with pytest.raises(TypeError, match=named):
        getattr(recorder(), read)(owner, "X")


@pytest.mark.parametrize("function", [3, None, len, Instance, Instance().method, functools.partial(print)])
def test_what_is_no_python_function_is_refused(function):
    with pytest.raises(TypeError, match="function"):
        recorder().read_function(function, "code")


@pytest.mark.parametrize("name", [3, None, b"X", Text("X")], ids=repr)
def test_a_name_that_is_no_exact_str_is_named(name):
    module = types.ModuleType("m")
    named = "Text" if isinstance(name, Text) else repr(name)
    for use in (
        lambda: recorder().read_global({}, name), lambda: recorder().read_attr(module, name),
        lambda: recorder().read_type_attr(Instance, name), lambda: recorder().value_cell({}, name, "object"),
        lambda: recorder().guard_cell({}, name), lambda: depwatch.subscribe(print, {}, name),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=named):
            use()
    if name is not None:
        with pytest.raises(TypeError, match=named):
            depwatch.dependents({}, name)


@pytest.mark.parametrize("name", [3, None, b"x", ["r"]], ids=repr)
def test_a_recorder_wants_a_name(name):
    with pytest.raises(TypeError, match="name"):
        depwatch.Recorder(name)


@pytest.mark.parametrize("part", ["nonsense", "", "Code", "annotations"])
def test_an_unknown_part_of_a_function_names_the_parts_there_are(part):
    with pytest.raises(ValueError, match=f"'{part}'.*code.*defaults.*kwdefaults.*existence"):
        recorder().read_function(closure(), part)


def test_a_part_that_is_no_str_is_a_type_error():
    for part in (3, None):
        with pytest.raises((TypeError, ValueError)):
            recorder().read_function(closure(), part)


def test_no_part_at_all_is_refused():
    with pytest.raises(ValueError, match=r"code.*defaults.*kwdefaults.*existence"):
        recorder().read_function(closure())


@pytest.mark.parametrize("listener", [3, None, "print"], ids=repr)
def test_a_listener_must_be_callable(listener):
    with pytest.raises(TypeError, match=repr(listener)):
        depwatch.subscribe(listener, {})


@pytest.mark.parametrize("callback", ["on_invalidate", "on_resume", "on_retire"])
def test_a_callback_must_be_callable(callback):
    globals_ = namespace(X=1)
    reader = freeze(globals_, "X")
    with pytest.raises(TypeError, match="3"):
        reader.commit(**{callback: 3})
    del reader


def test_the_reason_must_be_a_str():
    handle = recorder().commit()
    for wrong_reason in (3, None, b"why"):
        with pytest.raises(TypeError):
            handle.retire(wrong_reason)
    assert handle.valid
    handle.release()


def test_explain_wants_a_handle():
    for wrong_handle in (3, None, recorder()):
        with pytest.raises(TypeError, match="Handle"):
            depwatch.explain(wrong_handle)


def test_an_object_that_nobody_watches_has_no_dependents():
    for obj in ({}, types.ModuleType("m"), closure(), Instance, closure().__code__):
        assert not depwatch.dependents(obj)


@pytest.mark.parametrize("obj", [3, "text", None, object(), [].append, array("I")], ids=without_addresses)
def test_what_cannot_be_watched_is_refused_as_by_id_of(obj):
    with pytest.raises(depwatch.Unwatchable) as refusal:
        depwatch.id_of(obj)
    for ask in (depwatch.dependents, lambda obj: depwatch.invalidate([{}, obj], "why")):
        with pytest.raises(depwatch.Unwatchable, match=f"^{re.escape(str(refusal.value))}$"):
            ask(obj)


def test_a_part_that_the_object_does_not_have_is_refused():
    with pytest.raises(ValueError, match="has no part 'code'"):
        depwatch.dependents(closure().__code__, "code")


# --- Released --------------------------------------------------------------------------------------------------------


def test_a_recorder_commits_once():
    globals_ = namespace(X=1)
    reader = freeze(globals_, "X", name="once")
    handle = reader.commit()
    for use in (
        reader.commit, lambda: reader.read_global(globals_, "X"), lambda: reader.depend_on(globals_),
        lambda: reader.read_function(closure(), "code"), lambda: reader.read_type_attr(Instance, "method"),
        lambda: reader.value_cell(globals_, "X", "object"), lambda: reader.guard_cell(globals_, "X"),
        lambda: reader.read_attr(types, "ModuleType"),
    ):  # fmt: skip
        with pytest.raises(depwatch.Released, match="'once'"):
            use()
    handle.release()


def test_nothing_can_be_done_with_a_released_handle():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X", name="gone").commit("artifact")
    handle.release()
    for use in (
        lambda: handle.valid, lambda: handle.broken, lambda: handle.retired, lambda: handle.assumptions,
        lambda: handle.breaks, handle.broken_facets, lambda: handle.broken_address, lambda: handle.retire("late"),
        lambda: depwatch.explain(handle),
    ):  # fmt: skip
        with pytest.raises(depwatch.Released, match="'gone'"):
            use()
    assert (handle.released, handle.release(), handle.check()) == (True, None, False)
    assert (handle.name, handle.artifact) == ("gone", "artifact")


def test_an_error_in_the_middle_of_a_recording_leaves_the_rest_of_it_good():
    globals_ = namespace(X=1, Y=2)
    reader = freeze(globals_, "X")
    function = closure()
    for bad in (
        lambda: reader.read_global(globals_, "missing"), lambda: reader.read_global(3, "X"),
        lambda: reader.guard_cell(globals_, "missing"), lambda: reader.value_cell(globals_, "X", "f64"),
        lambda: reader.read_function(function, "code", "nonsense"),
    ):  # fmt: skip
        with pytest.raises((NameError, KeyError, TypeError, ValueError)):
            bad()
    reader.read_global(globals_, "Y")
    handle = reader.commit()
    globals_["Y"] = 3
    assert handle.broken == 1
    globals_["X"] = 3
    assert handle.broken == 2
    handle.release()
