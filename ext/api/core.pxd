"""Room api: what Python code (through _core.pyx) and C code (through capi.pxi) call. CPython itself calls nothing here. Safe
points only.

This file declares what the C core offers to _core.pyx; units and rules are in the C headers.
"""

from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t


cdef extern from "<stdlib.h>":
    void free(void*)

cdef extern from "index/ids.h":
    const uint32_t NO_ID
    void ids_sort(uint32_t*, uint32_t) noexcept nogil

cdef extern from "index/dependents.h":
    ctypedef struct Dependents:
        pass
    ctypedef struct DependentsWalk:
        const uint32_t* ids
        uint32_t count
    void dependents_walk(DependentsWalk*, const Dependents*) noexcept nogil
    bint dependents_next(DependentsWalk*) noexcept nogil
    bint dependents_empty(const Dependents*) noexcept nogil
    void dependents_walk_after(DependentsWalk*, const Dependents*, uint32_t) noexcept nogil
    uint32_t dependents_count(const Dependents*) noexcept nogil

cdef extern from "watch/audit.h":
    int audit_assignments(const char*) except -1

cdef extern from "index/pool.h":
    ctypedef struct Pool:
        uint32_t live
        uint32_t used

cdef extern from "index/edges.h":
    ctypedef struct DependentsOf:
        const Pool* facets
        size_t offset

cdef extern from "index/gathering.h":
    ctypedef struct Gathering:
        pass
    bint gathering_reserve(Gathering*, uint32_t n) noexcept nogil
    void gathering_add_facets(Gathering*, const DependentsOf*, const uint32_t* facets, uint32_t n) noexcept nogil
    size_t gathering_size(Gathering*) noexcept nogil
    void gathering_write(Gathering*, uint8_t* bytes) noexcept nogil
    void gathering_empty(Gathering*) noexcept nogil

cdef extern from "index/bytes.h":
    const int BYTE_RETIRED
    uint8_t* byte_at(uint8_t**, uint32_t) noexcept nogil
    bint bytes_use_avx2(bint) noexcept

cdef extern from "index/handles.h":
    Pool handle_pool
    uint64_t dependency_count
    uint8_t* handle_byte(uint32_t) noexcept nogil
    ctypedef enum HandleState:
        HANDLE_VALID, HANDLE_INVALID, HANDLE_RETIRED

cdef extern from "facet/keys.h":
    ctypedef struct KeySlot:
        Dependents facets
        PyObject* name
    ctypedef struct KeyTable:
        KeySlot* slots
        uint32_t mask
    KeySlot* keys_find(const KeyTable*, PyObject*) noexcept

cdef extern from "facet/objects.h":
    ctypedef struct Object:
        PyObject* address
        KeyTable keys
        Dependents whole
        uint32_t first_facet
    Pool object_pool
    Object* object_at(uint32_t) noexcept nogil
    uint32_t object_find(const void*) noexcept nogil
    int object_kind(PyObject*) except -1
    PyObject* module_dict(PyObject*) noexcept

cdef extern from "index/address_map.h":
    ctypedef struct AddressSlot:
        const void* address
        void* item
    ctypedef struct AddressMap:
        AddressSlot* slots
        uint32_t mask
    AddressSlot address_map_nothing[1]
    void* address_map_find(const AddressMap*, const void*) noexcept
    bint address_map_insert(AddressMap*, const void*, void*) noexcept
    void address_map_remove(AddressMap*, const void*) noexcept

cdef extern from "action/bypass.h":
    const int BYPASS_NONE, BYPASS_INIT, BYPASS_GETTER
    int bypass_of(object function) except -1

cdef extern from "action/linked.h":
    ctypedef struct Linked:
        pass

cdef extern from "action/guarded.h":
    ctypedef struct Guards:
        const uint8_t* broken
        const uint8_t** cells
        uint32_t n
    bint cells_are_up(const Guards*) noexcept
    bint guards_hold(const Guards*) noexcept
    void guards_look_at(Guards*, const uint8_t* broken, Linked**) noexcept
    void guards_give_up(Guards*) noexcept
    void guards_free(Guards*) noexcept
    bint variables_hold(PyObject* variables) noexcept
    PyObject* guarded_hand_on(PyObject* changed, PyObject* result) noexcept
    PyTypeObject guarded_type
    object guarded_new(object fast, object slow, object handle, const Guards*, Linked**)
    void guarded_end(Linked**) noexcept

