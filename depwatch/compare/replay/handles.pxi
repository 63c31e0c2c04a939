# Functions and their handles: calls, making, dropping.

cdef inline bint is_live(Engine e, const Edge* edge) noexcept nogil:
    return e.functions[edge.function].made == edge.made


cdef uint32_t prune(Engine e, uint32_t key) noexcept nogil:
    """Only edges of handles that are still there; how many."""
    cdef Dependents* list = &e.dependents[key]
    cdef uint32_t i, n = 0
    for i in range(list.n):
        if is_live(e, &list.edges[i]):
            if n != i:
                list.edges[n] = list.edges[i]
            n += 1
    list.n = n
    return n


cdef Edge* add_edge(Engine e, uint32_t key, uint32_t function) noexcept nogil:
    cdef Dependents* list = &e.dependents[key]
    cdef Edge* edges
    cdef uint32_t room
    if list.n == list.room:
        prune(e, key)
        if list.n >= list.room // 2:  # else there is room for as many again
            room = 2 * list.room + 2
            edges = <Edge*>realloc(list.edges, room * sizeof(Edge))
            if edges == NULL:
                e.no_memory = True
                return NULL
            list.edges, list.room = edges, room
    edges = &list.edges[list.n]
    list.n += 1
    edges.function, edges.made = function, e.functions[function].made
    edges.value, edges.patchable, edges.deopted = 0, 0, 0
    return edges


cdef bint keep(Engine e, uint32_t f, uint32_t dependency, int64_t value) noexcept nogil:
    cdef Function* function = &e.functions[f]
    cdef Kept* kept
    cdef uint32_t room
    if function.n_kept == function.room:
        room = 2 * function.room + 4
        kept = <Kept*>realloc(function.kept, room * sizeof(Kept))
        if kept == NULL:
            e.no_memory = True
            return False
        function.kept, function.room = kept, room
    kept = &function.kept[function.n_kept]
    function.n_kept += 1
    kept.dependency, kept.facet, kept.value = dependency, e.dependency_facet[dependency], value
    return True


# --- calls ------------------------------------------------------------------------------------------------------------

cdef void advance(Engine e, uint32_t f, uint64_t calls) noexcept nogil:
    """The function has been called so many times."""
    cdef Function* function = &e.functions[f]
    cdef uint64_t left, take, before = function.calls
    if calls <= before:
        return
    left = calls - before
    e.counts.calls += left
    while left and not e.no_memory:
        if function.state == VALID:
            if function.bereft and is_whole(e, function.set):
                make(e, f)
                continue
            if function.marked and not revalidate(e, f):
                continue
            e.counts.guards += left * function.n_patchable
            if function.n_deopted:
                e.counts.deopt_calls += left
            function.cold = 0
            take = left
        elif function.state == COLD and function.bereft:
            if is_whole(e, function.set):
                make(e, f)
                continue
            take = left  # from before the death: at the next call after it the function is looked at
        elif function.state == COLD:
            take = min(left, <uint64_t>(e.hot_after - function.cold))
            e.counts.cold_calls += take
            function.cold += <uint32_t>take
            if function.cold >= e.hot_after:
                function.calls += take
                left -= take
                e.moment = moment_of(e, function, before, calls)
                make(e, f)
                continue
        elif function.state == WARMING:
            take = min(left, to_warm(e, function))
            e.counts.cold_calls += take
            if function.calls + take >= e.hot_after and function.set != NONE:
                function.calls += take
                left -= take
                e.moment = moment_of(e, function, before, calls)
                make(e, f)
                continue
        else:
            take = left
        function.calls += take
        left -= take
    function.seen = e.time[e.event]
    e.moment = <int64_t>e.time[e.event]


cdef inline int64_t moment_of(Engine e, const Function* function, uint64_t before, uint64_t calls) noexcept nogil:
    """When the last of its calls was: those since it was last looked at are taken to come evenly."""
    cdef double share = <double>(function.calls - before) / <double>(calls - before)
    return <int64_t>function.seen + <int64_t>(share * <double>(e.time[e.event] - function.seen))


