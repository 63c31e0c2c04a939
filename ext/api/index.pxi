"""Part of _core: questions to the live index, and what is done to many handles at once."""


cdef int collect(const Dependents* facets, array.array into) except -1:
    cdef DependentsWalk walk
    dependents_walk(&walk, facets)
    while dependents_next(&walk):
        array.extend_buffer(into, <char*>walk.ids, walk.count)
    return 0


def facets_concerned(address_owner, str name=None):
    """The IDs of the facets that an event of this object (of this key, if name is given) concerns, as an array of uint32.

    In no order; one that several keys concern comes several times.
    """
    cdef uint32_t id = object_find(<void*>address_owner)
    cdef array.array facets = array.clone(IDS, 0, False)
    cdef Object* object
    cdef KeySlot* slot
    if id == NO_ID:
        return facets
    object = object_at(id)
    collect(&object.whole, facets)
    if name is not None:
        hash(name)
        slot = keys_find(&object.keys, <PyObject*>name)
        if slot != NULL:
            collect(&slot.facets, facets)
    elif object.keys.slots != NULL:
        for i in range(object.keys.mask + 1):
            collect(&object.keys.slots[i].facets, facets)
    return facets


def dict_of_type(cls):
    """The dict behind cls.__dict__, whose events tell of the type."""
    return PyType_GetDict(<PyTypeObject*>cls)


def parts_of(owner):
    """The IDs of the facets that are parts of this object, as an array of uint32."""
    cdef uint32_t id = object_find(<void*>owner)
    cdef array.array facets = array.clone(IDS, 0, False)
    if id != NO_ID:
        id = object_at(id).first_facet
        while id != NO_ID:
            array.extend_buffer(facets, <char*>&id, 1)
            id = facet_at(id).next_of_owner
    return facets


def retire_dependents(const uint32_t[::1] facets not None, list kept, str reason):
    """Retire all handles that depend on any of these facets, at once, and give their holders, in kept[ID], the reason.

    The IDs of those that were not retired before, as an array of uint32.
    """
    cdef DependentsWalk walk
    cdef array.array retired = array.clone(IDS, 0, False)
    drain_begins()  # they are told why before anybody is told that
    try:
        for i in range(len(facets)):
            dependents_walk(&walk, &facet_at(facets[i]).handles)
            while dependents_next(&walk):
                for j in range(walk.count):
                    if handle_byte(walk.ids[j])[0] != BYTE_RETIRED:
                        array.extend_buffer(retired, <char*>&walk.ids[j], 1)
                        handle_retire(walk.ids[j])
        for number in retired:
            if number < len(kept) and kept[number] is not None:
                insist(kept[number]._retired, (number, reason))
    finally:
        drain_ends()
    drain_raises()
    return retired


def check_index():
    """Whether the index is as it must be: raises AssertionError. Cost: each dependency is looked up."""
    cdef const char* wrong = index_wrong()
    if wrong != NULL:
        raise AssertionError(wrong.decode())


cdef Gathering gathering


def handles_of(const uint32_t[::1] facets not None):
    """The IDs of the handles that depend on any of these facets, in the portable Roaring format.

    Raises IndexError for what is no facet ID.
    """
    cdef uint32_t n = <uint32_t>len(facets)
    cdef bytes portable
    for i in range(n):
        if facets[i] >= facet_pool.used:
            raise IndexError(f"{facets[i]} is no facet ID: they are below {facet_pool.used}")
    if not gathering_reserve(&gathering, handle_pool.used):
        raise MemoryError()
    if n:
        gathering_add_facets(&gathering, &handles_of_facets, &facets[0], n)
    try:
        portable = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>gathering_size(&gathering))
    except MemoryError:
        gathering_empty(&gathering)
        raise
    gathering_write(&gathering, <uint8_t*>PyBytes_AS_STRING(portable))
    return portable
