# cython: language_level=3
"""The native core as Python sees it: facets, assumptions, patch points, handles and the drain, as objects.

The package `depwatch` is written on top of this module and says which part of it is public. Python code never passes a number
that it kept: an object here owns its facet or handle in the core. Each operation is one step: no code of the program runs
between a test and the action that relies on it. Everything here runs at safe points, under the GIL; what runs inside CPython's
callbacks is in ext/event and ext/action.
"""

cimport cython

from cpython cimport array
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject_Hash, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.slice cimport PySlice_GetIndicesEx

from core cimport *

from gc import get_freeze_count
from operator import itemgetter

KINDS = {facet_traits[kind].word.decode(): kind for kind in range(<int>FACET_KINDS)}
CHANGES = {CHANGE_WORDS[change].decode().upper(): change for change in range(<int>CORE_CHANGES)}
CAUSES = {
    "changed": CAUSE_CHANGED, "died": CAUSE_DIED, "superseded": CAUSE_SUPERSEDED,
    "unstable": CAUSE_UNSTABLE, "lost": CAUSE_LOST, "unwatchable": CAUSE_UNWATCHABLE, "ambiguous": CAUSE_AMBIGUOUS,
    "class": CAUSE_CLASS, "bases": CAUSE_BASES, "saturated": CAUSE_SATURATED,
}
PARTS = {
    "CODE": DEPWATCH_CODE, "DEFAULTS": DEPWATCH_DEFAULTS, "KWDEFAULTS": DEPWATCH_KWDEFAULTS,
    "NOT_APPLICABLE": DEPWATCH_NOT_APPLICABLE,
}
cdef dict KINDS_BY_NAME = KINDS
cdef dict KIND_NAMES = {kind: name for name, kind in KINDS.items()}
cdef dict CELL_KINDS = {"object": CELL_OBJECT, "f64": CELL_F64, "i64": CELL_I64, "bool": CELL_BOOL}
cdef dict CELL_KIND_NAMES = {kind: name for name, kind in CELL_KINDS.items()}
REASONS = {name: CAUSE_WORDS[cause].decode() for name, cause in CAUSES.items()}  # after the name of a facet

RETIRED = BYTE_RETIRED
RELEASE = DEPWATCH_RELEASE.decode()
cdef object TEXT = itemgetter(0)  # what rows are sorted by: an exact str. Comparing whole rows could compare objects of the program
cdef array.array IDS = array.array("I"), ADDRESSES = array.array("Q")

cdef str SWITCHED_OFF = "depwatch is switched off (DEPWATCH=0 in the environment): nothing is watched"
cdef object UNKNOWN, StaleError, ReleasedError  # set_up() sets these three
cdef type EventType, DestroyedFunctionType, AssumptionType, BreakType, HandleEventType
cdef tuple CHANGES_BY_NUMBER, FUNCTION_EVENTS_BY_NUMBER, FUNCTION_ATTRIBUTES_BY_NUMBER

cdef extern from *:
    """
    #define Py_DECREF_stolen(value) Py_DECREF(value)
    /* Makes an instance of a subclass of tuple that is written in Python, without running Python. */
    static PyObject *tuple_of(PyObject *type, PyObject *items)
    {
        PyObject *arguments = PyTuple_Pack(1, items);
        PyObject *made = arguments == NULL ? NULL : PyTuple_Type.tp_new((PyTypeObject *)type, arguments, NULL);
        Py_XDECREF(arguments);
        return made;
    }
    """
    object tuple_of(object, tuple)
    void Py_DECREF_stolen(PyObject*)
    PyObject* PyList_GET_ITEM(list, Py_ssize_t) noexcept
    Py_ssize_t PyList_GET_SIZE(list) noexcept
    void PyErr_WriteUnraisable(object)
    void Py_SET_SIZE(object, Py_ssize_t)
    object PyType_GetDict(PyTypeObject*)
    object PyUnicode_FromObject(object)
    PyObject* PyExc_Exception
    bint PyErr_ExceptionMatches(PyObject*)
    void PyErr_Clear()
    bint PyUnicode_CheckExact(object)
    void PyUnicode_InternInPlace(PyObject**)
    int PyUnicode_CHECK_INTERNED(object)
    Py_ssize_t PyNumber_AsSsize_t(object, object) except? -1
    object PyLong_FromVoidPtr(void*)
    object PyWeakref_NewRef(object, object)
    int PyType_Ready(PyTypeObject*) except -1
    bint PyModule_Check(object)
    bint PyDict_Check(object)
    bint PyType_Check(object)
    PyObject* PyObject_Call(object, object, PyObject*) noexcept
    PyObject* PyObject_CallOneArg(object, object) noexcept
    ctypedef struct PyFunctionObject:
        PyObject* func_qualname


cdef tuple by_number(members):
    """The members of an enum, each at its number; None where there is no such number."""
    cdef dict numbers = {int(each): each for each in members}
    return tuple([numbers.get(i) for i in range(max(numbers) + 1)])