cdef inline uint64_t to_warm(Engine e, const Function* function) noexcept nogil:
    """Calls until it is hot for the first time. A trace knows its dependencies from the 10th call on."""
    if function.set == NONE:
        return <uint64_t>-1
    return e.hot_after - function.calls if function.calls < e.hot_after else 1


cdef void resolve(Engine e, uint32_t s, uint64_t calls) noexcept nogil:
    """From this call on, the function would depend on set s."""
    cdef uint32_t f = e.set_function[s], d, facet
    if calls:
        advance(e, f, calls - 1)
    e.functions[f].set = s
    for d in range(e.set_start[s], e.set_start[s + 1]):
        facet = e.dependency_facet[d]
        if e.dependency_value[d] >= -1 or e.current[facet] == -(<int64_t>1 << 41):
            e.current[facet] = e.dependency_value[d]


# --- making -----------------------------------------------------------------------------------------------------------

cdef bint is_whole(Engine e, uint32_t s) noexcept nogil:
    """No object that the set names is dead."""
    cdef uint32_t i
    for i in range(e.object_start[e.set_start[s]], e.object_start[e.set_start[s + 1]]):
        if e.object_dead[e.dependency_object[i]]:
            return False
    return True


cdef bint is_refused(Engine e, uint32_t dependency) noexcept nogil:
    """It has been given up."""
    cdef uint32_t i
    if e.mechanism == HEALING:
        return is_unstable(e, e.dependency_facet[dependency])
    if not e.by_object:
        return e.given_up[e.dependency_facet[dependency]]
    for i in range(e.object_start[dependency], e.object_start[dependency + 1]):
        if e.given_up[e.dependency_object[i]]:
            return True
    return False


cdef bint leave_out(Engine e, uint32_t dependency) noexcept nogil:
    """Whether a handle that is being made does without: it was given up, or is reached through what was.

    What is left out has the stamp, which the caller has counted up.
    """
    cdef uint32_t via = e.dependency_via[dependency]
    if (via == NONE or e.facet_stamp[via] != e.stamp) and not is_refused(e, dependency):
        return False
    e.facet_stamp[e.dependency_facet[dependency]] = e.stamp
    return True


cdef void make(Engine e, uint32_t f) noexcept nogil:
    """Give the function a handle with its dependencies of now."""
    cdef Function* function = &e.functions[f]
    cdef uint32_t s = function.set, d, facet
    cdef Edge* edge
    note(e, f, COMPILED, e.moment)
    if e.mechanism == HEALING:
        heal(e, f)
        return
    if function.state == VALID and e.bloom:
        not_alive(e, f)
    see_undone(e, f)
    e.counts.hot_functions += function.state == WARMING
    e.counts.recompiled += function.state == COLD
    if e.made_at[s] < 0:
        e.made_at[s] = e.event
    function.made += 1
    function.was_hot = True
    function.state, function.cold, function.marked = VALID, 0, False
    function.bereft = not is_whole(e, s)
    function.n_kept = function.n_patchable = function.n_deopted = 0
    e.stamp += 1
    for d in range(e.set_start[s], e.set_start[s + 1]):
        if leave_out(e, d):
            continue
        facet = e.dependency_facet[d]
        if not keep(e, f, d, e.current[facet]):
            return
        if e.by_object:
            depend_on_objects(e, f, d)
            continue
        edge = add_edge(e, facet, f)
        if edge == NULL:
            return
        edge.value, edge.patchable = e.current[facet], e.dependency_patchable[d]
        if e.mechanism == GRANULAR:
            function.n_patchable += edge.patchable
    if e.bloom:
        join_alive(e, f)


