"""Part of _core: the functions that depwatch.h declares, behind the capsule depwatch._C_API. depwatch.h states their rules."""

from cpython.pycapsule cimport PyCapsule_New

cdef object native  # the module depwatch.native, which finds facets by name and makes recorders; set by c_api()

# Which handles C code holds. They have no Handle in Python.
cdef uint8_t* native_handles = NULL  # owned; by handle ID: 1 if C code holds the handle
cdef uint32_t native_capacity = 0


@cython.final
@cython.auto_pickle(False)
cdef class Listening(Ours):
    """A listener in C of a facet or of functions. It listens until unlisten(), or until this object is freed."""

    cdef Listener listener  # a part of this object: never moves
    cdef FacetReference facet  # keeps the facet watched; None: a listener of functions

    def __dealloc__(self):
        listener_leave(&self.listener)


@cython.final
@cython.auto_pickle(False)
cdef class HandleListening(Ours):
    """A listener in C of a handle. It listens until unlisten(), until this object is freed, or until the handle is retired."""

    cdef HandleListener listener  # a part of this object: never moves

    def __dealloc__(self):
        handle_listener_leave(&self.listener)


cdef FacetReference facet_passed(object facet):
    if type(facet) is not FacetReference:
        raise TypeError(f"{type(facet).__name__} object where a facet is expected: pass what facet_of_...() returned")
    if (<FacetReference>facet).seen is None:
        facet_given(facet)
    return <FacetReference>facet


cdef Assumptions recorder_passed(object recorder):
    if not isinstance(recorder, Assumptions):
        raise TypeError(f"{type(recorder).__name__} object where a depwatch.Recorder is expected")
    return <Assumptions>recorder


cdef CellReference cell_passed(object cell):
    if type(cell) is not ValueCell and type(cell) is not GuardCell:
        raise TypeError(f"{type(cell).__name__} object where a cell is expected: pass what value_cell() returned")
    return <CellReference>cell


cdef JumpLabel label_passed(object label):
    if type(label) is not JumpLabel:
        raise TypeError(f"{type(label).__name__} object where a label is expected: pass what jump_label() returned")
    return <JumpLabel>label


cdef int check_listener(const void* listener) except -1:
    if listener == NULL:
        raise ValueError("the listener is NULL: pass a function")
    return 0


cdef int check_handle(uint32_t handle) except -1:
    if handle >= native_capacity or not native_handles[handle]:
        raise released(f"{handle} is no handle that C code holds: pass what commit() returned, before handle_release()")
    return 0


cdef int make_native_room(uint32_t n) except -1:
    """Make room in native_handles for n more handles, so that entering them cannot fail."""
    global native_handles, native_capacity
    cdef uint64_t wanted = <uint64_t>handle_pool.used + n
    cdef uint8_t* grown
    if wanted <= native_capacity:
        return 0
    wanted = max(wanted, 2 * <uint64_t>native_capacity, <uint64_t>64)
    if wanted >= NO_ID:
        raise MemoryError()
    grown = <uint8_t*>PyMem_Realloc(native_handles, wanted)
    if grown == NULL:
        raise MemoryError()
    memset(grown + native_capacity, 0, wanted - native_capacity)
    native_handles, native_capacity = grown, <uint32_t>wanted
    return 0


# --- the functions, in the order of depwatch.h --------------------------------------------------------------------------


cdef uint32_t capi_id_of(object owner) except? 0x7fffffff:
    return native.id_of(owner)


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
    facet_given(facet_passed(facet))
    return (<FacetReference>facet).id


cdef object capi_recorder_new(const char* name, uint32_t unstable_after):
    return native.recorder(name.decode(), unstable_after)


cdef int capi_read(object recorder, object facet, PyObject** value) except -1:
    value[0] = NULL
    found = recorder_passed(recorder).record(facet_passed(facet))
    if not found:
        return 0
    value[0] = new_reference(found[0])
    return 1


cdef Py_ssize_t capi_reads(object recorder) except -1:
    cdef Assumptions assumptions = recorder_passed(recorder)
    assumptions.open_and_settled()
    return assumptions.count


