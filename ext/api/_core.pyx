# cython: language_level=3
"""The native core as Python sees it: facets, assumptions, cells, handles and the drain's first half, by ID.

The package `depwatch` is written on top of this; nothing here is public. Facet and handle IDs are dense uint32. All of it
runs at safe points, under the GIL; what runs inside CPython's callbacks is in event.c and action.c.
"""

import sys

cimport cython

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_INCREF

from core cimport *

KINDS = {
    "key": FACET_KEY, "global": FACET_GLOBAL, "attribute": FACET_ATTRIBUTE, "code": FACET_CODE,
    "defaults": FACET_DEFAULTS, "kwdefaults": FACET_KWDEFAULTS, "existence": FACET_EXISTENCE, "any": FACET_ANY,
    "created": FACET_CREATED, "mro": FACET_MRO,
}
CHANGES = {
    "ADDED": CHANGE_ADDED, "MODIFIED": CHANGE_MODIFIED, "DELETED": CHANGE_DELETED, "CLONED": CHANGE_CLONED,
    "CLEARED": CHANGE_CLEARED, "DESTROYED": CHANGE_DESTROYED, "CREATED": CHANGE_CREATED, "MRO": CHANGE_MRO,
    "CLASS": CHANGE_CLASS,
}
CAUSES = {
    "none": CAUSE_NONE, "changed": CAUSE_CHANGED, "died": CAUSE_DIED, "superseded": CAUSE_SUPERSEDED,
    "unstable": CAUSE_UNSTABLE, "lost": CAUSE_LOST, "unwatchable": CAUSE_UNWATCHABLE, "ambiguous": CAUSE_AMBIGUOUS,
    "class": CAUSE_CLASS,
}
STATES = {"valid": HANDLE_VALID, "invalid": HANDLE_INVALID, "retired": HANDLE_GONE}
NOTICES = {
    "detail": NOTICE_DETAIL, "handle": NOTICE_HANDLE, "retired": NOTICE_RETIRED, "released": NOTICE_RELEASED, "life": NOTICE_LIFE,
}
FUNCTION_ATTRIBUTES = {
    "CODE": ATTRIBUTE_CODE, "GLOBALS": ATTRIBUTE_GLOBALS, "DEFAULTS": ATTRIBUTE_DEFAULTS,
    "KWDEFAULTS": ATTRIBUTE_KWDEFAULTS, "CLOSURE": ATTRIBUTE_CLOSURE, "NOT_APPLICABLE": ATTRIBUTE_NOT_APPLICABLE,
}
cdef dict KIND_NAMES = {kind: name for name, kind in KINDS.items()}
cdef dict CELL_KINDS = {"object": CELL_OBJECT, "f64": CELL_F64, "i64": CELL_I64, "guard": CELL_GUARD}

cdef array.array IDS = array.array("I"), ADDRESSES = array.array("Q")

RETIRED = BYTE_RETIRED
UNKNOWN = None  # set by set_up


def set_up(unwatchable, unstable, unknown, drain):
    """Give the core the errors that it raises, the value that stands for "not told", and what a pending call runs."""
    global Unwatchable_error, Unstable_error, Unknown_value, drain_callable, UNKNOWN
    for owned in (unwatchable, unstable, unknown, drain):
        Py_INCREF(owned)  # the first three for the life of the process: callbacks outlive every module
    Unwatchable_error = <PyObject*>unwatchable
    Unstable_error = <PyObject*>unstable
    Unknown_value = <PyObject*>unknown
    drain_callable = <PyObject*>drain
    UNKNOWN = unknown
    if not queue_allocate():
        raise MemoryError()
    watch_call(&event_callbacks)
    service.pending = service_pending


def shut_down():
    """From now on queue, schedule and keep nothing; bytes and guards go on working until the process ends."""
    garbage = []
    service_shut_down(garbage)
    end_entries()


def after_fork():
    """In a child, the parent's pending call and other threads are gone, and its code pages are not ours to patch.

    What drains of those threads had taken is for the child's next one: facets are looked at again, and calls that were
    due are made. Not the call that such a thread was in the middle of: that is cut off, like all else that it did.
    """
    drain_after_fork()
    settle_after_fork()
    leave_behind()
    labels_after_fork()
    if unsettled():
        service_schedule()


