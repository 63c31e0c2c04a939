"""depwatch.h for Cython: `from depwatch cimport depwatch_import, ...`. docs/c-api.md says when a path is needed.

Call depwatch_import() once, at module level, before anything else. The rules are in depwatch.h. An entry that fails raises.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "depwatch.h" nogil:
    const uint32_t DEPWATCH_NO_ID

    ctypedef enum depwatch_part:
        DEPWATCH_CODE, DEPWATCH_DEFAULTS, DEPWATCH_KWDEFAULTS, DEPWATCH_EXISTENCE, DEPWATCH_NOT_APPLICABLE

    ctypedef enum depwatch_cell_kind:
        DEPWATCH_OBJECT, DEPWATCH_F64, DEPWATCH_I64, DEPWATCH_BOOL

    ctypedef enum depwatch_change:
        DEPWATCH_ADDED, DEPWATCH_MODIFIED, DEPWATCH_DELETED, DEPWATCH_CLONED, DEPWATCH_CLEARED
        DEPWATCH_DESTROYED, DEPWATCH_CREATED, DEPWATCH_MRO, DEPWATCH_CLASS

    ctypedef enum depwatch_state:
        DEPWATCH_VALID, DEPWATCH_INVALID, DEPWATCH_RETIRED

    ctypedef struct depwatch_event:
        uint32_t facet
        uint32_t object
        depwatch_change change
        PyObject* key
        PyObject* old_value
        PyObject* new_value

    # noexcept nogil: Cython then refuses Python in a listener. The GIL is held all the same, and must be kept.
    ctypedef void (*depwatch_listener)(void* data, const depwatch_event* event) noexcept nogil
    ctypedef void (*depwatch_function_listener)(void* data, depwatch_change change, PyObject* function,
                                                depwatch_part attribute, PyObject* new_value) noexcept nogil
    ctypedef void (*depwatch_handle_listener)(void* data, uint32_t handle, depwatch_state state,
                                              uint32_t facet) noexcept nogil

cdef extern from "depwatch.h":
    int depwatch_import() except -1
    uint32_t depwatch_id_of(object) except? 0x7fffffff

    object depwatch_facet_of_key(object namespace, object name)
    object depwatch_facet_of_global(object function, object name)
    object depwatch_facet_of_attribute(object cls, object name)
    object depwatch_facet_of_function(object function, depwatch_part part)
    object depwatch_facet_of_object(object)
    uint32_t depwatch_facet_id(object facet) except? 0x7fffffff

    object depwatch_recorder_new(const char* name, uint32_t unstable_after)
    int depwatch_read(object recorder, object facet, PyObject** value) except -1  # value: a new reference
    Py_ssize_t depwatch_reads(object recorder) except -1
    uint32_t depwatch_commit(object recorder) except? 0x7fffffff
    int depwatch_commit_many(object recorder, uint32_t n, const uint64_t* offsets, const uint32_t* reads,
                             uint32_t* handles) except -1

    const uint8_t* depwatch_handle_byte(uint32_t handle) except NULL
    int depwatch_handle_retire(uint32_t handle) except -1
    int depwatch_handle_release(uint32_t handle) except -1

    object depwatch_value_cell(object facet, depwatch_cell_kind kind)
    object depwatch_guard_cell(object recorder, object facet, PyObject** value)  # value: a new reference
    const void* depwatch_cell_word(object cell) except NULL
    const uint8_t* depwatch_cell_guard(object cell) except NULL
    int depwatch_cell_release(object cell) except -1

    object depwatch_listen(object facet, depwatch_listener listener, void* data)
    object depwatch_listen_functions(depwatch_function_listener listener, void* data)
    int depwatch_unlisten(object listening) except -1
    Py_ssize_t depwatch_drain() except -1

    object depwatch_listen_handle(uint32_t handle, depwatch_handle_listener listener, void* data)
    object depwatch_jump_label(object recorder, object facet, void* address, void* target,
                               PyObject** value)  # value: a new reference
    const uint8_t* depwatch_label_guard(object label) except NULL
    int depwatch_label_release(object label) except -1
    object depwatch_listen_created(object code, depwatch_listener listener, void* data)

    int depwatch_read_name(object recorder, object owner, object name, bint absence,
                           PyObject** value) except -1  # value: a new reference
    int depwatch_allow_undone(object recorder) except -1
    object depwatch_explain(uint32_t handle)
    int64_t depwatch_handle_breaks(uint32_t handle) except -2
    const uint64_t* depwatch_breaks()
