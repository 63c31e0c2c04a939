# depwatch itself: facets break and hold again; what a drain has not seen does not count.

cdef extern from *:
    int __builtin_clzll(unsigned long long) noexcept nogil


cdef inline int bin_of(Engine e, int64_t since) noexcept nogil:
    """The logarithm of the ns from then up to now."""
    return 63 - __builtin_clzll(<uint64_t>max(<int64_t>0, <int64_t>e.time[e.event] - since) | 1)


cdef inline bint is_unstable(Engine e, uint32_t facet) noexcept nogil:
    return e.limit[facet] != 0 and e.facets[facet].breaks >= e.limit[facet]


cdef inline void touch_facet(Engine e, uint32_t facet) noexcept nogil:
    if not e.facets[facet].touched:
        e.facets[facet].touched = True
        e.touched_facets[e.n_touched_facets] = facet
        e.n_touched_facets += 1


cdef inline void touch_function(Engine e, uint32_t f) noexcept nogil:
    if not e.functions[f].touched:
        e.functions[f].touched = True
        e.touched_functions[e.n_touched_functions] = f
        e.n_touched_functions += 1


# --- facets -----------------------------------------------------------------------------------------------------------

cdef void becomes(Engine e, uint32_t c, uint32_t v) noexcept nogil:
    """The facet has another value, or the same one again."""
    cdef uint32_t id = e.value_facet[v]
    cdef Facet* facet = &e.facets[id]
    if not e.value_inside[v]:  # else it is the same dict
        e.current[id] = e.value_number[v]
    if not facet.is_recorded or facet.is_dead:
        return
    if e.value_inside[v]:
        changes_inside(e, v, c)
    elif facet.recorded != e.value_number[v]:
        facet.mends = False
        if facet.holds:
            break_facet(e, id, c)
    elif not facet.holds:
        if e.change_in_place[c]:
            mend(e, id)
        else:
            facet.mends = True
            touch_facet(e, id)


cdef void changes_inside(Engine e, uint32_t v, uint32_t c) noexcept nogil:
    """What was recorded is still there, and is of no use any more."""
    cdef uint32_t id = e.value_facet[v], n = prune(e, id), i
    for i in range(n):
        e.functions[e.dependents[id].edges[i].function].broken += 1  # for good
    if n != 0:
        e.facets[id].inside = True
        e.facets[id].change, e.facets[id].broke_at = c, e.event
        touch_facet(e, id)
    retire_dependents(e, id)
    if e.facets[id].holds:
        e.facets[id].recorded = e.current[id]


cdef void break_facet(Engine e, uint32_t id, uint32_t c) noexcept nogil:
    cdef Facet* facet = &e.facets[id]
    cdef uint32_t n = prune(e, id), i
    cdef Edge* edge
    if n == 0:
        facet.is_recorded = False  # nobody needs it: it was forgotten
        return
    facet.holds = False
    facet.change, facet.broke_at = c, e.event
    touch_facet(e, id)
    for i in range(n):
        edge = &e.dependents[id].edges[i]
        e.broke[bin_of(e, max(edge.value, facet.since))] += 1
        e.functions[edge.function].broken += 1
        stop(e, edge.function)


cdef void stop(Engine e, uint32_t f) noexcept nogil:
    """The handle may not run."""
    cdef Function* function = &e.functions[f]
    if function.state == VALID:
        function.state = COLD  # it goes on being cold, if nobody has seen it valid
    touch_function(e, f)


cdef void mend(Engine e, uint32_t id) noexcept nogil:
    cdef Facet* facet = &e.facets[id]
    cdef uint32_t n = prune(e, id), i, f
    facet.mends = False
    if n == 0:
        facet.is_recorded = False
        return
    facet.holds, facet.counted, facet.since = True, False, <int64_t>e.time[e.event]
    touch_facet(e, id)
    for i in range(n):
        f = e.dependents[id].edges[i].function
        e.functions[f].broken -= 1
        if e.functions[f].broken == 0 and not e.functions[f].retired:
            e.functions[f].state = VALID
            touch_function(e, f)


cdef void retire_dependents(Engine e, uint32_t id) noexcept nogil:
    cdef uint32_t i, f
    for i in range(prune(e, id)):
        f = e.dependents[id].edges[i].function
        e.functions[f].retired = True
        stop(e, f)


cdef void record(Engine e, uint32_t id) noexcept nogil:
    """The value of now; handles that wait for another one are of no use any more."""
    cdef Facet* facet = &e.facets[id]
    if facet.is_recorded and facet.holds and prune(e, id):  # without a handle it was forgotten
        return
    retire_dependents(e, id)
    e.dependents[id].n = 0
    facet.recorded = e.current[id]
    facet.is_recorded = facet.holds = True
    facet.counted = facet.mends = facet.told = False


# --- the drain --------------------------------------------------------------------------------------------------------

cdef void drain(Engine e) noexcept nogil:
    cdef uint32_t i
    for i in range(e.n_touched_facets):
        look_again(e, e.touched_facets[i])
    e.n_touched_facets = 0
    for i in range(e.n_touched_functions):
        tell(e, e.touched_functions[i])
    e.n_touched_functions = 0


cdef void look_again(Engine e, uint32_t id) noexcept nogil:
    cdef Facet* facet = &e.facets[id]
    if facet.mends:
        mend(e, id)  # it stays on the list: it is touched
    facet.touched = False
    if facet.is_recorded and (facet.inside or not facet.holds) and not facet.counted and not facet.is_dead:
        facet.counted = True
        facet.told |= not facet.holds
        facet.breaks += 1
        log_break(e, id)
    elif facet.is_recorded and facet.holds and facet.told:
        facet.told = False
        e.restores[id] += 1
    if facet.inside:
        facet.inside = False
        facet.counted = not facet.holds  # in place: it counts anew the next time
    if is_unstable(e, id):
        give_up(e, id)