# --- facets -----------------------------------------------------------------------------------------------------------


@cython.final
cdef class FacetReference:
    """A facet, by ID. It stays watched, and the ID its own, as long as this object lives."""

    cdef readonly uint32_t id  # NO_ID until facet() has found it
    cdef bint listening

    def __cinit__(self):
        self.id = NO_ID

    def __dealloc__(self):
        if self.id != NO_ID:
            facet_unpin(self.id)

    def pin(self):
        """Keep the facet, and the ID of its object, until the object dies. Idempotent."""
        cdef Facet* facet = facet_at(self.id)
        if not facet.kept:
            facet.kept = True
            facet.pins += 1

    def listen(self):
        """Add one listener: while there is one, details of every event of the facet are queued. Idempotent."""
        if not self.listening:
            self.listening = True
            facet_at(self.id).listeners += 1

    def stop_listening(self):
        """Idempotent."""
        if self.listening:
            self.listening = False
            facet_at(self.id).listeners -= 1

    def history(self):
        """(events that may have changed it, current value or UNKNOWN), looked up if it is not known."""
        cdef Facet* facet = facet_at(self.id)
        if not facet.known:
            facet_look(self.id)
        return facet.changes, UNKNOWN if facet.current == NULL else <object>facet.current

    def cell(self, str kind):
        """A cell of that kind of the facet. A guard cell is of the value that is recorded now."""
        if not facet_at(self.id).known:
            facet_look(self.id)
        cell = CellReference()
        cell.cell = cell_use(self.id, CELL_KINDS[kind])
        return cell


def facet(str kind, owner, str name=None, fallback=None):
    """That facet of owner, watched from now on until nobody needs it. Raises Unwatchable."""
    name = None if name is None else sys.intern(str(name))
    reference = FacetReference()
    reference.id = facet_get(KINDS[kind], <PyObject*>owner, NULL if fallback is None else <PyObject*>fallback,
                             NULL if name is None else <PyObject*>name)
    return reference


def see_module_classes():
    """From now on `module.__class__ = ...` retires whoever relies on attributes of that module. Raises Unwatchable."""
    audit_module_classes()


def owner_of(uint32_t id):
    """(object ID, object or None once it is dead, kind name, name or None) of a facet."""
    cdef Facet* facet = facet_at(id)
    cdef PyObject* owner = object_at(facet.owner).address
    return (facet.owner, None if owner == NULL else <object>owner, KIND_NAMES[facet.kind],
            None if facet.name == NULL else <object>facet.name)


def waits(uint32_t id):
    """Whether handles depend on the facet and its recorded value is not there now."""
    cdef Facet* facet = facet_at(id)
    return facet.recorded != NULL and not facet.holds


cdef int check_offsets(const uint64_t[::1] offsets, size_t total, str what) except -1:
    """Whether they cut an array of that many items into pieces."""
    cdef Py_ssize_t i
    if len(offsets) == 0 or len(offsets) > NO_ID or offsets[0] != 0 or offsets[len(offsets) - 1] != total:
        raise ValueError(f"offsets must go from 0 to the number of {what}, which is {total}: one more than there are handles")
    for i in range(1, len(offsets)):
        if offsets[i] < offsets[i - 1]:
            raise ValueError(f"offsets[{i}] is {offsets[i]}, less than the one before ({offsets[i - 1]}): they must ascend")
    return 0


cdef int make_room(list kept, Py_ssize_t n) except -1:
    """For n handles more: entering them cannot fail then."""
    cdef Py_ssize_t missing = <Py_ssize_t>handle_pool.used + n - len(kept)
    if missing > 0:
        kept.extend([None] * missing)
    return 0


# --- assumptions ------------------------------------------------------------------------------------------------------