cdef Assumptions assumptions_to_commit(object recorder, uint32_t n):
    """The assumptions of a recorder, with room made for n handles. Raises ValueError if the recorder has patch points of
    Python, because a handle of C code would not own them."""
    cdef Assumptions assumptions = recorder_passed(recorder)
    assumptions.open_and_settled()
    if assumptions.cells:
        raise ValueError(f"recorder {assumptions.given_name!r} has {len(assumptions.cells)} patch points that a Handle of Python "
                         "would own; commit it in Python, or take cells with value_cell() and guard_cell() of the C API")
    make_native_room(n)
    return assumptions


cdef uint32_t capi_commit(object recorder) except? 0x7fffffff:
    cdef Assumptions assumptions = assumptions_to_commit(recorder, 1)
    cdef uint16_t tally = tally_of(assumptions.given_name)
    cdef uint32_t witness = 0, handle
    cdef Recording recording = assumptions.recording(assumptions.allows_undone, False, 0)
    try:
        handle = handle_commit(&recording, assumptions.count, &witness)
        if handle == NO_ID:
            raise assumptions.stale(witness)
        native_handles[handle] = 1
        count_commits(tally, 1)
    finally:
        assumptions.drop()
    return handle


cdef int capi_commit_many(object recorder, uint32_t n, const uint64_t* offsets, const uint32_t* reads,
                          uint32_t* handles) except -1:
    cdef Assumptions assumptions = assumptions_to_commit(recorder, n)
    cdef uint16_t tally = tally_of(assumptions.given_name)
    cdef uint32_t witness = NO_ID
    cdef uint64_t i
    cdef Recording recording = assumptions.recording(assumptions.allows_undone, False, 0)
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
    if not handles_commit(&recording, n, offsets, reads, handles, &witness):
        raise assumptions.stale(witness)
    for i in range(n):
        native_handles[handles[i]] = 1
    count_commits(tally, n)
    return 0


cdef const uint8_t* capi_handle_byte(uint32_t handle) except NULL:
    check_handle(handle)
    return handle_byte(handle)


cdef int capi_handle_retire(uint32_t handle) except -1:
    check_handle(handle)
    if handle_byte(handle)[0] != BYTE_RETIRED:
        count_state(handle, HANDLE_RETIRED, CALLED)
    handle_retire(handle)
    return 0


cdef int capi_handle_release(uint32_t handle) except -1:
    check_handle(handle)
    native_handles[handle] = 0
    handle_release(handle)
    return 0


cdef FacetReference facet_with_cells(object given):
    cdef FacetReference facet = facet_passed(given)
    if facet.seen is not None:
        return facet
    if not traits_of(facet_at(facet.id)).is_named:
        raise ValueError(f"{facet.describe()} can have no cell: pass the facet of a key, a global or an attribute")
    return facet


cdef object capi_value_cell(object given, depwatch_cell_kind kind):
    cdef FacetReference facet = facet_with_cells(given)
    cdef ValueCell cell
    if <int>kind not in (0, 1, 2, 3):
        raise ValueError(f"{<int>kind} is no kind of cell: pass DEPWATCH_OBJECT, DEPWATCH_F64, DEPWATCH_I64 or "
                         "DEPWATCH_BOOL (0 to 3)")
    drain_now()
    cell = <ValueCell>ValueCell.__new__(ValueCell)
    cell.cell = cell_of(facet, <CellKind><int>kind)
    cell.given_name = facet_name(facet)
    if cell.cell == NULL or not (cell.cell.guard or switched_off):
        raise TypeError(f"{facet.describe()} is missing, or does not fit a cell of kind {<int>kind}")
    return cell


cdef object guarded(object recorder, object given, CellReference made, uintptr_t address, uintptr_t target, PyObject** value):
    """Make a guard cell or jump label for the present value. It belongs to the caller, not to the recorder's handle."""
    cdef FacetReference facet = facet_with_cells(given)
    value[0] = NULL
    made = recorder_passed(recorder).guarded(facet, made, address, target)
    if made is None:
        raise KeyError(f"{facet.describe()} is missing")
    value[0] = new_reference(made.assumed())
    return made


