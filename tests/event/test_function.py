"""Functions and code objects: code, defaults, kwdefaults, existence, and functions that are made of a code object."""

import weakref
from threading import get_ident

import pytest

import depwatch
from depwatch import Change, Event
from support import UNKNOWN, at_once, dependents, here, without_automatic_drain


def make():
    def function(a, b=1, *, c=2):
        return a + b + c

    return function


def other(a, b=5, *, c=6):
    return 0


def read(log, function, *parts, name="r"):
    recorder = depwatch.Recorder(name)
    values = recorder.read_function(function, *parts)
    return log.commit(recorder), values


def test_each_part_reads_as_the_attribute():
    function = make()
    recorder = depwatch.Recorder("r")
    assert recorder.read_function(function, "code", "defaults", "kwdefaults", "existence") == (
        function.__code__, (1,), {"c": 2}, function,
    )  # fmt: skip
    assert recorder.read_function(other.__class__.__call__ and (lambda: 1), "defaults", "kwdefaults") == (None, None)


CHANGES = {
    "code": lambda f: setattr(f, "__code__", other.__code__),
    "defaults": lambda f: setattr(f, "__defaults__", (7,)),
    "kwdefaults": lambda f: setattr(f, "__kwdefaults__", {"c": 7}),
    "defaults deleted": lambda f: delattr(f, "__defaults__"),
    "kwdefaults deleted": lambda f: delattr(f, "__kwdefaults__"),
    "defaults None": lambda f: setattr(f, "__defaults__", None),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("part", ["code", "defaults", "kwdefaults", "existence"])
def test_a_change_of_a_part_breaks_that_part_only(log, change, part):
    function = make()
    handle, _ = read(log, function, part)
    CHANGES[change](function)
    if change.startswith(part):
        assert handle.broken == 1
        assert log.drained() == [("invalidated", "r")]
    else:
        assert handle.valid
        assert log.drained() == []


@pytest.mark.parametrize("part", ["code", "defaults", "kwdefaults"])
def test_the_old_object_put_back_heals(log, part):
    function = make()
    attribute = f"__{part}__"
    old = getattr(function, attribute)
    handle, _ = read(log, function, part)
    setattr(function, attribute, getattr(other, attribute))
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "r")]
    setattr(function, attribute, old)
    assert log.drained() == [("resumed", "r")]
    assert handle.valid


@without_automatic_drain
@pytest.mark.parametrize("part", ["code", "defaults"])
def test_the_old_object_put_back_heals_in_the_callback(log, part):
    function = make()
    attribute = f"__{part}__"
    old = getattr(function, attribute)
    handle, _ = read(log, function, part)
    setattr(function, attribute, getattr(other, attribute))
    assert handle.broken == 1
    setattr(function, attribute, old)
    assert handle.broken == 0
    assert log.drained() == []


def test_the_same_object_assigned_again_changes_nothing(log):
    function = make()
    handle, _ = read(log, function, "code", "defaults", "kwdefaults")
    function.__code__ = function.__code__
    function.__defaults__ = function.__defaults__
    function.__kwdefaults__ = function.__kwdefaults__
    depwatch.drain()
    assert handle.valid
    assert ("retired", "r") not in log


def test_what_cannot_change_a_call_changes_nothing(log):
    function = make()
    handle, _ = read(log, function, "code", "defaults", "kwdefaults", "existence")
    function.__name__ = function.__qualname__ = "renamed"
    function.__doc__ = "documented"
    function.__annotations__ = {"a": int}
    function.attribute = 1
    function.__module__ = "elsewhere"
    assert function(1) == 4
    assert (handle.valid, log.drained()) == (True, [])


@without_automatic_drain
def test_whoever_listens_to_a_function_is_told_which_part_changed(log):
    function = make()
    subscription = depwatch.subscribe(log.event, function)
    for change in ("code", "defaults", "kwdefaults", "defaults deleted"):
        CHANGES[change](function)
    depwatch.drain()
    function.__kwdefaults__["c"] = 8
    depwatch.drain()
    assert [(change, facet) for change, facet, *_ in log] == [
        ("MODIFIED", part) for part in ("code", "defaults", "kwdefaults", "defaults", "kwdefaults")
    ]
    subscription.cancel()