@cython.final
cdef class Assumptions:
    """What one compilation has read. Facets stay watched as long as it lives or until it is committed or closed."""

    cdef Assumption* items       # owned
    cdef readonly uint32_t count
    cdef uint32_t capacity
    cdef uint64_t generations  # of the service, before the earliest read
    cdef readonly unsigned unstable_after  # breaks

    def __cinit__(self, unsigned unstable_after):
        self.unstable_after = unstable_after

    def __dealloc__(self):
        self.close()

    cpdef close(self):
        """Let go of the facets. Idempotent."""
        for i in range(self.count):
            facet_unread(self.items[i].facet)
        self.count = self.capacity = 0
        PyMem_Free(self.items)
        self.items = NULL

    cdef int reserve(self) except -1:
        cdef Assumption* items
        if self.count < self.capacity:
            return 0
        capacity = max(16, 2 * self.capacity)
        items = <Assumption*>PyMem_Realloc(self.items, capacity * sizeof(Assumption))
        if items == NULL:
            raise MemoryError()
        self.items = items
        self.capacity = capacity
        return 0

    def read(self, FacetReference reference not None):
        """Read the facet and record its value: (value,), or () if it is missing. Raises Unstable, Unwatchable."""
        cdef uint32_t generation = 0
        cdef uint64_t generations = service.generations  # reading can run Python, and that can read here too
        value = facet_read(reference.id, self.unstable_after, &generation)
        if value == NULL:
            return ()
        owned = (<object>value,)
        Py_DECREF_stolen(value)
        try:
            self.reserve()  # not before: reading can run Python, and that can read here too
        except MemoryError:
            facet_unread(reference.id)
            raise
        self.items[self.count] = Assumption(reference.id, generation)
        if self.count == 0 or generations < self.generations:
            self.generations = generations
        self.count += 1
        return owned

    def forget(self, FacetReference reference not None):
        """Take back the last assumption about this facet; not simply the last one, as a drain may have come between."""
        for i in range(self.count, 0, -1):
            if self.items[i - 1].facet == reference.id:
                self.count -= 1
                for j in range(i - 1, self.count):
                    self.items[j] = self.items[j + 1]
                facet_unread(reference.id)
                return

    def facet(self, uint32_t index):
        """The facet ID of an assumption, for messages."""
        return self.items[index].facet

    def commit(self, handle, list kept):
        """Make all that was read the dependencies of handle (a Handle), give it its ID and put it in kept[ID], in one step
        that no drain comes between. Returns None, or the index of the first assumption that is no longer as it was read.
        """
        cdef uint32_t witness = 0
        make_room(kept, 1)
        number = handle_commit(self.items, self.count, <uint16_t>min(self.unstable_after, 0xffffu), &witness)
        if number == NO_ID:
            return witness
        handle._id = number
        kept[number] = handle
        self.close()
        return None

    def commit_many(self, const uint64_t[::1] offsets not None, const uint32_t[::1] reads not None, handles, list kept):
        """Make many handles, the i-th with what was read as number reads[offsets[i]] to reads[offsets[i + 1] - 1], and enter
        handles (the Handles, which get their IDs) in kept[ID] for each, in one step. Returns None, or the index of an
        assumption that is no longer as it was read. Raises ValueError for offsets or numbers out of range.
        """
        cdef uint32_t witness = NO_ID
        cdef Py_ssize_t i, n = len(offsets) - 1
        cdef array.array made
        check_offsets(offsets, len(reads), "reads")
        for i in range(len(reads)):
            if reads[i] >= self.count:
                raise ValueError(f"reads[{i}] is {reads[i]}; this recorder has read {self.count} facets, from number 0 on")
        made = array.clone(IDS, n, False)
        make_room(kept, n)
        if n and not handles_commit(self.items, self.generations, <uint32_t>n, &offsets[0], &reads[0] if len(reads) else NULL,
                                    <uint16_t>min(self.unstable_after, 0xffffu), made.data.as_uints, &witness):
            return witness
        for i in range(n):
            kept[made.data.as_uints[i]] = handles
        handles.ids = made
        return None


cdef extern from *:
    """
    #define Py_DECREF_stolen(value) Py_DECREF(value)
    #define PyErr_SetRaisedException_stolen(error) PyErr_SetRaisedException(Py_NewRef(error))
    """
    void Py_DECREF_stolen(PyObject*)
    void PyErr_SetRaisedException_stolen(object)
    void PyErr_WriteUnraisable(object)
    object PyType_GetDict(PyTypeObject*)