cdef extern from "action/entry.h":
    ctypedef struct CEntry "Entry":
        PyObject* function
        PyObject* optimized
        const uint8_t* handle_byte
        const uint8_t* guard_byte
        PyObject* owner
    AddressMap entries_by_function
    void entry_learn(PyObject*) noexcept
    bint entry_is_free(PyObject*) noexcept
    CEntry* entry_of(PyObject*) noexcept
    bint entry_install(CEntry*) noexcept
    void entry_remove(CEntry*) noexcept
    object entry_call_original(object function, object args, object kwargs)

cdef extern from "action/cells.h":
    ctypedef enum CellKind:
        CELL_OBJECT, CELL_F64, CELL_I64, CELL_BOOL, CELL_GUARD
    ctypedef union CellWord:
        PyObject* object
        double f64
        int64_t i64
    ctypedef struct Label:
        uintptr_t address
        Cell* cell
    Label* label_new(Cell*, uintptr_t address, uintptr_t target) except NULL
    void label_free(Label*)
    void labels_after_fork() noexcept
    ctypedef struct Cell:
        CellWord word
        uint8_t guard
        uint8_t kind
        uint32_t facet
        uint32_t users
    Cell* cell_use(uint32_t, CellKind) except NULL
    Cell* cell_of_nothing(CellKind, PyObject*) except? NULL
    void cell_release(Cell*)

cdef extern from "facet/kinds.h":
    ctypedef enum FacetKind:
        FACET_ANY, FACET_KINDS
    ctypedef struct FacetTraits:
        const char* word
        bint has_value, is_named, is_part
    const FacetTraits facet_traits[]

cdef extern from "facet/values.h":
    bint c_same_value "same_value" (object, object) noexcept

cdef extern from "facet/facets.h":
    ctypedef enum Cause:
        CAUSE_NONE, CAUSE_CHANGED, CAUSE_DIED, CAUSE_SUPERSEDED, CAUSE_UNSTABLE, CAUSE_LOST, CAUSE_UNWATCHABLE
        CAUSE_AMBIGUOUS, CAUSE_CLASS, CAUSE_BASES, CAUSE_SATURATED
    ctypedef struct Facet:
        uint32_t next_of_owner, changes, falls
        uint8_t kind, listeners
        bint holds, known, dead, kept
        uint16_t breaks
        PyObject* current
        PyObject* recorded
        Dependents handles
    ctypedef struct FacetRest:
        uint32_t owner, generation, readers, pins
        PyObject* name
    enum:
        LISTENERS_SUBSCRIBED
    Pool facet_pool
    const DependentsOf handles_of_facets
    Facet* facet_at(uint32_t) noexcept nogil
    FacetRest* facet_rest_at(uint32_t) noexcept nogil
    FacetRest* rest_of(const Facet*) noexcept nogil
    PyObject* facet_value(const Facet*) noexcept nogil
    const FacetTraits* traits_of(const Facet*) noexcept nogil
    void facet_unpin(uint32_t) noexcept
    void facet_outdate(uint32_t) noexcept
    void facet_unread(uint32_t) noexcept

cdef extern from "notice/look.h":
    int facet_look(uint32_t) except -1

cdef extern from "api/read.h":
    # NO_ID: an exception is set
    uint32_t facet_get(FacetKind, PyObject* owner, PyObject* fallback, PyObject* name) except? 0x7fffffff
    int refuse_lazy_import(uint32_t) except -1
    ctypedef struct Reading:
        unsigned unstable_after
        bint identity, absence
    PyObject* facet_read(uint32_t, Reading, Assumption*) except? NULL

cdef extern from "facet/static_tables.h":
    int c_find_static_tables "find_static_tables"() except -1

cdef extern from "api/held.h":
    list held_of(list types, list roots, bint everywhere, bint frozen)

cdef extern from "api/commit.h":
    ctypedef struct Assumption:
        uint32_t facet
        uint32_t generation, falls
    ctypedef struct Recording:
        const Assumption* assumptions
        uint64_t generations, breaks
        uint16_t unstable_after
        bint allow_undone, heard
        uint16_t tally
    uint32_t handle_commit(const Recording*, uint32_t n, uint32_t* witness) except? 0x7fffffff
    bint handles_commit(const Recording*, uint32_t n, const uint64_t* offsets, const uint32_t* reads, uint32_t* handles,
                        uint32_t* witness) except? False
    const char* index_wrong() noexcept
    uint32_t* handles_facets(const uint32_t*, uint32_t n, uint64_t* offsets) noexcept