cdef void depend_on_objects(Engine e, uint32_t f, uint32_t dependency) noexcept nogil:
    cdef uint32_t i, o
    for i in range(e.object_start[dependency], e.object_start[dependency + 1]):
        o = e.dependency_object[i]
        if e.object_stamp[o] != e.stamp:
            e.object_stamp[o] = e.stamp
            e.watched[o] = True
            add_edge(e, o, f)


# --- dropping ---------------------------------------------------------------------------------------------------------

cdef void drop(Engine e, uint32_t f, bint needlessly, bint unrelated) noexcept nogil:
    cdef Function* function = &e.functions[f]
    note(e, f, DROPPED, e.time[e.event])
    function.made += 1
    function.state, function.cold, function.bereft, function.marked = COLD, 0, False, False
    function.pending = not function.in_window  # else it is not known what was put back
    if function.in_window:
        e.counts.undone += needlessly
    e.counts.dropped += 1
    e.counts.needlessly += needlessly
    if e.key != NONE:
        e.drops[2 * e.key] += 1
        e.drops[2 * e.key + 1] += needlessly
    e.counts.unrelated_drops += unrelated
    e.counts.overwritten += e.points[f]
    if e.bloom:
        not_alive(e, f)


cdef void see_undone(Engine e, uint32_t f) noexcept nogil:
    """Code that was dropped would be compiled again, or never is: was all that it relied on put back?"""
    cdef Function* function = &e.functions[f]
    cdef uint32_t i
    if not function.pending:
        return
    function.pending = False
    for i in range(function.n_kept):
        if function.kept[i].value != e.current[function.kept[i].facet]:
            return
    e.counts.undone += 1


cdef bint revalidate(Engine e, uint32_t f) noexcept nogil:
    """Whether the marked handle may run on: what it recorded is still there. Else it is dropped."""
    cdef Function* function = &e.functions[f]
    cdef uint32_t i
    function.marked = False
    e.counts.revalidations += function.n_kept
    for i in range(function.n_kept):
        if function.kept[i].value != e.current[function.kept[i].facet]:
            drop(e, f, False, False)
            return False
    return True


cdef void function_gone(Engine e, uint32_t f) noexcept nogil:
    cdef Function* function = &e.functions[f]
    see_undone(e, f)
    if e.mechanism == HEALING:
        let_go(e, f, NONE)
    if e.bloom and function.state == VALID:
        not_alive(e, f)
    function.made += 1
    function.state = GONE


cdef void object_gone(Engine e, uint32_t o) noexcept nogil:
    """Its death is no change of it; but handles that depend on it are made anew."""
    cdef uint32_t i, j, f, d
    cdef Function* function
    e.object_dead[o] = True
    for i in range(e.functions_of_start[o], e.functions_of_start[o + 1]):
        f = e.functions_of[i]
        function = &e.functions[f]
        if function.state == GONE or function.state == WARMING:
            continue
        for j in range(function.n_kept):
            d = function.kept[j].dependency
            if lies_in(e, d, o):
                if e.mechanism == HEALING:
                    bereave(e, f, function.kept[j].facet, o)
                elif function.state == VALID:
                    function.bereft = True
                    break


cdef bint lies_in(Engine e, uint32_t dependency, uint32_t o) noexcept nogil:
    cdef uint32_t i
    for i in range(e.object_start[dependency], e.object_start[dependency + 1]):
        if e.dependency_object[i] == o:
            return True
    return False


# --- what giving up left ----------------------------------------------------------------------------------------------

cdef (uint64_t, uint64_t) unguarded(Engine e) noexcept nogil:
    cdef uint64_t dependencies = 0, functions = 0, before
    cdef uint32_t f, s, d
    for f in range(e.n_functions):
        s = e.functions[f].set
        if not e.functions[f].was_hot:
            continue
        before = dependencies
        e.stamp += 1
        for d in range(e.set_start[s], e.set_start[s + 1]):
            dependencies += leave_out(e, d)
        functions += dependencies != before
    return dependencies, functions
