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


def retire_dependents(list objects, reason):
    """Retire all handles that depend on any of these objects, in one step, and give their holders the reason.

    Returns the IDs of those that were not retired before, as an array of uint32. Raises TypeError or Unwatchable before any
    handle is retired.
    """
    cdef array.array facets = array.clone(IDS, 0, False), retired
    cdef DependentsWalk walk
    cdef Holder holder
    cdef Py_ssize_t i, most = 0, n = 0
    cdef uint32_t j, number
    reason = check_reason(reason)
    for owner in objects:
        concerned(owner, None, facets)
    for i in range(len(facets)):
        dependents_walk(&walk, &facet_at(facets.data.as_uints[i]).handles)
        while dependents_next(&walk):
            for j in range(walk.count):
                if handle_byte(walk.ids[j])[0] != BYTE_RETIRED:
                    most += 1  # an upper limit: a handle is counted once for each facet
                    holder = holder_of(walk.ids[j])
                    if holder is not None:
                        holder.reserve_reasons()
    retired = array.clone(IDS, most, False)
    for i in range(len(facets)):  # from here on nothing can fail
        dependents_walk(&walk, &facet_at(facets.data.as_uints[i]).handles)
        while dependents_next(&walk):
            for j in range(walk.count):
                number = walk.ids[j]
                if handle_byte(number)[0] == BYTE_RETIRED:
                    continue
                holder = holder_of(number)
                if holder is not None:
                    holder.give_reason(number, reason)
                handle_retire(number)
                retired.data.as_uints[n] = number
                n += 1
    Py_SET_SIZE(retired, n)  # array.resize() may need memory
    return retired


cdef object owner_of(uint32_t facet):
    """The object of which the facet is a part; None once it is dead."""
    cdef PyObject* owner = object_at(facet_at(facet).owner).address
    return None if owner == NULL else <object>owner


cdef str word_of(uint32_t facet):
    """The key, the attribute or the part that the facet is; None: the whole object."""
    cdef Facet* known = facet_at(facet)
    return <object>known.name if known.name != NULL else None if known.kind == FACET_ANY else KIND_NAMES[known.kind]


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
    return <int64_t>breaks


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