cdef extern from "action/retire.h":
    void handle_retire(uint32_t) noexcept
    void handle_release(uint32_t) noexcept

cdef extern from "facet/service.h":
    ctypedef enum Change:
        DEPWATCH_MODIFIED, DEPWATCH_DESTROYED, DEPWATCH_CREATED
    const int CORE_CHANGES "CHANGES"
    ctypedef struct Service:
        bint shutting_down
        int (*pending)(void*) noexcept
        PyObject* lifecycle_callback
        uint64_t generations, breaks, restores, disturbances, conservative, needless, event_ns, identity_breaks
    Service service
    uint64_t service_events() noexcept
    void service_schedule() noexcept

cdef extern from "watch/clock.h":
    uint64_t monotonic_ns() noexcept

cdef extern from "action/timing.h":
    void timing_learn() noexcept

cdef extern from "event/queue.h":
    ctypedef struct Life:
        PyObject* name
        void* address
        PyObject* lifecycle_callback
        uint32_t part
    ctypedef struct Detail:
        PyObject* key
        PyObject* new_value
        Life life
        uint32_t facet, object
        unsigned long thread
        uint8_t change
        bint broke
    ctypedef struct Queue:
        uint32_t count
        uint64_t taken, dropped
    Queue queue
    bint queue_allocate() noexcept

cdef extern from "facet/stored_keys.h":
    bint stored_keys_learn() except 0

cdef extern from "event/telling.h":
    PyObject* names_of_parts[]

cdef extern from "watch/errors.h":
    PyObject* Unwatchable_error
    PyObject* Unstable_error

cdef extern from "event/event.h":
    ctypedef struct WatchCallbacks:
        pass
    const WatchCallbacks event_callbacks

cdef extern from "watch/watch.h":
    void watch_call(const WatchCallbacks*) noexcept
    int watch_functions() except -1
    unsigned watch_slots_taken() noexcept

cdef extern from "watch/switch.h":
    bint switched_off

cdef extern from "notice/details.h":
    PyObject* service_set_lifecycle_callback(PyObject* lifecycle_callback) noexcept

cdef extern from "notice/drain_control.h":
    PyObject* drain_callable
    int service_pending(void*) noexcept
    bint service_unsettled() noexcept
    bint drain_begins() noexcept
    void drain_ends() noexcept
    void drain_after_fork() noexcept

cdef extern from "notice/garbage.h":
    ctypedef struct Garbage:
        pass
    Garbage garbage_none() noexcept
    void garbage_drop(Garbage*) noexcept

cdef extern from "notice/pauses.h":
    ctypedef struct Pauses:
        uint32_t done, left
    Pauses pauses_of_drain() noexcept
    bint pause_after(Pauses*, uint32_t) noexcept

cdef extern from "notice/settle.h":
    ctypedef struct LookedAt:
        uint32_t* facets
        uint32_t n, capacity
    int settle(Garbage*, LookedAt*) except -1
    void settle_end(LookedAt*) noexcept
    void settle_after_fork() noexcept
    void service_shut_down(Garbage*) noexcept

cdef extern from "facet/facets.h":
    bint facet_has_value(const Facet*) noexcept
    bint facet_free_if_unused(uint32_t) noexcept
    void facet_touch_if_idle(uint32_t) noexcept
    PyObject* facet_recorded(const Facet*) noexcept
    PyObject* const ABSENT

cdef extern from "facet/kept.h":
    ctypedef struct Kept:
        pass
    Kept* kept_first
    bint dies_unseen(PyObject*) noexcept

cdef extern from "notice/references.h":
    int let_go_of_lonely(Garbage*) except -1
    int touch_waiting() except -1

cdef extern from "notice/makers.h":
    ctypedef struct NoticeMakers:
        int (*detail)(const Detail*, PyObject*, PyObject*, PyObject*, int) except -1
        int (*life)(const Detail*, PyObject*, const Detail*, PyObject*) except -1
        int (*state)(uint32_t, HandleState, uint32_t, Cause) except -1
        bint all_heard
        int (*retired)(uint32_t) except -1
        uint64_t (*mark)() noexcept
        int (*take_back)(uint64_t) noexcept
        int (*gone)(uint32_t, bint) noexcept
        int (*died)(uint32_t) noexcept
        int (*freed)(uint32_t) noexcept
    NoticeMakers notice_makers