cdef void give_up(Engine e, uint32_t id) noexcept nogil:
    """Those that were broken by this before an object of theirs died are dropped by this, not bereft."""
    cdef uint32_t i
    cdef Function* function
    for i in range(prune(e, id)):
        function = &e.functions[e.dependents[id].edges[i].function]
        if function.bereft and not function.told and not e.facets[id].holds and e.facets[id].broke_at < function.bereft_at:
            function.bereft = False
    retire_dependents(e, id)


cdef void log_break(Engine e, uint32_t id) noexcept nogil:
    cdef Break* breaks
    cdef size_t room
    if e.n_breaks == e.room_breaks:
        room = 2 * e.room_breaks + 64
        breaks = <Break*>realloc(e.breaks, room * sizeof(Break))
        if breaks == NULL:
            e.no_memory = True
            return
        e.breaks, e.room_breaks = breaks, room
    breaks = &e.breaks[e.n_breaks]
    e.n_breaks += 1
    breaks.event, breaks.change, breaks.facet = e.event, e.facets[id].change, id
    breaks.handles = prune(e, id)


cdef void tell(Engine e, uint32_t f) noexcept nogil:
    cdef Function* function = &e.functions[f]
    function.touched = False
    if function.state == VALID:
        if function.told:
            note(e, f, RESUMED, e.time[e.event])
        e.counts.resumed += function.told
        e.counts.undone += function.told
        function.told = False
    elif function.state == COLD:
        if not function.told and not function.bereft:
            function.told, function.cold = True, 0
            note(e, f, DROPPED, e.time[e.event])
            e.counts.dropped += 1
            e.counts.needlessly += function.broken == 0
            e.counts.undone += function.broken == 0
        if function.retired:
            function.made += 1  # its edges are purged


# --- handles ----------------------------------------------------------------------------------------------------------

cdef void heal(Engine e, uint32_t f) noexcept nogil:
    """Give the function a handle that records the values of now."""
    cdef Function* function = &e.functions[f]
    cdef uint32_t s = function.set, d, facet, serial
    cdef int64_t since
    cdef Edge* edge
    drain(e)
    e.stamp += 1
    serial = e.stamp
    for d in range(e.set_start[s], e.set_start[s + 1]):
        e.carry_stamp[e.dependency_facet[d]] = serial
        e.carried[e.dependency_facet[d]] = e.moment
    let_go(e, f, serial)
    e.counts.hot_functions += function.state == WARMING
    e.counts.recompiled += function.told
    if e.made_at[s] < 0:
        e.made_at[s] = e.event
    function.made += 1
    function.broken = function.cold = 0
    function.retired = function.told = False
    function.bereft = not is_whole(e, s)
    function.bereft_at = -1
    function.state, function.was_hot = VALID, True
    e.stamp += 1
    for d in range(e.set_start[s], e.set_start[s + 1]):
        facet = e.dependency_facet[d]
        if leave_out(e, d):
            continue
        if (e.current[facet] == -1 and e.dependency_value[d] != -1) or e.facets[facet].is_dead:
            e.facet_stamp[facet] = e.stamp  # nothing can be read there, and not that it is missing is relied on
            continue
        record(e, facet)
        since = e.carried[facet]
        edge = add_edge(e, facet, f)
        if edge == NULL or not keep(e, f, d, since):
            return
        edge.value = since
    drain(e)  # those that waited for other values go at once: no later break hits them


cdef void let_go(Engine e, uint32_t f, uint32_t serial) noexcept nogil:
    """Of the handle. A dependency that holds and has the serial number is carried on by the next one."""
    cdef Function* function = &e.functions[f]
    cdef uint32_t i, facet
    cdef int64_t since
    for i in range(function.n_kept):
        facet = function.kept[i].facet
        if not e.facets[facet].holds:
            continue
        since = max(function.kept[i].value, e.facets[facet].since)
        if e.carry_stamp[facet] == serial:
            e.carried[facet] = since
        else:
            e.held[bin_of(e, since)] += 1
    function.n_kept = 0


cdef void value_lost(Engine e, uint32_t id, int64_t number) noexcept nogil:
    """The value can never come back: handles that wait for it wait no more."""
    cdef uint32_t i
    if not e.facets[id].is_recorded or e.facets[id].holds or e.facets[id].recorded != number:
        return
    for i in range(prune(e, id)):
        wait_no_more(e, e.dependents[id].edges[i].function)


cdef void wait_no_more(Engine e, uint32_t f) noexcept nogil:
    cdef Function* function = &e.functions[f]
    if function.state != COLD:
        return
    if not function.retired:
        function.retired = True
        touch_function(e, f)
    elif function.bereft and not function.told:
        # The value that died is an object that the handle relied on, too; but first another one was put in its place.
        function.bereft, function.told, function.cold = False, True, 0
        note(e, f, DROPPED, e.time[e.event])
        e.counts.dropped += 1


cdef void bereave(Engine e, uint32_t f, uint32_t facet, uint32_t o) noexcept nogil:
    """An object died that the handle depends on."""
    cdef Function* function = &e.functions[f]
    e.facets[facet].is_dead = True
    function.retired = True
    function.bereft, function.bereft_at = not function.told, e.event
    stop(e, f)