cdef object capi_guard_cell(object recorder, object given, PyObject** value):
    return guarded(recorder, given, <GuardCell>GuardCell.__new__(GuardCell), 0, 0, value)


cdef const void* capi_cell_word(object cell) except NULL:
    return &cell_passed(cell).live().word


cdef const uint8_t* capi_cell_guard(object cell) except NULL:
    return &cell_passed(cell).live().guard


cdef int capi_cell_release(object cell) except -1:
    cell_passed(cell).release()
    return 0


cdef object capi_listen(object facet, depwatch_listener listener, void* data):
    cdef Listening listening = <Listening>Listening.__new__(Listening)
    check_listener(listener)
    listening.facet = facet_passed(facet)
    facet_given(listening.facet)
    listening.listener.call.of_facet = listener
    listening.listener.data = data
    listening.listener.facet = listening.facet.id
    listener_enter(&listening.listener)
    return listening


cdef object capi_listen_functions(depwatch_function_listener listener, void* data):
    cdef Listening listening = <Listening>Listening.__new__(Listening)
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
        raise TypeError(f"{type(listening).__name__} object where a listener is expected: pass what listen() returned")
    return 0


cdef Py_ssize_t capi_drain() except -1:
    return drain_now()


cdef object capi_listen_handle(uint32_t handle, depwatch_handle_listener listener, void* data):
    cdef HandleListening listening = <HandleListening>HandleListening.__new__(HandleListening)
    check_listener(listener)
    check_handle(handle)
    listening.listener.call = listener
    listening.listener.data = data
    listening.listener.handle = handle
    if not handle_listener_enter(&listening.listener):
        raise MemoryError()
    return listening


cdef object capi_jump_label(object recorder, object facet, void* address, void* target, PyObject** value):
    return guarded(recorder, facet, <JumpLabel>JumpLabel.__new__(JumpLabel), <uintptr_t>address, <uintptr_t>target, value)


cdef const uint8_t* capi_label_guard(object given) except NULL:
    cdef JumpLabel label = label_passed(given)
    if label.label == NULL:
        raise released("the label was released, so its code may be gone; use a label only before label_release()")
    return &label.cell.guard


cdef int capi_label_release(object label) except -1:
    label_passed(label).release()
    return 0


cdef object capi_listen_created(object code, depwatch_listener listener, void* data):
    return capi_listen(native.created_facet(code), listener, data)


cdef int capi_read_name(object recorder, object owner, object name, int absence, PyObject** value) except -1:
    value[0] = NULL
    recorder_passed(recorder)
    found = native.read_name(recorder, owner, name, absence != 0)
    if not found:
        return 0
    value[0] = new_reference(found[0])
    return 1


cdef int capi_allow_undone(object recorder) except -1:
    cdef Assumptions assumptions = recorder_passed(recorder)
    assumptions.check_open()
    assumptions.allows_undone = True
    return 0


cdef object capi_explain(uint32_t handle):
    check_handle(handle)
    drain_now()
    check_handle(handle)
    return native.explain_handle(handle, handle_byte(handle)[0], explanation_of(&handle, 1))


cdef int64_t capi_handle_breaks(uint32_t handle) except -2:
    check_handle(handle)
    return breaks_of(&handle, 1)


cdef const uint64_t* capi_breaks() noexcept:
    return &service.disturbances


cdef extern from *:
    PyObject* new_reference "Py_NewRef"(object)

cdef depwatch_api api


def c_api(package_native):
    """The capsule of the C API. package_native: the module depwatch.native, which finds facets by name."""
    global native
    native = package_native
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
    api.read_name = capi_read_name
    api.allow_undone = capi_allow_undone
    api.explain = capi_explain
    api.handle_breaks = capi_handle_breaks
    api.breaks = capi_breaks
    return PyCapsule_New(&api, "depwatch._C_API", NULL)
