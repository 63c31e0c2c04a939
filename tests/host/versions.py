"""What the supported versions of CPython do differently: the one place where tests/host/ names versions.

A row is a minor version; what a micro version changed is said with the micro version. A CPython that is not here was
never looked at: run these tests on it, correct what is said about it, and add it.
"""

import sys
import sysconfig
from dataclasses import dataclass, replace

ALL_SLOTS = tuple(range(8))
DICT_EVENTS = ["ADDED", "MODIFIED", "DELETED", "CLONED", "CLEARED", "DEALLOCATED"]
CODE_EVENTS = ["CREATE", "DESTROY"]
FIVE_FUNCTION_EVENTS = ["CREATE", "DESTROY", "MODIFY_CODE", "MODIFY_DEFAULTS", "MODIFY_KWDEFAULTS"]


@dataclass(frozen=True, kw_only=True)
class Host:
    function_events: list[str]
    free_slots: dict[str, tuple[int, ...]]  # in a fresh process: D dict, T type, F function, C code, X context
    type_event_before_write: bool  # for ordinary attributes
    references_in_class: int  # to a class attribute that nobody else has, while the callback is told that it goes
    type_events_of_a_class: int | None  # then silence for ever; None: no limit
    type_event_for_name_and_metaclass: bool  # on 3.13+ nothing reports __name__=, __qualname__= and C.__class__=
    type_event_at_dealloc: bool  # beside the one for clearing it
    failed_delete_sends_type_event: bool
    module_assignment_deletes_line: bool  # C.__module__ = x deletes __firstlineno__
    annotations_key: str  # what C.__annotations__ = x stores in the class's dict
    annotate_function: bool  # def and class with annotations also create an __annotate__ function
    visits_frozen: bool  # PyUnstable_GC_VisitObjects, what gc.freeze() has put aside (gh-131740, in 3.13.3)
    class_may_leave_static_base: bool  # C.__bases__ = (list,) and back
    added_before_failure: bool  # ADDED is sent although the insertion then runs out of memory (gh-122208)
    split_table_readd_is_modified: bool  # a key that a split table had before is reported MODIFIED though absent
    watch_in_own_callback_is_undone: bool
    cpython_watches_dicts: bool  # slot 0 is CPython's own
    bare_failure: str  # a callback that returns -1 without an exception: "tolerated" or "killed"
    bare_failure_debug: str
    frozendict: bool
    lazy_imports: bool  # PEP 810
    unsound: frozenset[tuple[str, str]]  # (operation on a dict, what its callback does to it) of deeds.py
    python_in_late_code_callback: str  # run while the process ends: "tolerated" or "killed"
    failing_creation_runs_away: bool  # the hook that reports it creates functions, which fail in turn
    entry_ignored: frozenset[str]  # paths of entry_paths.py that pass by an entry set with PyFunction_SetVectorcall
    version_after_change: int | None  # a function's version for ever after; None: it gets fresh ones
    version_of_function_type: int | None  # of what types.FunctionType makes; None: fresh ones
    site_after_change: str  # what a hot call of a changed function is specialised to
    init_site: str  # and a hot C(1)
    property_sites: tuple[str, str]  # a hot o.p, and what it becomes once the getter was changed
    getitem_sites: tuple[str, str]  # a hot o[0]
    init_hits: tuple[int, int]  # of 6000 calls of a hot C(1) after PyType_Modified(C): without and with the JIT
    entry_recursion: tuple[int, int]  # a depth that works through an entry, and one that raises RecursionError
    jit_stale: frozenset[str]  # hot loops of hot_loops.py that go on with what was replaced
    jit_killed: frozenset[str]  # those that kill the process
    jit_killed_debug: frozenset[str]
    concurrent_interpreters: bool
    pending_calls_after_fork_in_thread: bool  # in the child of a thread that is not the main one; 3.13+ never runs them
    pending_calls_are_traced: bool  # those that come as a traced function starts; 3.12 runs them inside the trace event


# What breaks a dict on all versions, if its callback does it.
UNSOUND = frozenset(
    {
        ("add", "set the same key"),
        ("add to empty", "set the same key"),
        ("add to empty", "set another key"),
        ("add to empty", "grow"),
        ("modify", "set the same key"),
        ("modify", "delete the key"),
        ("modify", "clear"),
        ("modify", "clear in another thread"),
        ("delete", "set the same key"),
        ("delete", "delete the key"),
        ("delete", "clear"),
        ("delete", "clear in another thread"),
        ("popitem", "set another key"),
        ("popitem", "grow"),
        ("popitem", "delete the key"),
        ("popitem", "clear"),
        ("popitem", "clear in another thread"),
        ("clear", "grow"),
    }
)
UNSOUND_3_13 = UNSOUND | {("add", "clear"), ("add", "clear in another thread")}
UNSOUND_3_14 = UNSOUND_3_13 | {("clear", "clear"), ("clear", "clear in another thread")}


