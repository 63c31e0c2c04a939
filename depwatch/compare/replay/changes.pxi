# One change, under the policies but depwatch's own.

cdef void change(Engine e, uint32_t c) noexcept nogil:
    cdef uint32_t v
    if e.object_dead[e.change_object[c]]:
        return  # it is being taken apart
    if e.mechanism == HEALING:
        for v in range(e.value_start[c], e.value_end[c]):
            becomes(e, c, v)
        return
    for v in range(e.value_start[c], e.value_end[c]):
        e.current[e.value_facet[v]] = e.value_number[v]
    if e.mechanism == REVALIDATION:
        mark(e, c)
    elif e.mechanism == GRANULAR:
        for v in range(e.value_start[c], e.value_end[c]):
            patch(e, v, 1)
    elif e.by_object:
        fire_object(e, c)
    else:
        for v in range(e.value_start[c], e.value_end[c]):
            fire_facet(e, v)


cdef void fire_facet(Engine e, uint32_t v) noexcept nogil:
    cdef uint32_t facet = e.value_facet[v], n, i
    if e.dependents[facet].n == 0:
        return
    n = prune(e, facet)
    if n == 0:
        return
    count_change(e, facet)
    e.key = facet
    for i in range(n):
        drop(e, e.dependents[facet].edges[i].function, e.value_same[v], False)
    e.dependents[facet].n = 0
    e.key = NONE


cdef inline void count_change(Engine e, uint32_t key) noexcept nogil:
    """A change of key counts: it hit a handle, or the key was watched for one."""
    e.changes[key] += 1
    if e.limit[key] and e.changes[key] >= e.limit[key]:
        e.given_up[key] = True


cdef void fire_object(Engine e, uint32_t c) noexcept nogil:
    cdef uint32_t o = e.change_object[c], n, i, f
    cdef bint unrelated = e.value_start[c] == e.value_end[c]
    if e.unwatches:
        if not e.watched[o]:
            return
        e.watched[o] = False
    n = prune(e, o)
    if n == 0 and not e.unwatches:
        return
    count_change(e, o)
    e.key = o
    stamp_changed(e, c)
    for i in range(n):
        f = e.dependents[o].edges[i].function
        drop(e, f, not depends_on_changed(e, f), unrelated)
    e.dependents[o].n = 0
    if e.bloom:
        drop_by_mistake(e, o, unrelated)
    e.key = NONE


cdef void stamp_changed(Engine e, uint32_t c) noexcept nogil:
    """The facets whose value this change makes another."""
    cdef uint32_t v
    e.stamp += 1
    for v in range(e.value_start[c], e.value_end[c]):
        if not e.value_same[v]:
            e.facet_stamp[e.value_facet[v]] = e.stamp


cdef bint depends_on_changed(Engine e, uint32_t f) noexcept nogil:
    cdef const Function* function = &e.functions[f]
    cdef uint32_t i
    for i in range(function.n_kept):
        if e.facet_stamp[function.kept[i].facet] == e.stamp:
            return True
    return False


# --- granular ---------------------------------------------------------------------------------------------------------

cdef void patch(Engine e, uint32_t v, uint32_t times) noexcept nogil:
    """The facet has changed so many times, and has its last value now."""
    cdef uint32_t facet = e.value_facet[v], n = prune(e, facet), i
    cdef Edge* edge
    cdef Function* function
    if n == 0:
        return
    if e.limit[facet]:
        times = min(times, e.limit[facet] - e.changes[facet])
    e.changes[facet] += times
    e.given_up[facet] = e.limit[facet] and e.changes[facet] >= e.limit[facet]
    for i in range(n):
        edge = &e.dependents[facet].edges[i]
        function = &e.functions[edge.function]
        if edge.patchable:
            e.counts.patches += times
            function.n_patchable -= e.given_up[facet]
        elif edge.deopted != (edge.value != e.value_number[v]):
            edge.deopted = not edge.deopted
            e.counts.deopts += edge.deopted
            function.n_deopted += 1 if edge.deopted else -1
    if e.given_up[facet]:
        e.dependents[facet].n = 0  # an ordinary load is there now


# --- revalidation -----------------------------------------------------------------------------------------------------

cdef void mark(Engine e, uint32_t c) noexcept nogil:
    cdef uint32_t o = e.change_object[c], n, i, f
    n = prune(e, o)
    if n == 0:
        return
    count_change(e, o)
    if not e.given_up[o]:
        for i in range(n):
            e.functions[e.dependents[o].edges[i].function].marked = True
        return
    stamp_changed(e, c)
    for i in range(n):  # nothing will mark it any more
        f = e.dependents[o].edges[i].function
        drop(e, f, not depends_on_changed(e, f), e.value_start[c] == e.value_end[c])
    e.dependents[o].n = 0


# --- CPython's filters ------------------------------------------------------------------------------------------------

cdef extern from *:
    """
    /* Six bits of 256 for each number. */
    static inline void filter_add(uint64_t *filter, uint64_t number)
    {
        uint64_t x = number * 0x9E3779B97F4A7C15u;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        x ^= x >> 31;
        for (int i = 0; i < 6; i++, x >>= 8)
            filter[(x & 255) >> 6] |= (uint64_t)1 << (x & 63);
    }

    static inline int filter_covers(const uint64_t *filter, const uint64_t *other)
    {
        return !((other[0] & ~filter[0]) | (other[1] & ~filter[1]) | (other[2] & ~filter[2]) | (other[3] & ~filter[3]));
    }
    """
    void filter_add(uint64_t* filter, uint64_t number) noexcept nogil
    bint filter_covers(const uint64_t* filter, const uint64_t* other) noexcept nogil


cdef void join_alive(Engine e, uint32_t f) noexcept nogil:
    cdef Function* function = &e.functions[f]
    cdef uint32_t i, j
    memset(function.filter, 0, sizeof(function.filter))
    for i in range(<uint32_t>BASE_DEPENDENCIES):
        filter_add(function.filter, (<uint64_t>1 << 40) + <uint64_t>f * BASE_DEPENDENCIES + i)
    for i in range(function.n_kept):
        for j in range(e.object_start[function.kept[i].dependency], e.object_start[function.kept[i].dependency + 1]):
            filter_add(function.filter, <uint64_t>e.dependency_object[j] + 1)
    function.place = e.n_alive
    e.alive[e.n_alive] = f
    e.n_alive += 1


cdef void not_alive(Engine e, uint32_t f) noexcept nogil:
    cdef uint32_t place = e.functions[f].place
    e.n_alive -= 1
    e.alive[place] = e.alive[e.n_alive]
    e.functions[e.alive[place]].place = place


cdef void drop_by_mistake(Engine e, uint32_t o, bint unrelated) noexcept nogil:
    """Those whose filter says that they may depend on the object; those that do are dropped already."""
    cdef uint64_t filter[4]
    cdef uint32_t i = 0
    memset(filter, 0, sizeof(filter))
    filter_add(filter, <uint64_t>o + 1)
    while i < e.n_alive:
        if filter_covers(e.functions[e.alive[i]].filter, filter):
            e.counts.false_drops += 1
            drop(e, e.alive[i], not depends_on_changed(e, e.alive[i]), unrelated)
        else:
            i += 1