# --- the dict of kwdefaults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda d: d.update(c=7), lambda d: d.clear(), lambda d: d.update(x=1), lambda d: d.pop("c"),
])  # fmt: skip
def test_a_change_inside_the_dict_of_kwdefaults_retires(log, change):
    function = make()
    handle, _ = read(log, function, "kwdefaults")
    change(function.__kwdefaults__)
    assert handle.retired
    assert log.drained() == [("retired", "r")]
    assert "kwdefaults" in handle.reason


def test_a_change_inside_a_new_dict_of_kwdefaults_keeps_it_broken_or_retires(log):
    function = make()
    old = function.__kwdefaults__
    handle, _ = read(log, function, "kwdefaults")
    function.__kwdefaults__ = {"c": 3}
    assert log.drained() == [("invalidated", "r")]
    function.__kwdefaults__["c"] = 4
    depwatch.drain()
    assert not handle.valid
    function.__kwdefaults__ = old
    depwatch.drain()
    assert handle.valid or handle.retired


def test_old_kwdefaults_changed_while_away_and_put_back_stay_broken(log):
    function = make()
    old = function.__kwdefaults__
    handle, _ = read(log, function, "kwdefaults")
    function.__kwdefaults__ = {"c": 3}
    assert log.drained() == [("invalidated", "r")]
    old["c"] = 99
    function.__kwdefaults__ = old
    assert log.drained() == [("retired", "r")]
    assert handle.retired


@without_automatic_drain
@pytest.mark.parametrize("whole", [False, True], ids=["kwdefaults", "the function"])
def test_kwdefaults_that_keep_changing_in_place_are_given_up(log, whole):
    function = make()

    def compile_again():
        recorder = depwatch.Recorder("r", unstable_after=3)
        recorder.depend_on(function) if whole else recorder.read_function(function, "kwdefaults")
        return log.commit(recorder)

    for value in (3, 4, 5):
        handle = compile_again()
        function.__kwdefaults__["c"] = value
        assert log.drained() == [("retired", "r")]
        assert "unstable" not in handle.reason
    with pytest.raises(depwatch.Unstable, match="has broken 3 times, the limit is 3"):
        compile_again()


def test_old_kwdefaults_changed_before_any_drain_and_put_back_stay_broken(log):
    function = make()
    old = function.__kwdefaults__
    handle, _ = read(log, function, "kwdefaults")
    function.__kwdefaults__ = {"c": 3}
    old["c"] = 99
    function.__kwdefaults__ = old
    assert not handle.valid
    depwatch.drain()
    assert not handle.valid


def test_kwdefaults_read_after_a_change_inside_are_a_new_assumption(log):
    function = make()
    read(log, function, "kwdefaults", name="first")
    function.__kwdefaults__["c"] = 3
    assert log.drained() == [("retired", "first")]
    handle, values = read(log, function, "kwdefaults", name="second")
    assert values == ({"c": 3},)
    assert handle.valid
    function.__kwdefaults__["c"] = 4
    assert log.drained() == [("retired", "second")]


# --- listeners -------------------------------------------------------------------------------------------------------


def test_a_listener_is_told_of_each_part_with_old_and_new_value(log):
    function = make()
    old = function.__code__
    subscription = depwatch.subscribe(log.event, function, "code", "defaults", "kwdefaults")
    at_once(
        (setattr, function, "__code__", other.__code__),
        (setattr, function, "__defaults__", (7,)),
        (delattr, function, "__defaults__"),
    )
    assert log.drained() == [
        ("MODIFIED", "code", old, other.__code__),
        ("MODIFIED", "defaults", (1,), (7,)),
        ("MODIFIED", "defaults", (7,), None),
    ]
    before = function.__kwdefaults__
    function.__kwdefaults__ = new = {"c": 5}
    assert log.drained() == [("MODIFIED", "kwdefaults", before, new)]
    subscription.cancel()
    function.__defaults__ = ()
    assert log.drained() == []


