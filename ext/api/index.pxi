"""Part of _core: asks the index which handles depend on an object, and retires them."""


cdef int collect(const Dependents* facets, array.array into) except -1:
    cdef DependentsWalk walk
    dependents_walk(&walk, facets)
    while dependents_next(&walk):
        array.extend_buffer(into, <char*>walk.ids, walk.count)
    return 0


cdef int concerned_by_dict(PyObject* dict, PyObject* name, array.array into) except -1:
    """Add the facets that events of this dict concern; if a name is given, only those that events of this key concern."""
    cdef uint32_t i, id = object_find(dict)
    cdef Object* object
    cdef KeySlot* slot
    if id == NO_ID:
        return 0
    object = object_at(id)
    collect(&object.whole, into)
    if name != NULL:
        slot = keys_find(&object.keys, name)
        if slot != NULL:
            collect(&slot.facets, into)
    elif object.keys.slots != NULL:
        for i in range(object.keys.mask + 1):
            collect(&object.keys.slots[i].facets, into)
    return 0


cdef int parts_concerned(PyObject* owner, str part, array.array into) except -1:
    """Add the facets whose owner this object is; if a part is given, only that part and the whole object."""
    cdef uint32_t id = object_find(owner)
    cdef uint8_t kind
    id = NO_ID if id == NO_ID else object_at(id).first_facet
    while id != NO_ID:
        kind = facet_at(id).kind
        if part is None or kind == FACET_ANY or KIND_NAMES[kind] == part:
            array.extend_buffer(into, <char*>&id, 1)
        id = facet_at(id).next_of_owner
    return 0


cdef int concerned(owner, str name, array.array into) except -1:
    """Add the facets that a change of owner concerns; if a name is given, only a change of this key, attribute or part. Raises
    Unwatchable."""
    cdef PyObject* object = <PyObject*>owner
    cdef PyObject* key = NULL if name is None else <PyObject*>name
    if type(owner) is Fact:
        return concerned_by_dict(<PyObject*>(<Fact>owner).state, NULL, into)
    if name is not None:
        PyObject_Hash(name)  # computes the hash of an exact str, which keys_find() needs
    if PyModule_Check(owner):
        object = module_dict(object)
        return 0 if object == NULL else concerned_by_dict(object, key, into)
    if object_kind(object) < 0:
        return -1
    if PyDict_Check(owner):
        return concerned_by_dict(object, key, into)
    if PyType_Check(owner):
        names = PyType_GetDict(<PyTypeObject*>owner)
        concerned_by_dict(<PyObject*>names, key, into)
        return 0 if name is not None else parts_concerned(object, None, into)
    return parts_concerned(object, name, into)


def dependents_of(owner, str name=None):
    """The IDs of the handles that depend on this object; if a name is given, on this key, attribute or part of it. In the
    portable Roaring format. Raises Unwatchable."""
    cdef array.array facets = array.clone(IDS, 0, False)
    cdef uint32_t n
    cdef bytes portable
    concerned(owner, name, facets)
    n = <uint32_t>len(facets)
    if not gathering_reserve(&gathering, handle_pool.used):
        raise MemoryError()
    if n:
        gathering_add_facets(&gathering, &handles_of_facets, facets.data.as_uints, n)
    try:
        portable = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>gathering_size(&gathering))
    except MemoryError:
        gathering_empty(&gathering)
        raise
    gathering_write(&gathering, <uint8_t*>PyBytes_AS_STRING(portable))
    return portable


cdef Gathering gathering


cdef Py_ssize_t reserve_reasons_of(const uint32_t* handles, uint32_t n) except -1:
    """Make room, so that giving a reason to any of these handles cannot fail. Returns how many are not retired."""
    cdef Py_ssize_t not_retired = 0
    cdef Holder holder
    cdef uint32_t i
    for i in range(n):
        if handle_byte(handles[i])[0] != BYTE_RETIRED:
            not_retired += 1
            holder = holder_of(handles[i])
            if holder is not None:
                holder.reserve_reasons()
    return not_retired