cdef extern from "notice/counts.h":
    const int MOST_NAMES, CALLED
    ctypedef struct Counts:
        uint64_t committed, recompiled, invalidated, resumed
        uint64_t* refused
        uint64_t* retired
        uint64_t lapsed
    Counts counts[]
    void count_state(uint32_t, HandleState, int cause) noexcept

cdef extern from "notice/words.h":
    object words_of_value(object)
    object words_of_facet(uint32_t)
    object words_of_change(Change, PyObject* before, PyObject* after, PyObject* filename, int line)
    object words_of_cause(uint32_t, Cause, PyObject* change)
    const char* const CAUSE_WORDS[]
    const char* const CHANGE_WORDS[]

cdef extern from "<string.h>":
    void* memset(void*, int, size_t) noexcept nogil
    void* memmove(void*, const void*, size_t) noexcept nogil

cdef extern from "action/listeners.h":
    const uint32_t DEPWATCH_API_VERSION
    const char* DEPWATCH_RELEASE
    ctypedef enum depwatch_part:
        DEPWATCH_CODE, DEPWATCH_DEFAULTS, DEPWATCH_KWDEFAULTS, DEPWATCH_NOT_APPLICABLE
    ctypedef enum depwatch_change:
        pass
    ctypedef enum depwatch_cell_kind:
        pass
    ctypedef struct depwatch_event:
        pass
    ctypedef void (*depwatch_listener)(void*, const depwatch_event*) noexcept
    ctypedef void (*depwatch_function_listener)(void*, depwatch_change, PyObject*, depwatch_part, PyObject*) noexcept
    ctypedef enum depwatch_state:
        pass
    ctypedef void (*depwatch_handle_listener)(void*, uint32_t, depwatch_state, uint32_t) noexcept
    ctypedef union ListenerCall:
        depwatch_listener of_facet
        depwatch_function_listener of_functions
    ctypedef struct Listener:
        ListenerCall call
        void* data
        uint32_t facet
    void listener_enter(Listener*) noexcept
    void listener_leave(Listener*) noexcept
    ctypedef struct depwatch_api:
        size_t size
        uint32_t version
        const char* release
        uint32_t (*id_of)(object) except? 0x7fffffff
        object (*facet_of_key)(object, object)
        object (*facet_of_global)(object, object)
        object (*facet_of_attribute)(object, object)
        object (*facet_of_function)(object, depwatch_part)
        object (*facet_of_object)(object)
        uint32_t (*facet_id)(object) except? 0x7fffffff
        object (*recorder_new)(const char*, uint32_t)
        int (*read)(object, object, PyObject**) except -1
        Py_ssize_t (*reads)(object) except -1
        uint32_t (*commit)(object) except? 0x7fffffff
        int (*commit_many)(object, uint32_t, const uint64_t*, const uint32_t*, uint32_t*) except -1
        const uint8_t* (*handle_byte)(uint32_t) except NULL
        int (*handle_retire)(uint32_t) except -1
        int (*handle_release)(uint32_t) except -1
        object (*value_cell)(object, depwatch_cell_kind)
        object (*guard_cell)(object, object, PyObject**)
        const void* (*cell_word)(object) except NULL
        const uint8_t* (*cell_guard)(object) except NULL
        int (*cell_release)(object) except -1
        object (*listen)(object, depwatch_listener, void*)
        object (*listen_functions)(depwatch_function_listener, void*)
        int (*unlisten)(object) except -1
        Py_ssize_t (*drain)() except -1
        object (*listen_handle)(uint32_t, depwatch_handle_listener, void*)
        object (*jump_label)(object, object, void*, void*, PyObject**)
        const uint8_t* (*label_guard)(object) except NULL
        int (*label_release)(object) except -1
        object (*listen_created)(object, depwatch_listener, void*)
        int (*read_name)(object, object, object, int, PyObject**) except -1
        int (*allow_undone)(object) except -1
        object (*explain)(uint32_t)
        int64_t (*handle_breaks)(uint32_t) except -2
        const uint64_t* (*breaks)() noexcept

cdef extern from "action/handle_listeners.h":
    ctypedef struct HandleListener:
        depwatch_handle_listener call
        void* data
        uint32_t handle
    bint handle_listener_enter(HandleListener*) noexcept
    void handle_listener_leave(HandleListener*) noexcept