@cython.final
cdef class CellReference:
    """One user's reference to a cell. The memory stays until every reference is released."""

    cdef Cell* cell  # shared; NULL once released

    def __dealloc__(self):
        self.release()

    cpdef release(self):
        """Idempotent. The addresses must not be used afterwards."""
        if self.cell != NULL:
            cell_release(self.cell)
            self.cell = NULL

    @property
    def released(self):
        return self.cell == NULL

    @property
    def word_address(self):
        return <uintptr_t>&self.cell.word

    @property
    def guard_address(self):
        return <uintptr_t>&self.cell.guard

    @property
    def guard(self):
        return self.cell.guard

    @property
    def word(self):
        """The value in the word: an object, float or int by the cell's kind; UNKNOWN while the guard is down."""
        if not self.cell.guard or self.cell.kind == CELL_GUARD:
            return UNKNOWN
        if self.cell.kind == CELL_F64:
            return self.cell.word.f64
        if self.cell.kind == CELL_I64:
            return self.cell.word.i64
        return <object>self.cell.word.object


# --- handles ----------------------------------------------------------------------------------------------------------


cdef class HandleReference:
    """A handle, by ID. It is released with this object at the latest: nobody can ask for its byte any more.

    (Then it is retired: notice keeps those that are not. There is no __del__, in which a signal handler could raise.)
    """

    cdef public int64_t _id  # -1 until it is committed
    cdef public bint _released

    def __cinit__(self):
        self._id = -1

    def __dealloc__(self):
        self._release()

    cpdef _release(self):
        """In one step that nothing comes between. Idempotent."""
        if self._id >= 0 and not self._released:
            self._released = True
            handle_release(<uint32_t>self._id)


def byte_address(uint32_t handle):
    """Address of the byte that counts the handle's broken assumptions. Good until the handle is released and drained."""
    return <uintptr_t>handle_byte(handle)


def byte(uint32_t handle):
    return handle_byte(handle)[0]


def retire(uint32_t handle):
    handle_retire(handle)


def release_all(const uint32_t[::1] handles not None):
    for i in range(len(handles)):
        handle_release(handles[i])


def byte_addresses(const uint32_t[::1] handles not None):
    """byte_address() of each, as an array of uint64."""
    cdef array.array found = array.clone(ADDRESSES, len(handles), False)
    for i in range(len(handles)):
        found.data.as_ulonglongs[i] = <uintptr_t>handle_byte(handles[i])
    return found


def facets_of_handles(const uint32_t[::1] handles not None):
    """(offsets, facets): the i-th handle depends on facets[offsets[i]:offsets[i + 1]], ascending; on none once purged."""
    cdef array.array offsets = array.clone(ADDRESSES, len(handles) + 1, True)
    cdef uint64_t* ends = <uint64_t*>offsets.data.as_ulonglongs
    if len(handles) == 0:
        return offsets, array.clone(IDS, 0, False)
    facets = handles_facets(&handles[0], <uint32_t>len(handles), ends)
    return offsets, take_facets(facets, ends[len(handles)])


cdef array.array take_facets(uint32_t* facets, uint64_t n):
    """An array of these, which are freed."""
    cdef array.array taken = array.clone(IDS, 0, False)
    if facets == NULL:
        raise MemoryError()
    try:
        array.extend_buffer(taken, <char*>facets, <Py_ssize_t>n)
        return taken
    finally:
        free(facets)


def counters():
    taken = watch_slots_taken()
    return {
        "objects": object_pool.live, "facets": facet_pool.live, "handles": handle_pool.live,
        "dependencies": dependency_count, "events": service.events, "breaks": service.breaks,
        "restores": service.restores, "conservative_breaks": service.conservative,
        "needless_breaks": service.needless, "details_queued": queue.taken + queue.count, "details_dropped": queue.dropped,
        "dict_slots": taken & 1, "type_slots": taken >> 1 & 1, "function_slots": taken >> 2 & 1,
        "code_slots": taken >> 3 & 1,
    }


include "notice/drain.pxi"
include "index.pxi"
include "labels.pxi"
include "capi.pxi"
include "graph.pxi"
include "entry.pxi"
