"""Part of _core: what depwatch.h declares, behind the capsule depwatch._C_API. Its rules are stated there, once."""

from cpython.pycapsule cimport PyCapsule_New

cdef object native  # depwatch.native, and what else this needs of the package: set by c_api
cdef type RecorderType, ReleasedError
cdef object drain_all, id_of_object

# Which handles are C code's: those have no Handle.
cdef uint8_t* native_handles = NULL  # owned; 1 for each, by ID
cdef uint32_t native_capacity = 0


@cython.final
cdef class Listening:
    """A listener in C, from when it was entered until unlisten() or the end of this object."""

    cdef Listener listener  # a part of this object: never moves
    cdef FacetReference facet  # keeps the facet; None: of functions

    def __dealloc__(self):
        listener_leave(&self.listener)


@cython.final
cdef class HandleListening:
    """The same, of a handle. Ends with the handle, too."""

    cdef HandleListener listener  # a part of this object: never moves

    def __dealloc__(self):
        handle_listener_leave(&self.listener)


cdef FacetReference facet_given(object facet):
    if type(facet) is not FacetReference or (<FacetReference>facet).id == NO_ID:
        raise TypeError(f"{type(facet).__name__} object where a facet is expected: pass what facet_of_...() returned")
    return <FacetReference>facet


cdef object recorder_given(object recorder):
    if type(recorder) is not RecorderType:
        raise TypeError(f"{type(recorder).__name__} object where a depwatch.Recorder is expected")
    return recorder


cdef Assumptions open_assumptions(object recorder):
    """Drained. Not None: what the drain calls may have committed or closed the recorder."""
    assumptions = recorder_given(recorder)._open()
    if assumptions is None:
        raise ReleasedError(f"recorder {recorder.name!r} was committed or closed meanwhile, by a listener")
    return assumptions


cdef CellReference cell_given(object cell):
    if type(cell) is not CellReference:
        raise TypeError(f"{type(cell).__name__} object where a cell is expected: pass what value_cell() returned")
    return <CellReference>cell


cdef Cell* live_cell(object given) except NULL:
    cdef CellReference cell = cell_given(given)
    if cell.cell == NULL:
        raise ReleasedError("the cell was released: its memory may be gone")
    return cell.cell


cdef LabelReference label_given(object label):
    if type(label) is not LabelReference:
        raise TypeError(f"{type(label).__name__} object where a label is expected: pass what jump_label() returned")
    return <LabelReference>label


cdef int check_listener(const void* listener) except -1:
    if listener == NULL:
        raise ValueError("the listener is NULL: pass a function")
    return 0


cdef int check_handle(uint32_t handle) except -1:
    if handle >= native_capacity or not native_handles[handle]:
        raise ReleasedError(f"{handle} is no handle of C code, or it was released; its byte may serve another handle")
    return 0


cdef int make_native_room(uint32_t n) except -1:
    """For n handles more: entering them cannot fail then."""
    global native_handles, native_capacity
    cdef uint64_t wanted = <uint64_t>handle_pool.used + n
    cdef uint8_t* grown
    if wanted <= native_capacity:
        return 0
    wanted = max(wanted, 2 * <uint64_t>native_capacity, 64)
    if wanted >= NO_ID:
        raise MemoryError()
    grown = <uint8_t*>PyMem_Realloc(native_handles, wanted)
    if grown == NULL:
        raise MemoryError()
    memset(grown + native_capacity, 0, wanted - native_capacity)
    native_handles, native_capacity = grown, <uint32_t>wanted
    return 0


# --- the entries, in the order of depwatch.h --------------------------------------------------------------------------


cdef uint32_t capi_id_of(object owner) except? 0x7fffffff:
    return id_of_object(owner)


cdef object capi_facet_of_key(object namespace, object name):
    return native.key_facet(namespace, name)


cdef object capi_facet_of_global(object function, object name):
    return native.global_facet(function, name)


cdef object capi_facet_of_attribute(object cls, object name):
    return native.attribute_facet(cls, name)


cdef object capi_facet_of_function(object function, depwatch_part part):
    return native.function_facet(function, <int>part)


cdef object capi_facet_of_object(object whole):
    return native.whole_facet(whole)


cdef uint32_t capi_facet_id(object facet) except? 0x7fffffff:
    return facet_given(facet).id


cdef object capi_recorder_new(const char* name, uint32_t unstable_after):
    return native.recorder(name.decode(), unstable_after)


