"""Unstable facets: what broke too often is given up, facet by facet, and refused to whoever reads it."""

import pytest

import depwatch
from support import Counted, freeze, freeze_attribute, namespace, seen_in, store_at_once, without_automatic_drain


def break_and_heal(globals_, times, old, new="new"):
    """That many breaks that a drain has seen."""
    for _ in range(times):
        globals_["X"] = new
        depwatch.drain()
        globals_["X"] = old
        depwatch.drain()


def test_the_default_is_six_breaks_and_the_sixth_gives_up(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X"))
    break_and_heal(globals_, 5, "old")
    assert log.drained() == [("invalidated", "frozen"), ("resumed", "frozen")] * 5
    assert handle.valid
    globals_["X"] = "new"
    assert not handle.valid
    assert log.drained() == [("retired", "frozen")]
    assert handle.retired
    assert "too often" in handle.reason
    assert handle.reason in depwatch.explain(handle)


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_a_facet_is_given_up_at_exactly_the_limit(log, limit):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X", unstable_after=limit))
    break_and_heal(globals_, limit - 1, "old")
    assert handle.valid
    globals_["X"] = "new"
    depwatch.drain()
    assert handle.retired
    assert log == [("invalidated", "frozen"), ("resumed", "frozen")] * (limit - 1) + [("retired", "frozen")]


def test_reading_what_was_given_up_raises_unstable_with_limit_and_remedy(log):
    globals_ = namespace(X="old", Y=1)
    function = seen_in(globals_)
    log.commit(freeze(function, "X"))
    break_and_heal(globals_, 6, "old")
    recorder = depwatch.Recorder("again")
    with pytest.raises(depwatch.Unstable, match=r"'X'.*6 times.*limit is 6.*value cell"):
        recorder.read_global(function, "X")
    with pytest.raises(depwatch.Unstable):
        recorder.guard_cell(function, "X")
    assert recorder.read_global(function, "Y") == 1
    cell = recorder.value_cell(function, "X", "object")
    assert cell.value == "old"
    log.clear()
    handle = log.commit(recorder)
    break_and_heal(globals_, 10, "old")
    assert (handle.valid, log.drained()) == (True, [])


@pytest.mark.parametrize("to_and_fro", [True, False])
def test_what_goes_to_and_fro_is_called_so_from_the_third_time_on(log, to_and_fro):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X"))
    seen = []
    for i in range(6):
        globals_["X"] = "new" if to_and_fro else i
        seen.append("; it goes to and fro" in depwatch.explain(handle))
        globals_["X"] = "old"
        depwatch.drain()
    assert seen == [to_and_fro and i >= 2 for i in range(6)]
    assert "broke too often to build on" in handle.reason


def test_forgotten_breaks_give_a_facet_a_second_chance(log):
    globals_ = namespace(X="old", Y="old")
    for name in ("X", "Y"):
        log.commit(freeze(globals_, name, unstable_after=2))
        for value in ("new", "old") * 2:
            globals_[name] = value
            depwatch.drain()
        with pytest.raises(depwatch.Unstable):
            freeze(globals_, name, unstable_after=2)
    depwatch.forget_breaks(globals_, "X")
    handle = log.commit(freeze(globals_, "X", name="again", unstable_after=2))
    with pytest.raises(depwatch.Unstable):
        freeze(globals_, "Y", unstable_after=2)
    depwatch.forget_breaks(globals_)
    other = log.commit(freeze(globals_, "Y", name="other", unstable_after=2))
    log.clear()
    for value in ("new", "old", "new"):
        globals_["X"] = value
        depwatch.drain()
    assert log == [("invalidated", "again"), ("resumed", "again"), ("retired", "again")]
    assert (handle.retired, other.valid) == (True, True)


def test_breaks_of_what_cannot_be_watched_cannot_be_forgotten():
    with pytest.raises(depwatch.Unwatchable):
        depwatch.forget_breaks(5)
    with pytest.raises(depwatch.Unwatchable, match="'qualname'"):
        depwatch.forget_breaks(test_each_recorder_has_its_own_limit_on_the_same_facet, "qualname")


def test_each_recorder_has_its_own_limit_on_the_same_facet(log):
    globals_ = namespace(X="old")
    handles = {
        limit: log.commit(freeze(globals_, "X", name=f"limit {limit}", unstable_after=limit)) for limit in (2, 4, 1000)
    }
    for breaks in range(1, 6):
        break_and_heal(globals_, 1, "old")
        assert {limit: handle.retired for limit, handle in handles.items()} == {
            limit: limit <= breaks for limit in handles
        }
    assert [entry for entry in log if entry[0] == "retired"] == [("retired", "limit 2"), ("retired", "limit 4")]
    with pytest.raises(depwatch.Unstable):
        freeze(globals_, "X", unstable_after=5)
    assert freeze(globals_, "X", unstable_after=6).commit().valid


@without_automatic_drain
def test_a_break_that_no_drain_has_seen_does_not_count(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X", unstable_after=1))
    for _ in range(50):
        store_at_once(globals_, "X", "new", "old")
        assert log.drained() == []
    assert handle.valid


@without_automatic_drain
def test_many_stores_to_a_broken_facet_are_one_break(log):
    globals_ = namespace(X="old")
    handle = log.commit(freeze(globals_, "X", unstable_after=2))
    for value in range(50):
        globals_["X"] = value
        depwatch.drain()
    assert (handle.broken, log) == (1, [("invalidated", "frozen")])


def test_facets_are_given_up_one_by_one(log):
    globals_ = namespace(X="old", Y="y")
    unconcerned = log.commit(freeze(globals_, "Y", name="unconcerned"))
    both = log.commit(freeze(globals_, "X", "Y", name="both"))
    break_and_heal(globals_, 20, "old")
    assert both.retired
    assert unconcerned.valid
    assert not [entry for entry in log if entry[1] == "unconcerned"]
    recorder = freeze(globals_, "Y")
    assert recorder.commit().valid


def test_breaks_are_remembered_when_all_handles_are_gone(log):
    globals_ = namespace(X="old")
    for _ in range(3):
        handle = log.commit(freeze(globals_, "X"))
        break_and_heal(globals_, 2, "old")
        handle.release()
        depwatch.drain()
    with pytest.raises(depwatch.Unstable):
        freeze(globals_, "X")


def test_a_new_value_each_time_counts_as_often_as_the_same(log):
    globals_ = namespace(X=0)
    for i in range(1, 7):
        log.commit(freeze(globals_, "X"))
        globals_["X"] = i
        depwatch.drain()
    with pytest.raises(depwatch.Unstable):
        freeze(globals_, "X")


def test_counters_in_classes_and_defaults_of_functions_are_given_up_too(log):
    class Counter:
        n = 0

    def function(a=0):
        return a

    class_handle = log.commit(freeze_attribute(Counter, "n", name="class"))
    recorder = depwatch.Recorder("function")
    recorder.read_function(function, "defaults")
    function_handle = log.commit(recorder)
    defaults = function.__defaults__
    for _ in range(6):
        Counter.n = 1
        function.__defaults__ = (1,)
        depwatch.drain()
        Counter.n = 0
        function.__defaults__ = defaults
        depwatch.drain()
    assert (class_handle.retired, function_handle.retired) == (True, True)
    with pytest.raises(depwatch.Unstable, match="'n'"):
        freeze_attribute(Counter, "n")
    with pytest.raises(depwatch.Unstable, match="defaults"):
        depwatch.Recorder("r").read_function(function, "defaults")


@without_automatic_drain
def test_an_unstable_facet_costs_its_dict_nothing(log):
    globals_ = namespace(X="old")
    log.commit(freeze(globals_, "X"))
    break_and_heal(globals_, 10, "old")
    log.clear()
    with Counted() as counted:
        store_at_once(globals_, "X", *range(100))
    assert counted("breaks", "restores", "details_queued") == {"breaks": 0, "restores": 0, "details_queued": 0}
    assert log.drained() == []


def test_a_new_dict_starts_without_breaks(log):
    for _ in range(10):
        globals_ = namespace(X="old")
        handle = log.commit(freeze(globals_, "X", unstable_after=1))
        globals_["X"] = "new"
        depwatch.drain()
        assert handle.retired


@pytest.mark.parametrize("wrong", [0, -1, 65535, 10**20])
def test_a_limit_out_of_range_names_value_and_range(wrong):
    with pytest.raises(ValueError, match=rf"{wrong}.*1 to 65534"):
        depwatch.Recorder("r", wrong)


@pytest.mark.parametrize("wrong", ["6", 6.0])
def test_a_limit_that_is_no_int_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="unstable_after"):
        depwatch.Recorder("r", wrong)


def test_without_a_limit_reading_goes_on_when_the_breaks_can_be_counted_no_more():
    globals_ = namespace(X="old")
    without_limit = freeze(globals_, "X", unstable_after=None).commit()
    for _ in range(66_000):
        globals_["X"] = "new"
        depwatch.drain()
        globals_["X"] = "old"
    depwatch.drain()
    assert without_limit.valid
    with pytest.raises(depwatch.Unstable, match="broken 65534 times"):
        freeze(globals_, "X", unstable_after=65534)
    for _ in range(3):
        handle = freeze(globals_, "X", unstable_after=None).commit()
        assert handle.valid
        globals_["X"] = "new"
        assert not handle.valid
        globals_["X"] = "old"
        depwatch.drain()


@without_automatic_drain
def test_each_handle_is_told_its_own_reason_where_one_of_them_gives_the_facet_up(log):
    globals_ = namespace(X=1)
    patient, impatient = (
        freeze(seen_in(globals_), "X", unstable_after=60000),
        freeze(seen_in(globals_), "X", unstable_after=1),
    )

    def function(*, keyword=1):
        pass

    patient.depend_on(function)
    handles = [log.commit(recorder) for recorder in (patient, impatient)]
    globals_["X"] = 2
    function.__kwdefaults__["keyword"] = 2
    assert log.drained() == [("retired", "frozen")] * 2
    assert "anything in <function" in handles[0].reason
    assert "broke too often" in handles[1].reason