def test_a_listener_is_told_of_a_change_inside_the_dict_of_kwdefaults(log):
    function = make()
    subscription = depwatch.subscribe(log.event, function, "kwdefaults")
    function.__kwdefaults__["c"] = 5
    ((change, facet, _, new),) = log.drained()
    assert (change, facet, new) == ("MODIFIED", "kwdefaults", 5)
    subscription.cancel()


def test_a_listener_to_the_whole_function_is_told_of_every_part(log):
    function = make()
    subscription = depwatch.subscribe(log.event, function)
    function.__code__ = other.__code__
    function.__defaults__ = (7,)
    function.__name__ = "silent"
    told = log.drained()
    assert [(change, new) for change, _, _, new in told] == [("MODIFIED", other.__code__), ("MODIFIED", (7,))]
    subscription.cancel()


def test_an_event_of_a_function_says_everything_there_is(log):
    function = make()
    subscription = depwatch.subscribe(log.whole_event, function, "defaults")
    line = here() + 1
    function.__defaults__ = (2,)
    number = depwatch.id_of(function)
    assert log.drained() == [Event(Change.MODIFIED, number, "defaults", (1,), (2,), __file__, line, get_ident())]
    subscription.cancel()


# --- existence -------------------------------------------------------------------------------------------------------


def test_the_death_of_a_function_retires_and_is_told(log):
    function = make()
    number = depwatch.id_of(function)
    read(log, function, "existence")
    depwatch.subscribe(log.whole_event, function, "existence")
    line = here() + 1
    del function
    assert log.drained() == [
        Event(Change.DESTROYED, number, "existence", UNKNOWN, UNKNOWN, __file__, line, get_ident()),
        ("retired", "r"),
    ]


def test_the_death_of_a_code_object_retires_and_is_told(log):
    code = compile("1", "<dies>", "eval")
    recorder = depwatch.Recorder("r")
    recorder.depend_on(code)
    handle = log.commit(recorder)
    depwatch.subscribe(log.event, code, "existence")
    assert dependents(code) == {handle.id}
    del code
    assert log.drained() == [("DESTROYED", "existence", UNKNOWN, UNKNOWN), ("retired", "r")]
    assert "died" in handle.reason


def test_a_function_that_loses_its_code_object_does_not_take_the_code_of_others(log):
    function = make()
    recorder = depwatch.Recorder("r")
    recorder.depend_on(function.__code__)
    handle = log.commit(recorder)
    second = make()
    function.__code__ = other.__code__
    del function
    assert second.__code__ is make().__code__
    assert (handle.valid, log.drained()) == (True, [])


# --- functions made of a code object ---------------------------------------------------------------------------------


def code_of(function):
    return make.__code__.co_consts[next(i for i, c in enumerate(make.__code__.co_consts) if hasattr(c, "co_code"))]


def test_every_new_function_of_a_code_object_is_told(log):
    code = code_of(make)
    subscription = depwatch.subscribe_created(log.event, code)
    first, _, third = make(), (lambda: 1), make()
    told = log.drained()
    assert [(change, new) for change, _, _, new in told] == [("CREATED", first), ("CREATED", third)]
    assert [new for *_, new in told] == [first, third]
    subscription.cancel()
    make()
    assert log.drained() == []


@without_automatic_drain
def test_a_function_that_dies_before_the_drain_is_told_without_itself(log):
    subscription = depwatch.subscribe_created(log.event, code_of(make))
    reference = weakref.ref(make())
    assert reference() is None
    assert log.drained() == [("CREATED", "created", UNKNOWN, UNKNOWN)]
    subscription.cancel()


def test_creation_is_told_of_nothing_but_code_objects(log):
    for wrong in (make, 3, None):
        with pytest.raises(TypeError):
            depwatch.subscribe_created(log.event, wrong)
    with pytest.raises(TypeError):
        depwatch.subscribe_created(3, make.__code__)