cdef int capi_read(object recorder, object facet, PyObject** value) except -1:
    value[0] = NULL
    found = recorder_given(recorder)._read(facet_given(facet))
    if not found:
        return 0
    value[0] = new_reference(found[0])
    return 1


cdef Py_ssize_t capi_reads(object recorder) except -1:
    return open_assumptions(recorder).count


cdef Assumptions assumptions_to_commit(object recorder, uint32_t n):
    """With room for n handles. Patch points that were asked for in Python would have no owner."""
    cdef Assumptions assumptions = open_assumptions(recorder)
    if recorder._cells:
        raise ValueError(f"recorder {recorder.name!r} has {len(recorder._cells)} patch points that a Handle of Python would own; "
                         "commit it in Python, or take cells with value_cell() and guard_cell() of the C API")
    make_native_room(n)
    return assumptions


cdef uint32_t capi_commit(object recorder) except? 0x7fffffff:
    cdef Assumptions assumptions = assumptions_to_commit(recorder, 1)
    cdef uint32_t witness = 0, handle
    recorder._assumptions = None
    try:
        handle = handle_commit(assumptions.items, assumptions.count,
                               <uint16_t>min(assumptions.unstable_after, 0xffffu), &witness)
        if handle == NO_ID:
            raise recorder._stale(assumptions, witness)
        native_handles[handle] = 1
    finally:
        assumptions.close()
    return handle


cdef int capi_commit_many(object recorder, uint32_t n, const uint64_t* offsets, const uint32_t* reads,
                          uint32_t* handles) except -1:
    cdef Assumptions assumptions = assumptions_to_commit(recorder, n)
    cdef uint32_t witness = NO_ID
    cdef uint64_t i
    if offsets[0] != 0:
        raise ValueError(f"offsets[0] is {offsets[0]}; it must be 0")
    for i in range(n):
        if offsets[i + 1] < offsets[i]:
            raise ValueError(f"offsets[{i + 1}] is {offsets[i + 1]}, less than the one before ({offsets[i]}): they must ascend")
    for i in range(offsets[n]):
        if reads[i] >= assumptions.count:
            raise ValueError(f"reads[{i}] is {reads[i]}; this recorder has read {assumptions.count} facets, from number 0 on")
    if n == 0:
        return 0
    if not handles_commit(assumptions.items, assumptions.generations, n, offsets, reads,
                          <uint16_t>min(assumptions.unstable_after, 0xffffu), handles, &witness):
        raise recorder._stale(assumptions, witness)
    for i in range(n):
        native_handles[handles[i]] = 1
    return 0


cdef const uint8_t* capi_handle_byte(uint32_t handle) except NULL:
    check_handle(handle)
    return handle_byte(handle)


cdef int capi_handle_retire(uint32_t handle) except -1:
    check_handle(handle)
    handle_retire(handle)
    return 0


cdef int capi_handle_release(uint32_t handle) except -1:
    check_handle(handle)
    native_handles[handle] = 0
    handle_release(handle)
    return 0


cdef FacetReference facet_with_cells(object given):
    cdef FacetReference facet = facet_given(given)
    if facet_at(facet.id).kind not in (FACET_KEY, FACET_GLOBAL, FACET_ATTRIBUTE):
        raise ValueError(f"{native.naming.describe(facet.id)} has no cells: only keys, globals and attributes have")
    return facet


cdef object capi_value_cell(object given, depwatch_cell_kind kind):
    cdef FacetReference facet = facet_with_cells(given)
    if <int>kind not in (0, 1, 2):
        raise ValueError(f"there is no kind of cell {<int>kind}; there are 0 to 2")
    drain_all()
    cell = facet.cell(("object", "f64", "i64")[<int>kind])
    if cell.word is UNKNOWN:
        raise TypeError(f"{native.naming.describe(facet.id)} is missing, or does not fit a cell of kind {<int>kind}")
    return cell


cdef object guarded(object recorder, object given, place, PyObject** value):
    """What is patched while the value that is read now is not there: a cell, or where place is given a label."""
    cdef FacetReference facet = facet_with_cells(given)
    value[0] = NULL
    found = recorder_given(recorder)._read(facet)
    if not found:
        raise KeyError(f"{native.naming.describe(facet.id)} is missing")
    try:
        patched = facet.cell("guard")
        if place is not None:
            patched = LabelReference(patched, place[0], place[1])
    finally:
        recorder._assumptions.forget(facet)
    value[0] = new_reference(found[0])
    return patched