cdef Py_ssize_t retire_many(const uint32_t* handles, uint32_t n, str reason, uint32_t* retired) except -1:
    """Retire those that are not, after reserve_reasons_of(): cannot fail. Writes them to retired, and returns how many."""
    cdef Py_ssize_t n_retired = 0
    cdef Holder holder
    cdef uint32_t i, number
    for i in range(n):
        number = handles[i]
        if handle_byte(number)[0] == BYTE_RETIRED:
            continue
        holder = holder_of(number)
        if holder is not None:
            holder.give_reason(number, reason)
        count_state(number, HANDLE_RETIRED, CALLED)
        handle_retire(number)
        retired[n_retired] = number
        n_retired += 1
    return n_retired


cdef Py_ssize_t retire_all_of(uint32_t facet, str reason, array.array retired, Py_ssize_t n, Pauses* pauses) except -1:
    """Retire all handles that rely on the facet, which must be pinned, and write them to retired, which has n already. Lets other
    threads run in between. Returns how many it has then. If reason is None: only make room, and count."""
    cdef const Dependents* handles = &facet_at(facet).handles
    cdef DependentsWalk walk
    cdef Py_ssize_t more
    cdef uint32_t last
    dependents_walk(&walk, handles)
    while dependents_next(&walk):
        last = walk.ids[walk.count - 1]
        more = reserve_reasons_of(walk.ids, walk.count)
        if reason is not None:
            if n + more > len(retired):  # other threads have committed since the first time
                array.resize(retired, 2 * (n + more))
            more = retire_many(walk.ids, walk.count, reason, &retired.data.as_uints[n])
        n += more
        if pause_after(pauses, walk.count):
            dependents_walk_after(&walk, handles, last)
    return n


def retire_dependents(list objects, reason):
    """Retire all handles that depend on any of these objects, and give their holders the reason. Recorders that have read the
    objects' facets are stale. Lets other threads run in between; what they read and commit then may stay valid, or be retired, too.

    Returns the IDs of those that were not retired before, as an array of uint32. Raises TypeError or Unwatchable before any
    handle is retired; MemoryError, too, unless other threads commit in between: then some may be retired.
    """
    cdef array.array found = array.clone(IDS, 0, False), retired
    cdef Pauses pauses = pauses_of_drain()
    cdef uint32_t* facets
    cdef Py_ssize_t i, n = 0, n_retired = 0
    reason = check_reason(reason)
    for owner in objects:
        concerned(owner, None, found)
    facets = found.data.as_uints
    for i in range(len(found)):
        facet_outdate(facets[i])
        if not dependents_empty(&facet_at(facets[i]).handles):
            facet_rest_at(facets[i]).pins += 1  # or a drain in a pause could free it
            facets[n] = facets[i]
            n += 1
    try:
        for i in range(n):
            n_retired = retire_all_of(facets[i], None, None, n_retired, &pauses)
        retired = array.clone(IDS, n_retired, False)  # enough: a handle was counted once for each facet
        n_retired = 0
        for i in range(n):
            n_retired = retire_all_of(facets[i], reason, retired, n_retired, &pauses)
    finally:
        for i in range(n):
            facet_unpin(facets[i])
    Py_SET_SIZE(retired, n_retired)  # array.resize() may need memory
    return retired


cdef object owner_of(uint32_t facet):
    """The object of which the facet is a part; None once it is dead."""
    cdef PyObject* owner = object_at(facet_rest_at(facet).owner).address
    return None if owner == NULL else <object>owner


cdef str word_of(uint32_t facet):
    """The key, the attribute or the part that the facet is; None: the whole object."""
    cdef Facet* known = facet_at(facet)
    cdef PyObject* name = rest_of(known).name
    return <object>name if name != NULL else None if known.kind == FACET_ANY else KIND_NAMES[known.kind]


cdef array.array facets_of(const uint32_t* handles, uint32_t n):
    """The distinct facets that n handles rely on, ascending."""
    cdef array.array ends = array.clone(ADDRESSES, <Py_ssize_t>n + 1, False), distinct
    cdef uint32_t* facets = handles_facets(handles, n, <uint64_t*>ends.data.as_ulonglongs)
    cdef uint32_t i, kept = 0, all = <uint32_t>ends.data.as_ulonglongs[n]
    if facets == NULL:
        raise MemoryError()
    try:
        ids_sort(facets, all)
        distinct = array.clone(IDS, all, False)
        for i in range(all):
            if i == 0 or facets[i] != facets[i - 1]:
                distinct.data.as_uints[kept] = facets[i]
                kept += 1
        Py_SET_SIZE(distinct, kept)
        return distinct
    finally:
        free(facets)




