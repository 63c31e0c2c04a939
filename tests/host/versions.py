"""What the supported versions of CPython do differently: the one place where tests/host/ names versions.

A row is a minor version; what a micro version changed is said with the micro version. A CPython that is not here was
never looked at: run these tests on it, correct what is said about it, and add it.
"""

import sys
import sysconfig
from dataclasses import dataclass

ALL_SLOTS = tuple(range(8))
DICT_EVENTS = ["ADDED", "MODIFIED", "DELETED", "CLONED", "CLEARED", "DEALLOCATED"]
CODE_EVENTS = ["CREATE", "DESTROY"]
FIVE_FUNCTION_EVENTS = ["CREATE", "DESTROY", "MODIFY_CODE", "MODIFY_DEFAULTS", "MODIFY_KWDEFAULTS"]


@dataclass(frozen=True, kw_only=True)
class Host:
    function_events: list[str]
    free_slots: dict[str, tuple[int, ...]]  # in a fresh process: D dict, T type, F function, C code, X context
    type_event_before_write: bool  # for ordinary attributes
    type_events_of_a_class: int | None  # then silence for ever; None: no limit
    type_event_for_name_and_metaclass: bool  # on 3.13+ nothing reports __name__=, __qualname__= and C.__class__=
    type_event_at_dealloc: bool  # beside the one for clearing it
    failed_delete_sends_type_event: bool
    module_assignment_deletes_line: bool  # C.__module__ = x deletes __firstlineno__
    annotations_key: str  # what C.__annotations__ = x stores in the class's dict
    annotate_function: bool  # def and class with annotations also create an __annotate__ function
    class_may_leave_static_base: bool  # C.__bases__ = (list,) and back
    added_before_failure: bool  # ADDED is sent although the insertion then runs out of memory (gh-122208)
    split_table_readd_is_modified: bool  # a key that a split table had before is reported MODIFIED though absent
    watch_in_own_callback_is_undone: bool
    cpython_watches_dicts: bool  # slot 0 is CPython's own
    bare_failure: str  # a callback that returns -1 without an exception: "tolerated" or "killed"
    bare_failure_debug: str
    frozendict: bool
    concurrent_interpreters: bool
    pending_calls_after_fork_in_thread: bool  # in the child of a thread that is not the main one; 3.13+ never runs them
    pending_calls_are_traced: bool  # those that come as a traced function starts; 3.12 runs them inside the trace event


TABLE = {
    (3, 12): Host(
        function_events=FIVE_FUNCTION_EVENTS,
        free_slots=dict.fromkeys("DTFC", ALL_SLOTS),
        type_event_before_write=False,
        type_events_of_a_class=None,
        type_event_for_name_and_metaclass=True,
        type_event_at_dealloc=False,
        failed_delete_sends_type_event=False,
        module_assignment_deletes_line=False,
        annotations_key="__annotations__",
        annotate_function=False,
        class_may_leave_static_base=False,
        added_before_failure=True,
        split_table_readd_is_modified=True,
        watch_in_own_callback_is_undone=True,
        cpython_watches_dicts=False,
        bare_failure="tolerated",
        bare_failure_debug="tolerated",
        frozendict=False,
        concurrent_interpreters=False,
        pending_calls_after_fork_in_thread=True,
        pending_calls_are_traced=False,
    ),
    (3, 13): Host(
        function_events=FIVE_FUNCTION_EVENTS,
        free_slots=dict.fromkeys("DTFC", ALL_SLOTS) | {"D": ALL_SLOTS[2:]},
        type_event_before_write=True,
        type_events_of_a_class=1000,
        type_event_for_name_and_metaclass=False,
        type_event_at_dealloc=False,
        failed_delete_sends_type_event=True,
        module_assignment_deletes_line=True,
        annotations_key="__annotations__",
        annotate_function=False,
        class_may_leave_static_base=False,
        added_before_failure=False,
        split_table_readd_is_modified=False,
        watch_in_own_callback_is_undone=False,
        cpython_watches_dicts=True,
        bare_failure="tolerated",
        bare_failure_debug="tolerated",
        frozendict=False,
        concurrent_interpreters=False,
        pending_calls_after_fork_in_thread=False,
        pending_calls_are_traced=True,
    ),
    (3, 14): Host(
        function_events=FIVE_FUNCTION_EVENTS,
        free_slots=dict.fromkeys("DTFCX", ALL_SLOTS) | {"D": ALL_SLOTS[2:], "T": ALL_SLOTS[1:]},
        type_event_before_write=True,
        type_events_of_a_class=1000,
        type_event_for_name_and_metaclass=False,
        type_event_at_dealloc=False,
        failed_delete_sends_type_event=True,
        module_assignment_deletes_line=True,
        annotations_key="__annotations_cache__",
        annotate_function=True,
        class_may_leave_static_base=False,
        added_before_failure=False,
        split_table_readd_is_modified=False,
        watch_in_own_callback_is_undone=False,
        cpython_watches_dicts=True,
        bare_failure="tolerated",
        bare_failure_debug="killed",
        frozendict=False,
        concurrent_interpreters=True,
        pending_calls_after_fork_in_thread=False,
        pending_calls_are_traced=True,
    ),
    (3, 15): Host(
        function_events=[*FIVE_FUNCTION_EVENTS, "MODIFY_QUALNAME"],
        free_slots=dict.fromkeys("DTFCX", ALL_SLOTS) | {"D": ALL_SLOTS[3:], "T": ALL_SLOTS[1:]},
        type_event_before_write=True,
        type_events_of_a_class=1000,
        type_event_for_name_and_metaclass=False,
        type_event_at_dealloc=True,
        failed_delete_sends_type_event=True,
        module_assignment_deletes_line=True,
        annotations_key="__annotations_cache__",
        annotate_function=True,
        class_may_leave_static_base=True,
        added_before_failure=False,
        split_table_readd_is_modified=False,
        watch_in_own_callback_is_undone=False,
        cpython_watches_dicts=True,
        bare_failure="killed",
        bare_failure_debug="killed",
        frozendict=True,
        concurrent_interpreters=True,
        pending_calls_after_fork_in_thread=False,
        pending_calls_are_traced=True,
    ),
}


def host_of(version: tuple[int, ...]) -> Host:
    if tuple(version[:2]) not in TABLE:
        raise LookupError(
            f"CPython {version[0]}.{version[1]} is not in the table of tests/host/versions.py: "
            "find out what it does (these tests, with a copy of the last row) and add it"
        )
    return TABLE[tuple(version[:2])]


if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise LookupError("a free-threaded CPython is not in the table of tests/host/versions.py")

HOST = host_of(sys.version_info)
IS_DEBUG = hasattr(sys, "gettotalrefcount")
# gh-125608, CPython's note: mended in 3.13.1.
MISSES_INSTANCE_STORES = sys.version_info[:3] == (3, 13, 0)