cdef object capi_guard_cell(object recorder, object given, PyObject** value):
    return guarded(recorder, given, None, value)


cdef const void* capi_cell_word(object cell) except NULL:
    return &live_cell(cell).word


cdef const uint8_t* capi_cell_guard(object cell) except NULL:
    return &live_cell(cell).guard


cdef int capi_cell_release(object cell) except -1:
    cell_given(cell).release()
    return 0


cdef object capi_listen(object facet, depwatch_listener listener, void* data):
    cdef Listening listening = Listening()
    check_listener(listener)
    listening.facet = facet_given(facet)
    listening.listener.call.of_facet = listener
    listening.listener.data = data
    listening.listener.facet = listening.facet.id
    listener_enter(&listening.listener)
    return listening


cdef object capi_listen_functions(depwatch_function_listener listener, void* data):
    cdef Listening listening = Listening()
    check_listener(listener)
    watch_functions()
    listening.listener.call.of_functions = listener
    listening.listener.data = data
    listening.listener.facet = NO_ID
    listener_enter(&listening.listener)
    return listening


cdef int capi_unlisten(object listening) except -1:
    if type(listening) is Listening:
        listener_leave(&(<Listening>listening).listener)
    elif type(listening) is HandleListening:
        handle_listener_leave(&(<HandleListening>listening).listener)
    else:
        raise TypeError(f"{type(listening).__name__} object where what listen() returned is expected")
    return 0


cdef Py_ssize_t capi_drain() except -1:
    return drain_all()


cdef object capi_listen_handle(uint32_t handle, depwatch_handle_listener listener, void* data):
    cdef HandleListening listening = HandleListening()
    check_listener(listener)
    check_handle(handle)
    listening.listener.call = listener
    listening.listener.data = data
    listening.listener.handle = handle
    if not handle_listener_enter(&listening.listener):
        raise MemoryError()
    return listening


cdef object capi_jump_label(object recorder, object facet, void* address, void* target, PyObject** value):
    return guarded(recorder, facet, (<uintptr_t>address, <uintptr_t>target), value)


cdef const uint8_t* capi_label_guard(object given) except NULL:
    cdef LabelReference label = label_given(given)
    if label.label == NULL:
        raise ReleasedError("the label was released: its code may be gone")
    return &label.label.cell.guard


cdef int capi_label_release(object label) except -1:
    label_given(label).release()
    return 0


cdef object capi_listen_created(object code, depwatch_listener listener, void* data):
    return capi_listen(native.naming.created_facet(code), listener, data)


cdef extern from *:
    PyObject* new_reference "Py_NewRef"(object)

cdef depwatch_api api


def c_api(package_native, recorder_type, released_error, drain, id_of):
    """The capsule of the C API, which reads and names facets by means of the package."""
    global native, RecorderType, ReleasedError, drain_all, id_of_object
    native, RecorderType, ReleasedError, drain_all, id_of_object = package_native, recorder_type, released_error, drain, id_of
    api.size = sizeof(depwatch_api)
    api.version = DEPWATCH_API_VERSION
    api.release = DEPWATCH_RELEASE
    api.id_of = capi_id_of
    api.facet_of_key = capi_facet_of_key
    api.facet_of_global = capi_facet_of_global
    api.facet_of_attribute = capi_facet_of_attribute
    api.facet_of_function = capi_facet_of_function
    api.facet_of_object = capi_facet_of_object
    api.facet_id = capi_facet_id
    api.recorder_new = capi_recorder_new
    api.read = capi_read
    api.reads = capi_reads
    api.commit = capi_commit
    api.commit_many = capi_commit_many
    api.handle_byte = capi_handle_byte
    api.handle_retire = capi_handle_retire
    api.handle_release = capi_handle_release
    api.value_cell = capi_value_cell
    api.guard_cell = capi_guard_cell
    api.cell_word = capi_cell_word
    api.cell_guard = capi_cell_guard
    api.cell_release = capi_cell_release
    api.listen = capi_listen
    api.listen_functions = capi_listen_functions
    api.unlisten = capi_unlisten
    api.drain = capi_drain
    api.listen_handle = capi_listen_handle
    api.jump_label = capi_jump_label
    api.label_guard = capi_label_guard
    api.label_release = capi_label_release
    api.listen_created = capi_listen_created
    return PyCapsule_New(&api, "depwatch._C_API", NULL)
