"""Watching: CPython's watcher slots are taken at the first use, objects are watched only while somebody needs them."""

import operator
import types
from pathlib import Path

import pytest

import depwatch
from support import UNKNOWN, Counted, at_once, dependents, freeze, namespace, python

PROGRAMS = Path(__file__).with_name("programs")


def test_import_takes_no_watcher_slot(counting):
    python(PROGRAMS / "import_alone.py")


def test_import_of_every_module_of_the_core_takes_no_watcher_slot(counting):
    python(PROGRAMS / "import_of_every_module.py")


def test_wrong_arguments_take_no_watcher_slot(counting):
    python(PROGRAMS / "wrong_arguments.py")


def test_a_slot_is_taken_at_the_first_use_of_its_kind_and_only_one_ever(counting):
    python(PROGRAMS / "first_uses.py")


def test_attributes_of_classes_need_dict_watchers_only(counting):
    python(PROGRAMS / "attribute.py")


@pytest.mark.parametrize("kind", [0, 2, 3], ids=["dict", "function", "code"])
def test_without_a_free_slot_unwatchable_says_what_the_limit_is_and_later_it_works(counting, kind):
    python(PROGRAMS / "no_free_slot.py", str(kind))


# --- watched only while needed ---------------------------------------------------------------------------------------


def watched_now():
    now = depwatch.stats()
    return now["objects"], now["facets"]


def test_a_namespace_is_unwatched_when_its_last_handle_is_released():
    before = watched_now()
    globals_ = namespace(X=1, Y=2)
    first, second = freeze(globals_, "X").commit(), freeze(globals_, "X", "Y").commit()
    assert watched_now() > before
    first.release()
    assert dependents(globals_, "X") == {second.id}
    second.release()
    assert watched_now() == before
    with Counted() as counted:
        globals_["X"] = 2
    assert counted() == {}


def test_a_retired_handle_needs_nothing_any_more():
    before = watched_now()
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    handle.retire("enough")
    assert watched_now() == before
    assert handle.retired


def test_a_dropped_recorder_needs_nothing_any_more():
    before = watched_now()
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    assert watched_now() > before
    del recorder
    assert watched_now() == before


def test_a_closed_recorder_needs_nothing_any_more_and_closing_twice_is_closing():
    before = watched_now()
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    recorder.value_cell(globals_, "X", "object")
    recorder.guard_cell(globals_, "X")
    recorder.close()
    recorder.close()
    assert watched_now() == before
    with pytest.raises(depwatch.Released):
        recorder.commit()


def test_a_subscription_keeps_its_object_watched_until_it_is_cancelled(log):
    before = watched_now()
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    subscription = depwatch.subscribe(log.event, globals_, "X")
    handle.release()
    globals_["X"] = 2
    assert log.drained() == [("MODIFIED", "X", 1, 2)]
    subscription.cancel()
    assert watched_now() == before
    globals_["X"] = 3
    assert log.drained() == []


def test_a_type_and_its_bases_are_unwatched_when_nobody_needs_them():
    before = watched_now()

    class Base:
        x = 1

    class Derived(Base):
        pass

    recorder = depwatch.Recorder("derived")
    recorder.read_type_attr(Derived, "x")
    handle = recorder.commit()
    assert watched_now() > before
    handle.release()
    assert watched_now() == before
    with Counted() as counted:
        Base.x = 2
        Derived.x = 3
    assert counted() == {}


def test_functions_and_code_objects_are_unwatched_when_nobody_needs_them():
    before = watched_now()

    def function(a=1, *, b=2):
        return a

    recorder = depwatch.Recorder("parts")
    recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
    recorder.depend_on(function)
    recorder.depend_on(function.__code__)
    recorder.commit().release()
    assert watched_now() == before
    with Counted() as counted:
        function.__defaults__ = (3,)
    assert counted() == {}


def test_a_handle_without_assumptions_is_valid_for_ever(log):
    handle = log.commit(depwatch.Recorder("nothing"))
    assert (handle.valid, handle.broken, handle.retired) == (True, 0, False)
    assert log.drained() == []


def test_objects_that_nobody_depends_on_send_nothing(log):
    globals_ = namespace(X=1, Y=1)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        globals_["Y"] = 2
        globals_["Z"] = 2
        del globals_["Y"]
        types.new_class("Unrelated").x = 1
        (lambda: 1).__defaults__ = ()
    assert counted() == {}
    assert log.drained() == []
    assert handle.valid


def test_ids_are_dense_and_never_addresses():
    dicts = [{} for _ in range(100)]
    ids = [depwatch.id_of(d) for d in dicts]
    assert len(set(ids)) == 100
    assert max(ids) < 10_000
    assert ids == [depwatch.id_of(d) for d in dicts]
    assert not set(ids) & {id(d) for d in dicts}


def test_each_kind_of_object_has_one_id_and_a_module_has_that_of_its_dict():
    def function():
        pass

    class Type:
        pass

    module = types.ModuleType("module")
    ids = [depwatch.id_of(each) for each in (function, Type, function.__code__, module)]
    assert len(set(ids)) == 4
    assert depwatch.id_of(vars(module)) == ids[3]


def test_events_carry_the_id_of_their_object(log):
    globals_ = namespace(X=1)
    subscription = depwatch.subscribe(log.whole_event, globals_, "X")
    at_once((operator.setitem, globals_, "X", 2))
    (event,) = log.drained()
    assert event.object_id == depwatch.id_of(globals_)
    assert (event.old, event.new, event.facet) == (1, 2, "X")
    assert event.old is not UNKNOWN
    subscription.cancel()