cdef list assumptions_of(const uint32_t* handles, uint32_t n):
    cdef array.array facets = facets_of(handles, n)
    cdef Facet* facet
    cdef Py_ssize_t i
    cdef uint32_t id
    found = []
    for i in range(len(facets)):
        id = facets.data.as_uints[i]
        facet = facet_at(id)
        found.append(tuple_of(AssumptionType, (
            words_of_facet(id), owner_of(id), word_of(id), words_of_assumed(facet), <bint>(facet.holds and not facet.dead),
            facet.falls)))
    found.sort(key=TEXT)
    return found


cdef str words_of_assumed(Facet* facet):
    """The recorded value in short words; None: the facet has no value, or the value is gone."""
    cdef PyObject* value = facet_recorded(facet) if facet_has_value(facet) else NULL
    return "(missing)" if value == ABSENT else None if value == NULL else words_of_value(<object>value)


cdef int64_t breaks_of(const uint32_t* handles, uint32_t n) except? -2:
    cdef uint64_t breaks = 0
    cdef Py_ssize_t i
    for i in range(n):
        if handle_byte(handles[i])[0] == BYTE_RETIRED:
            return -1
    facets = facets_of(handles, n)
    for i in range(len(facets)):
        breaks += facet_at((<array.array>facets).data.as_uints[i]).falls
    # Facets count to 2^32. Above it the number has what the whole process counts, so that it is never again what it was.
    return <int64_t>((breaks & 0xffffffffu) | service.breaks >> 32 << 32)


cdef list broken_of(const uint32_t* handles, uint32_t n):
    cdef array.array facets = facets_of(handles, n)
    cdef Py_ssize_t i
    cdef uint32_t id
    found = []
    for i in range(len(facets)):
        id = facets.data.as_uints[i]
        if not facet_at(id).holds and facet_at(id).recorded != NULL:
            known = notes_of(id)
            change = (None,) * 5 if known is None else (<FacetNotes>known).last_change()
            found.append(tuple_of(BreakType, (words_of_facet(id), owner_of(id), word_of(id)) + change))
    found.sort(key=TEXT)
    return found


cdef list explanation_of(const uint32_t* handles, uint32_t n):
    """[(facet, value assumed or None, whether it is broken, what broke it last or None), ...], in words."""
    cdef array.array facets = facets_of(handles, n)
    cdef Facet* facet
    cdef FacetNotes known
    cdef uint32_t id
    cdef Py_ssize_t i
    lines = []
    for i in range(len(facets)):
        id = facets.data.as_uints[i]
        facet, known = facet_at(id), notes_of(id)
        broken = facet.recorded != NULL and not facet.holds
        lines.append((words_of_facet(id), words_of_assumed(facet), broken, None if known is None else known.last_break()))
    return lines


def explanation(holder not None):
    """(byte, why it was retired, explanation_of() its assumptions) of a Handle, or of Handles: then the byte is 0 if all are valid,
    255 if all are retired. Taken at one moment. Raises Released."""
    cdef uint32_t number
    if type(holder) is Handle:
        number = (<Handle>holder).live()
        return handle_byte(number)[0], holder.reason, explanation_of(&number, 1)
    cdef array.array kept = (<Handles?>holder).kept_numbers()
    byte = BYTE_RETIRED if holder.retired else 0 if holder.valid else 1
    return byte, None, explanation_of(kept.data.as_uints, <uint32_t>len(kept))


def breaks_address():
    """Address of the word that is another one after each break."""
    return <uintptr_t>&service.disturbances


def forget_breaks(owner, str name=None):
    """Forget how often the facets of this object broke; if a name is given, only those of this key, attribute or part. Raises
    Unwatchable."""
    cdef array.array facets = array.clone(IDS, 0, False)
    cdef Facet* facet
    concerned(owner, name, facets)
    for i in range(len(facets)):
        facet = facet_at(facets.data.as_uints[i])
        if name is None or facet.kind != FACET_ANY:
            facet.breaks = 0
            facet_touch_if_idle(facets.data.as_uints[i])


def check_index():
    """Check the index: raises AssertionError with the first error. Cost: looks up every dependency."""
    cdef const char* wrong = index_wrong()
    if wrong != NULL:
        raise AssertionError(wrong.decode())
