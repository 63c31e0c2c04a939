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


def explanation(Handle handle not None):
    """(byte, why the handle was retired, number of its assumptions, [(facet, what broke it last or None), ...] for its broken
    assumptions), in words, all taken at one moment. Raises Released."""
    cdef uint64_t ends[2]
    cdef uint32_t number = handle.live()
    cdef FacetNotes known
    cdef Facet* facet
    cdef uint64_t i
    facets = handles_facets(&number, 1, ends)
    if facets == NULL:
        raise MemoryError()
    try:
        broken = []
        for i in range(ends[1]):
            facet = facet_at(facets[i])
            if facet.recorded != NULL and not facet.holds:
                known = notes_of(facets[i])
                broken.append((words_of_facet(facets[i]), None if known is None else known.last_break()))
        return handle_byte(number)[0], handle.reason, ends[1], broken
    finally:
        free(facets)


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