def set_up(unwatchable, unstable, stale, released, unknown, event, destroyed_function, assumption, break_, handle_event,
           changes, function_events, function_attributes, bint off):
    """Give the core the exceptions that it raises, the value UNKNOWN, and the types of what it hands out: classes of tuples and
    three enums. off: watch nothing, so that no handle is ever valid."""
    global switched_off
    global Unwatchable_error, Unstable_error, StaleError, ReleasedError, drain_callable, UNKNOWN, EventType
    global AssumptionType, BreakType, HandleEventType
    global DestroyedFunctionType, CHANGES_BY_NUMBER, FUNCTION_EVENTS_BY_NUMBER, FUNCTION_ATTRIBUTES_BY_NUMBER
    for owned in (unwatchable, unstable, drain):
        Py_INCREF(owned)  # the exceptions for the life of the process: CPython's callbacks outlive every module
    Unwatchable_error, Unstable_error = <PyObject*>unwatchable, <PyObject*>unstable
    switched_off = off
    StaleError, ReleasedError, UNKNOWN = stale, released, unknown
    EventType, DestroyedFunctionType = event, destroyed_function
    AssumptionType, BreakType, HandleEventType = assumption, break_, handle_event
    CHANGES_BY_NUMBER = by_number(changes)
    FUNCTION_EVENTS_BY_NUMBER = by_number(function_events)
    FUNCTION_ATTRIBUTES_BY_NUMBER = by_number(function_attributes)
    drain_callable = <PyObject*>drain
    for part in range(<size_t>FACET_KINDS):
        if facet_traits[part].is_part:
            names_of_parts[part] = <PyObject*>KIND_NAMES[part]  # borrowed: KIND_NAMES keeps them
    if not queue_allocate():
        raise MemoryError()
    stored_keys_learn()
    timing_learn()
    watch_call(&event_callbacks)
    service.pending = service_pending


def is_switched_off():
    """Whether DEPWATCH=0 was in the environment at import."""
    return switched_off


def shut_down():
    """Called when the interpreter ends: deliver what happened, and nothing after that. From now on depwatch queues and
    schedules nothing, and keeps no object of the program; bytes and guards go on working until the process ends."""
    global first_notice, last_notice, first_of_handles
    cdef Garbage garbage = garbage_none()
    cdef Py_ssize_t i
    cdef uint32_t j
    try:
        try:
            drain_now()
        except MemoryError:
            drain_now()  # delivers what the first could not, for want of memory
    finally:  # what this could not deliver either is lost
        service_shut_down(&garbage)
        end_entries()
        first, first_notice, last_notice = first_notice, None, None
        drop_chain(first)
        for i in range(len(holders)):
            if holders[i] is not None:
                discard(holders[i])
                holders[i] = None
        for j in range(notes.mask + 1):
            if notes.slots[j].address != NULL:
                (<FacetNotes>notes.slots[j].item).end()
        first_of_handles = None
        notice_makers.all_heard = False
        garbage_drop(&garbage)
        drop_discarded()


def after_fork():
    """Called in the child of a fork, which has neither the parent's pending call nor its other threads, and must not patch the
    code pages that it shares with the parent.

    The child's next drain does what drains of those threads had begun: it looks at facets again and makes the calls that were
    due. A call that one of those threads was in the middle of is not made again.
    """
    drain_after_fork()
    settle_after_fork()
    labels_after_fork()
    give_up_after_fork()
    if unsettled_now():
        service_schedule()


def see_module_classes():
    """From now on `module.__class__ = ...` retires the handles that rely on attributes of that module. Raises Unwatchable."""
    audit_assignments("attributes of modules")


def brief(value):
    """A description of the value in at most about 80 characters. Runs no code of the program; raises only MemoryError."""
    return words_of_value(value)


def dict_of_type(cls):
    """The dict behind cls.__dict__: CPython reports changes of the class's attributes as events of this dict."""
    return PyType_GetDict(<PyTypeObject*>cls)


def use_avx2(bint use):
    """Choose whether dense sets are changed 32 bytes at a time. Returns whether they are now: the CPU must have AVX2."""
    return bytes_use_avx2(use)


def same_value(a, b):
    """Whether an assumption of one value also holds with the other: if they are the same object, or exact ints, floats or strs
    with the same bits."""
    return c_same_value(a, b)


def held(list types not None, list roots not None, bint everywhere):
    """The objects of exactly these types, each once: among the roots and what they refer to; if everywhere, among all that the
    garbage collector knows and what that refers to. No code of the program runs meanwhile. Raises MemoryError."""
    return held_of(types, roots, everywhere, get_freeze_count() > 0)


def find_static_tables():
    """Find the tables of subclasses of static types, before gc.freeze() hides them from CPython's before 3.13.3. To be called
    before code of the program has run. Raises MemoryError."""
    c_find_static_tables()


def counters():
    cdef unsigned taken = watch_slots_taken()
    return {
        "objects": object_pool.live, "facets": facet_pool.live, "handles": handle_pool.live,
        "dependencies": dependency_count, "events": service_events(), "breaks": service.breaks,
        "restores": service.restores, "conservative_breaks": service.conservative,
        "needless_breaks": service.needless, "details_queued": queue.taken + queue.count, "details_dropped": queue.dropped,
        "identity_breaks": service.identity_breaks, "errors_not_reported": errors_not_reported, "dict_slots": taken & 1, "type_slots": taken >> 1 & 1, "function_slots": taken >> 2 & 1,
        "code_slots": taken >> 3 & 1, "drains": drains, "drain_ns": drain_ns, "event_ns": service.event_ns,
    } | counted(0)


include "ours.pxi"
include "notice/tally.pxi"
include "assumptions.pxi"
include "cells.pxi"
include "guarded.pxi"
include "handle.pxi"
include "handles.pxi"
include "fact.pxi"

PyType_Ready(&guarded_type)
Guarded = <object>&guarded_type
include "subscription.pxi"
include "notice/drain.pxi"
include "index.pxi"
include "entry.pxi"
include "freeze.pxi"
include "capi.pxi"
