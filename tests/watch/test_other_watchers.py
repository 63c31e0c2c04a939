"""Living with others: extensions that take watchers too, before depwatch and after it; slots that are all taken."""

from pathlib import Path

import pytest

from support import python

PROGRAMS = Path(__file__).with_name("programs")

KINDS = ("dict", "type", "function", "code")

# --- both see everything ---------------------------------------------------------------------------------------------


def test_others_see_every_event_of_a_dict_that_depwatch_watches_too(others):
    python(PROGRAMS / "both_see_a_dict.py")


def test_others_see_every_event_of_a_type_that_depwatch_watches_too(others):
    python(PROGRAMS / "both_see_a_type.py")


def test_others_see_every_event_of_functions_and_code_that_depwatch_watches_too(others):
    python(PROGRAMS / "both_see_functions.py")


@pytest.mark.parametrize("which", ["BEFORE", "AFTER"])
def test_another_extension_that_gives_its_slots_back_takes_nothing_from_depwatch(others, which):
    python(PROGRAMS / "slots_given_back.py", which)


# --- callbacks of others that change things, or fail -----------------------------------------------------------------

BOTH_ORDERS = pytest.mark.parametrize("which", ["BEFORE", "AFTER"])


@BOTH_ORDERS
def test_changes_nested_in_callbacks_of_others_break_and_heal_all_of_it(others, which):
    python(PROGRAMS / "nested_callbacks.py", which)


@BOTH_ORDERS
def test_a_callback_of_another_that_fails_is_reported_and_depwatch_acts_all_the_same(others, which):
    python(PROGRAMS / "failing_callback.py", which)


# --- slots -----------------------------------------------------------------------------------------------------------

# Each needs a slot of the first kind; the later ones watch something else as well before they come to it.
NEEDS = {
    "dict": (
        "recorder.read_global(namespace, 'X')",
        "recorder.read_attr(sys, 'path')",
        "recorder.read_type_attr(Derived, 'x')",
        "recorder.read_function(keywords, 'kwdefaults')",
        "recorder.depend_on(namespace)",
        "recorder.depend_on(Derived)",
        "recorder.value_cell(namespace, 'X', 'i64')",
        "recorder.guard_cell(Derived, 'x')",
        "depwatch.subscribe(print, namespace, 'X')",
        "depwatch.subscribe(print, Derived)",
        "depwatch.id_of(namespace)",
    ),
    "function": (
        "recorder.read_function(keywords, 'code')",
        "recorder.read_function(keywords, 'existence')",
        "recorder.depend_on(keywords)",
        "depwatch.subscribe(print, keywords, 'defaults')",
        "depwatch.subscribe_created(print, keywords.__code__)",
        "depwatch.id_of(keywords)",
    ),
    "code": (
        "recorder.depend_on(keywords.__code__)",
        "depwatch.subscribe(print, keywords.__code__)",
        "depwatch.subscribe_created(print, keywords.__code__)",
        "depwatch.id_of(keywords.__code__)",
    ),
}


@pytest.mark.parametrize("kind", NEEDS)
def test_what_needs_a_slot_that_is_not_free_is_refused_and_leaves_nothing_watched(counting, kind):
    python(PROGRAMS / "needs_a_slot.py", str(KINDS.index(kind)), repr(NEEDS[kind]))


def test_an_open_recorder_survives_the_lack_of_a_slot_with_what_it_has(counting):
    python(PROGRAMS / "open_recorder.py")


def test_classes_need_a_type_slot_only_where_a_static_table_cannot_be_found(counting):
    """The garbage collector knows it, unless somebody has taken it out of that."""
    python(PROGRAMS / "static_base.py")