# Each row says what differs from the row before.
CPYTHON_3_12 = Host(
    function_events=FIVE_FUNCTION_EVENTS,
    free_slots=dict.fromkeys("DTFC", ALL_SLOTS),
    type_event_before_write=False,
    references_in_class=1,
    type_events_of_a_class=None,
    type_event_for_name_and_metaclass=True,
    type_event_at_dealloc=False,
    failed_delete_sends_type_event=False,
    module_assignment_deletes_line=False,
    annotations_key="__annotations__",
    annotate_function=False,
    visits_frozen=False,
    class_may_leave_static_base=False,
    added_before_failure=True,
    split_table_readd_is_modified=True,
    watch_in_own_callback_is_undone=True,
    cpython_watches_dicts=False,
    bare_failure="tolerated",
    bare_failure_debug="tolerated",
    frozendict=False,
    lazy_imports=False,
    unsound=UNSOUND,
    python_in_late_code_callback="killed",
    failing_creation_runs_away=False,
    entry_ignored=frozenset(),
    version_after_change=None,
    version_of_function_type=None,
    site_after_change="CALL_PY_EXACT_ARGS",
    init_site="CALL",
    property_sites=("LOAD_ATTR_PROPERTY", "LOAD_ATTR_PROPERTY"),
    getitem_sites=("BINARY_SUBSCR_GETITEM", "BINARY_SUBSCR_GETITEM"),
    init_hits=(6000, 6000),
    entry_recursion=(500, 2000),
    jit_stale=frozenset(),
    jit_killed=frozenset(),
    jit_killed_debug=frozenset(),
    concurrent_interpreters=False,
    pending_calls_after_fork_in_thread=True,
    pending_calls_are_traced=False,
)
CPYTHON_3_13 = replace(
    CPYTHON_3_12,
    free_slots=dict.fromkeys("DTFC", ALL_SLOTS) | {"D": ALL_SLOTS[2:]},
    type_event_before_write=True,
    references_in_class=2,
    type_events_of_a_class=1000,
    type_event_for_name_and_metaclass=False,
    failed_delete_sends_type_event=True,
    module_assignment_deletes_line=True,
    added_before_failure=False,
    split_table_readd_is_modified=False,
    watch_in_own_callback_is_undone=False,
    cpython_watches_dicts=True,
    unsound=UNSOUND_3_13,
    python_in_late_code_callback="tolerated",
    entry_ignored=frozenset({"C(1)"}),
    version_after_change=0,
    version_of_function_type=0,
    site_after_change="CALL",
    init_site="CALL_ALLOC_AND_ENTER_INIT",
    property_sites=("LOAD_ATTR_PROPERTY", "LOAD_ATTR"),
    getitem_sites=("BINARY_SUBSCR_GETITEM", "BINARY_SUBSCR"),
    init_hits=(52, 52),
    entry_recursion=(2000, 8000),
    pending_calls_after_fork_in_thread=False,
    pending_calls_are_traced=True,
)
CPYTHON_3_13_3 = replace(CPYTHON_3_13, visits_frozen=True)
CPYTHON_3_14 = replace(
    CPYTHON_3_13_3,
    free_slots=dict.fromkeys("DTFCX", ALL_SLOTS) | {"D": ALL_SLOTS[2:], "T": ALL_SLOTS[1:]},
    annotations_key="__annotations_cache__",
    annotate_function=True,
    bare_failure_debug="killed",
    unsound=UNSOUND_3_14,
    entry_ignored=frozenset({"C(1)", "C(1) with slots", "a property"}),
    version_after_change=1,
    property_sites=("LOAD_ATTR_PROPERTY", "LOAD_ATTR_PROPERTY"),
    getitem_sites=("BINARY_OP_SUBSCR_GETITEM", "BINARY_OP"),
    entry_recursion=(2000, 50000),
    jit_killed=frozenset({"o.m(), B.m = g"}),
    jit_killed_debug=frozenset({"o.m(), B.m = g"}),
    concurrent_interpreters=True,
)
CPYTHON_3_15 = replace(
    CPYTHON_3_14,
    function_events=[*FIVE_FUNCTION_EVENTS, "MODIFY_QUALNAME"],
    free_slots=dict.fromkeys("DTFCX", ALL_SLOTS) | {"D": ALL_SLOTS[3:], "T": ALL_SLOTS[1:]},
    type_event_at_dealloc=True,
    class_may_leave_static_base=True,
    bare_failure="killed",
    frozendict=True,
    lazy_imports=True,
    failing_creation_runs_away=True,
    entry_ignored=frozenset({"C(1)", "C(1) with slots"}),
    property_sites=("LOAD_ATTR_PROPERTY", "LOAD_ATTR"),
    init_hits=(52, 0),
    jit_stale=frozenset({"f(*args)", "f(**kwargs)", "C(1)"}),
    jit_killed=frozenset(),
    jit_killed_debug=frozenset({"o.p, B.p = property(g)"}),
)
TABLE = {(3, 12): CPYTHON_3_12, (3, 13): CPYTHON_3_13, (3, 14): CPYTHON_3_14, (3, 15): CPYTHON_3_15}


def host_of(version: tuple[int, ...]) -> Host:
    if tuple(version[:2]) not in TABLE:
        raise LookupError(
            f"CPython {version[0]}.{version[1]} is not in the table of tests/host/versions.py: "
            "find out what it does (these tests, with the last row) and add what differs"
        )
    return CPYTHON_3_13_3 if (3, 13, 3) <= tuple(version[:3]) < (3, 14) else TABLE[tuple(version[:2])]


if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise LookupError("a free-threaded CPython is not in the table of tests/host/versions.py")

HOST = host_of(sys.version_info)
HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()  # built with it; it runs where PYTHON_JIT=1
IS_DEBUG = hasattr(sys, "gettotalrefcount")
# gh-125608, CPython's note: mended in 3.13.1.
MISSES_INSTANCE_STORES = sys.version_info[:3] == (3, 13, 0)
