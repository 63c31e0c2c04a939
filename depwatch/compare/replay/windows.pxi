# A window: one row for many moments at which something changed, spread evenly over it, and so are the calls of each function
# that depends on them. Changes of one moment are one change: no policy can tell them apart.
#
# It begins with the first moment and ends with the last one: of n the i-th is at (i - 1) / (n - 1), and between two of them
# come their share of the calls, fractions and all. A function that depends on several objects is called between the changes of
# all of them: their windows are one, in which each object has its moments. In it an object stands for its first change. Where
# keys are not given up, functions do not meddle with each other, and once a handle was made in the window all that
# follow are the same: dropped, cold, made, every so many changes. That is counted at once. Where keys are given up,
# there are at most so many changes that count: they are gone through one by one.

cdef extern from *:
    """
    typedef unsigned __int128 wide;

    static inline int is_before(uint64_t a, uint64_t b, uint64_t c, uint64_t d)  /* a / b < c / d */
    {
        return (wide)a * d < (wide)c * b;
    }

    static inline uint64_t ceil_of(uint64_t a, uint64_t b, uint64_t c)  /* a * b / c */
    {
        return (uint64_t)(((wide)a * b + c - 1) / c);
    }

    /* The first i of n for which (2 i + 1) / (2 n) is not before a / b. */
    static inline uint64_t middle_from(uint64_t a, uint64_t b, uint64_t n)
    {
        wide twice = (wide)2 * n * a;
        return twice <= b ? 0 : (uint64_t)((twice - b + (wide)2 * b - 1) / ((wide)2 * b));
    }

    static inline uint64_t floor_of(uint64_t a, uint64_t b, uint64_t c) { return (uint64_t)((wide)a * b / c); }
    """
    bint is_before(uint64_t a, uint64_t b, uint64_t c, uint64_t d) noexcept nogil
    uint64_t ceil_of(uint64_t a, uint64_t b, uint64_t c) noexcept nogil
    uint64_t floor_of(uint64_t a, uint64_t b, uint64_t c) noexcept nogil
    uint64_t middle_from(uint64_t a, uint64_t b, uint64_t n) noexcept nogil

cdef enum:
    MOST_CALLS = 0x7fffffff  # in a window: more would not be exact


cdef inline uint64_t gaps(uint64_t moments) noexcept nogil:
    return moments - 1 if moments > 1 else 1


cdef void window(Engine e, uint32_t c) noexcept nogil:
    cdef uint64_t before[N_COLUMNS]
    cdef const uint64_t* now = <const uint64_t*>&e.counts
    cdef uint32_t i, o
    e.moment = <int64_t>e.time[e.event]
    memcpy(before, now, sizeof(before))
    if e.mechanism == GRANULAR or not matters(e, c) or is_dead(e, c):
        for i in range(e.spread_start[c], e.spread_end[c]):
            advance(e, e.spread_function[i], e.spread_calls[i])
        o = c
        while o != NONE:
            if not e.object_dead[e.change_object[o]]:
                changes_at_once(e, o)
            o = e.change_next[o]
    elif e.mechanism == HEALING:
        heal_window(e, c)
    elif e.mechanism == BULK and is_capped(e, c):
        go_through(e, c)
        become(e, e.value_start[c], e.values_end[c])
    else:
        for i in range(e.spread_start[c], e.spread_end[c]):
            if e.mechanism == REVALIDATION:
                look_at_once(e, c, e.spread_function[i], e.spread_calls[i], e.spread_moments[i])
            else:
                count_at_once(e, c, e.spread_function[i], e.spread_calls[i])
        if e.mechanism == BULK and not e.by_object:
            change_uncalled(e, c)
        else:
            o = c
            while o != NONE:
                changes_at_once(e, o)
                o = e.change_next[o]
        for i in range(e.spread_start[c], e.spread_end[c]):
            e.part_of[e.spread_function[i]] = NONE
    if e.spread_start[c] == e.spread_end[c] or e.object_dead[e.change_object[c]] and e.change_next[c] == NONE:
        return  # one moment, or no change at all
    for i in range(<uint32_t>N_COLUMNS):
        e.in_windows[i] |= now[i] != before[i]


cdef bint matters(Engine e, uint32_t c) noexcept nogil:
    """Not if all of it is in moments that another change has begun."""
    while e.by_object and c != NONE and e.change_moments[c] == 0:
        c = e.change_next[c]
    return c != NONE


cdef bint is_dead(Engine e, uint32_t c) noexcept nogil:
    """Whether an object of the window is: then those of the others are taken as one moment, after all calls."""
    while c != NONE and not e.object_dead[e.change_object[c]]:
        c = e.change_next[c]
    return c != NONE


cdef void changes_at_once(Engine e, uint32_t o) noexcept nogil:
    """Of one object in a window, after its calls."""
    cdef uint32_t v
    if e.mechanism == GRANULAR:
        become(e, e.value_start[o], e.value_end[o])
        for v in range(e.value_start[o], e.value_end[o]):
            patch(e, v, e.value_count[v])
    elif e.by_object and e.change_moments[o] == 0:
        become(e, e.value_start[o], e.value_end[o])
    else:
        change(e, o)
        if e.mechanism == REVALIDATION:
            count_marks(e, o)


cdef void become(Engine e, uint32_t first, uint32_t end) noexcept nogil:
    """The facets have these values."""
    cdef uint32_t v
    for v in range(first, end):
        e.current[e.value_facet[v]] = e.value_number[v]


cdef bint is_capped(Engine e, uint32_t c) noexcept nogil:
    cdef uint32_t v
    if not e.by_object:
        for v in range(e.value_start[c], e.values_end[c]):
            if e.limit[e.value_facet[v]]:
                return True
        return False
    while c != NONE:
        if e.change_moments[c] and e.limit[e.change_object[c]] and not e.given_up[e.change_object[c]]:
            return True
        c = e.change_next[c]
    return False


cdef uint64_t calls_to_go(Engine e, const Function* function) noexcept nogil:
    """Until a handle is made; 0: never."""
    if function.state == COLD and not function.bereft:
        return e.hot_after - function.cold
    if function.state != WARMING or function.set == NONE:
        return 0
    return e.hot_after - function.calls if function.calls < e.hot_after else 1


cdef uint64_t begin_calls(Engine e, uint32_t f, uint64_t calls) noexcept nogil:
    """How many calls the function has in the window; the first of them may find its handle bereft or marked."""
    cdef Function* function = &e.functions[f]
    cdef uint64_t n = calls - function.calls if calls > function.calls else 0
    if n > MOST_CALLS:  # the first ones come before the window
        advance(e, f, calls - MOST_CALLS)
        n = MOST_CALLS
    e.counts.calls += n
    function.in_window = n != 0
    if n and function.bereft and (function.state == VALID or function.state == COLD) and is_whole(e, function.set):
        make(e, f)
    if n and function.state == VALID:
        function.cold = 0
    return n


# --- at once ----------------------------------------------------------------------------------------------------------

cdef void count_at_once(Engine e, uint32_t c, uint32_t f, uint64_t calls) noexcept nogil:
    """Nothing is given up in this window: what happens to one function does not depend on the others."""
    cdef Function* function = &e.functions[f]
    cdef uint64_t n = begin_calls(e, f, calls), num = 0, den = 1, changes, first, period, more
    cdef bint even, again = False  # a handle was made in this window: all that follow are like it
    cdef uint32_t v
    if n:
        e.part_of[f] = 0  # it is called
    while n and function.state != GONE and not e.no_memory:
        if function.state == VALID:
            changes = changes_of(e, c, f, &even)
            if not changes:
                break
            v = next_hit(e, c, f, changes, &num, &den)
            if num > den:
                break
            more = 0
            if even and again:
                first = floor_of(num, gaps(changes), den)
                period = max(<uint64_t>1, ceil_of(e.hot_after, gaps(changes), n))
                more = (changes - 1 - first) // period
                num, den = first + more * period, gaps(changes)
                drop_often(e, c, f, v, more)
            hit(e, c, f, v)
        else:
            if not make_in_window(e, f, n, &num, &den):
                break
            again = True
    if again:
        settle(e, c, f)
    function.in_window = False
    function.calls += n
    function.seen = e.time[e.event]


cdef bint make_in_window(Engine e, uint32_t f, uint64_t n, uint64_t* num, uint64_t* den) noexcept nogil:
    """The next handle, of a function that has none since num / den. False: it is too late for one in this window."""
    cdef Function* function = &e.functions[f]
    cdef uint64_t to_go = calls_to_go(e, function), left
    if not to_go or is_before(den[0] - num[0], den[0], to_go, n):
        left = floor_of(n, den[0] - num[0], den[0])
        e.counts.cold_calls += left
        function.cold += <uint32_t>left if function.state == COLD else 0
        return False
    e.counts.cold_calls += to_go
    num[0], den[0] = num[0] * n + to_go * den[0], den[0] * n
    make(e, f)
    return True


cdef void look_at_once(Engine e, uint32_t c, uint32_t f, uint64_t calls, uint32_t moments) noexcept nogil:
    """Revalidation: it looks at its values at its first call after a moment, and finds others at some of these, spread evenly.

    moments: after how many it was called."""
    cdef Function* function = &e.functions[f]
    cdef uint64_t n = begin_calls(e, f, calls), num = 0, den = 1, looks, others, before, i
    cdef bint was_marked = function.marked and function.state == VALID and n, again = False, even
    if n:
        e.part_of[f] = 0  # it is called
    if was_marked:
        revalidate(e, f)
    while n and function.state != GONE and not e.no_memory:
        if function.state != VALID:
            if not make_in_window(e, f, n, &num, &den):
                break
            was_marked, again = False, True
            continue
        looks = min(moments_of(e, c, f), n if moments == NONE else min(n, <uint64_t>moments))
        others = min(changes_of(e, c, f, &even), looks)
        before = floor_of(looks, num, den)
        i = middle_from(num, den, others) if others else 0
        num, den = 1, 1
        if i < others:
            num, den = 2 * i + 1, 2 * others
        before = floor_of(looks, num, den) - before
        if was_marked and before:
            before -= 1  # it was the first of these
        e.counts.revalidations += function.n_kept * before
        if i >= others:
            break
        e.counts.revalidations += function.n_kept
        e.key = e.change_object[c]
        drop(e, f, False, False)
        e.key = NONE
    if again:
        settle(e, c, f)
    function.in_window = False
    function.calls += n
    function.seen = e.time[e.event]


cdef void change_uncalled(Engine e, uint32_t c) noexcept nogil:
    """Drops the handles of functions that were not called in the window: of the others all drops are counted."""
    cdef uint32_t v, i, f, facet
    become(e, e.value_start[c], e.values_end[c])
    for v in range(e.value_start[c], e.values_end[c]):
        facet = e.value_facet[v]
        e.key = facet
        for i in range(prune(e, facet)):
            f = e.dependents[facet].edges[i].function
            if e.part_of[f] == NONE and e.functions[f].state == VALID:
                drop(e, f, e.value_same[v], False)
    e.key = NONE


cdef void settle(Engine e, uint32_t c, uint32_t f) noexcept nogil:
    """The handle was made in the window: it recorded what is there at its end, if it is still valid then."""
    cdef Function* function = &e.functions[f]
    cdef uint32_t v, i
    if e.mechanism == HEALING or function.state != VALID:
        return
    for v in range(e.value_start[c], e.values_end[c]):
        for i in range(function.n_kept):
            if function.kept[i].facet == e.value_facet[v]:
                function.kept[i].value = e.value_number[v]


cdef inline uint32_t key_of(Engine e, uint32_t v) noexcept nogil:
    """v: a value; by object, an object of the window."""
    return e.change_object[v] if e.by_object else e.value_facet[v]


cdef void hit(Engine e, uint32_t c, uint32_t f, uint32_t v) noexcept nogil:
    """A change in a window drops the handle, through value v; by object, through that object."""
    cdef bint needlessly, unrelated = False
    if e.by_object:
        stamp_changed(e, v)
        needlessly = not depends_on_changed(e, f)
        unrelated = e.value_start[v] == e.value_end[v]
    else:
        needlessly = e.value_same[v]
    e.key = key_of(e, v)
    drop(e, f, needlessly, unrelated)
    e.key = NONE


cdef void drop_often(Engine e, uint32_t c, uint32_t f, uint32_t v, uint64_t times) noexcept nogil:
    """Dropped and made again so many times."""
    cdef uint64_t n, changed = 0, named = 0
    cdef uint32_t i, key = key_of(e, v)
    e.drops[2 * key] += times
    e.key = key
    note(e, f, DROPPED, e.time[e.event], times)
    note(e, f, COMPILED, e.time[e.event], times)
    e.key = NONE
    e.counts.dropped += times
    e.counts.recompiled += times
    e.counts.cold_calls += times * e.hot_after
    e.counts.overwritten += times * e.points[f]
    if not e.by_object:
        count_needless(e, key, times * e.value_same[v])
        return
    n = e.change_moments[v]
    e.stamp += 1
    for i in range(e.functions[f].n_kept):
        e.facet_stamp[e.functions[f].kept[i].facet] = e.stamp
    for i in range(e.value_start[v], e.value_end[v]):
        named += e.value_moments[i]
        if e.facet_stamp[e.value_facet[i]] == e.stamp and not e.value_same[i]:
            changed += e.value_moments[i]
    count_needless(e, key, floor_of(times, n - min(n, changed), n))
    e.counts.unrelated_drops += floor_of(times, n - min(n, named), n)


cdef inline void count_needless(Engine e, uint32_t key, uint64_t times) noexcept nogil:
    e.counts.needlessly += times
    e.counts.undone += times
    e.drops[2 * key + 1] += times


cdef uint64_t changes_of(Engine e, uint32_t c, uint32_t f, bint* even) noexcept nogil:
    """How many changes of the window concern the handle: facets, or objects, that do have the stamp.

    `even`: they are spread evenly, all together."""
    cdef const Function* function = &e.functions[f]
    cdef uint64_t changes = 0, of_object, moments
    cdef uint32_t i, v
    even[0] = True
    if e.mechanism == BULK and e.by_object:
        stamp_objects(e, f)
        while c != NONE:
            moments = e.change_moments[c] if e.object_stamp[e.change_object[c]] == e.stamp else 0
            even[0] = even[0] and (not moments or not changes or changes == moments)
            changes = max(changes, moments)
            c = e.change_next[c]
        return changes
    e.stamp += 1
    for i in range(function.n_kept):
        e.facet_stamp[function.kept[i].facet] = e.stamp
    if e.mechanism == REVALIDATION:
        while c != NONE:
            of_object = 0
            for v in range(e.value_start[c], e.value_end[c]):
                if e.facet_stamp[e.value_facet[v]] == e.stamp and not e.value_same[v]:
                    of_object += e.value_moments[v]
            changes += min(of_object, <uint64_t>e.change_moments[c])
            c = e.change_next[c]
        return changes
    for v in range(e.value_start[c], e.values_end[c]):
        if e.facet_stamp[e.value_facet[v]] == e.stamp:
            even[0] = even[0] and (changes == 0 or changes == e.value_moments[v])
            changes = max(changes, <uint64_t>e.value_moments[v])
    return changes


cdef uint64_t moments_of(Engine e, uint32_t c, uint32_t f) noexcept nogil:
    """Those of all objects of the window that the handle depends on."""
    cdef uint64_t moments = 0
    stamp_objects(e, f)
    while c != NONE:
        if e.object_stamp[e.change_object[c]] == e.stamp:
            moments += e.change_moments[c]
        c = e.change_next[c]
    return moments


cdef void stamp_objects(Engine e, uint32_t f) noexcept nogil:
    """That the handle depends on."""
    cdef const Function* function = &e.functions[f]
    cdef uint32_t i, j, d
    e.stamp += 1
    for i in range(function.n_kept):
        d = function.kept[i].dependency
        for j in range(e.object_start[d], e.object_start[d + 1]):
            e.object_stamp[e.dependency_object[j]] = e.stamp


cdef uint32_t next_hit(
    Engine e, uint32_t c, uint32_t f, uint64_t changes, uint64_t* num, uint64_t* den
) noexcept nogil:
    """Move on to the first change from num / den on that concerns the handle; beyond 1: there is none.

    changes: all that concern it; what does has the stamp. Return the value, or the object.
    """
    cdef uint64_t k, a = num[0], b = den[0]
    cdef uint32_t v, found = c
    num[0], den[0] = 2, 1
    if e.by_object:
        while c != NONE:
            k = e.change_moments[c]
            if e.object_stamp[e.change_object[c]] == e.stamp and comes_first(a, b, k, num, den):
                found = c
            c = e.change_next[c]
    else:
        for v in range(e.value_start[c], e.values_end[c]):
            if e.facet_stamp[e.value_facet[v]] == e.stamp and comes_first(a, b, e.value_moments[v], num, den):
                found = v
    return found


cdef inline bint comes_first(uint64_t a, uint64_t b, uint64_t k, uint64_t* num, uint64_t* den) noexcept nogil:
    """Whether the first of k moments from a / b on comes before num / den, which it then is."""
    cdef uint64_t i = ceil_of(a, gaps(k), b)
    if i >= k or not is_before(i, gaps(k), num[0], den[0]):
        return False
    num[0], den[0] = i, gaps(k)
    return True


cdef void count_marks(Engine e, uint32_t c) noexcept nogil:
    """All changes of the window count, not only the one that marked."""
    cdef uint32_t o = e.change_object[c]
    if e.dependents[o].n == 0 or not e.limit[o]:
        return
    e.changes[o] += e.change_moments[c] - 2
    mark(e, c)


# --- one by one -------------------------------------------------------------------------------------------------------

cdef void add_part(Engine e, uint32_t f, uint64_t calls) noexcept nogil:
    cdef Part* part = &e.parts[e.n_parts]
    if e.part_of[f] != NONE:
        return
    e.part_of[f] = e.n_parts
    e.n_parts += 1
    part.function, part.num, part.den, part.is_made = f, 0, 1, False
    part.calls = begin_calls(e, f, calls)


cdef inline uint64_t count_of(Engine e, uint32_t v) noexcept nogil:
    """Of the changes of a key in the window, or 0 if they do not matter."""
    cdef uint32_t key = key_of(e, v)
    cdef const Facet* facet
    if e.mechanism == HEALING:
        facet = &e.facets[key]
        if e.value_same[v] or facet.recorded == e.value_number[v] and facet.is_recorded and facet.holds:
            return 0  # what is undone within a window, no drain has seen, or it would have been given up
    elif e.given_up[key]:
        return 0
    return e.change_moments[v] if e.by_object else e.value_moments[v]


cdef void go_through(Engine e, uint32_t c) noexcept nogil:
    """By object its changes stand for the keys, of which those that are not the first of an object have no moments."""
    cdef uint32_t first = e.value_start[c], last = e.values_end[c], i, v, key
    if e.by_object:
        first, last = c, e.window_end[c]
    e.n_parts = 0
    for i in range(e.spread_start[c], e.spread_end[c]):
        add_part(e, e.spread_function[i], e.spread_calls[i])
    for v in range(first, last):
        key = key_of(e, v)
        for i in range(prune(e, key)):
            add_part(e, e.dependents[key].edges[i].function, 0)
        if e.unwatches and e.dependents[key].n == 0 and e.change_moments[v]:
            fire_object(e, v)
    e.now_num, e.now_den = 0, 1
    while step(e, c, first, last) and not e.no_memory:
        pass
    for i in range(e.n_parts):
        end_part(e, c, &e.parts[i])


cdef void end_part(Engine e, uint32_t c, Part* part) noexcept nogil:
    cdef Function* function = &e.functions[part.function]
    cdef uint64_t left
    if function.state == WARMING or function.state == COLD and not function.bereft:
        left = floor_of(part.calls, part.den - part.num, part.den)
        e.counts.cold_calls += left
        function.cold += <uint32_t>left if function.state == COLD else 0
    if part.is_made:
        settle(e, c, part.function)
    function.in_window = False
    function.calls += part.calls
    function.seen = e.time[e.event]
    e.part_of[part.function] = NONE


cdef bint step(Engine e, uint32_t c, uint32_t first, uint32_t last) noexcept nogil:
    """What happens next in the window: a handle is made, or a change hits. False: nothing more."""
    cdef uint64_t num = 2, den = 1, to_go, k, j
    cdef uint32_t i, n, v, key, value = NONE, maker = NONE
    cdef Part* part
    for i in range(e.n_parts):
        part = &e.parts[i]
        to_go = calls_to_go(e, &e.functions[part.function])
        if to_go and part.calls:
            k, j = part.den * part.calls, part.num * part.calls + to_go * part.den
            if j <= k and is_before(j, k, num, den):
                num, den, maker = j, k, i
    for v in range(first, last):
        k = count_of(e, v)
        key = key_of(e, v)
        n = prune(e, key) if k else 0
        if k and not n and e.unwatches and e.watched[key] and comes_first(e.now_num, e.now_den, k, &num, &den):
            maker, value = NONE, v  # it counts, although another object has dropped the code
        for i in range(n):
            part = &e.parts[e.part_of[e.dependents[key].edges[i].function]]
            if e.functions[part.function].state != VALID:
                continue
            if comes_first(part.num, part.den, k, &num, &den):
                maker, value = NONE, v
    if num > den:
        return False
    e.now_num, e.now_den = num, den
    if maker != NONE:
        part = &e.parts[maker]
        e.counts.cold_calls += calls_to_go(e, &e.functions[part.function])
        part.num, part.den, part.is_made = num, den, True
        make(e, part.function)
        return True
    for i in range(e.n_parts):
        e.parts[i].was_valid = e.functions[e.parts[i].function].state == VALID
    if e.mechanism == HEALING:
        if e.value_inside[value]:
            changes_inside(e, value, object_of(e, c, value))
        else:
            break_facet(e, e.value_facet[value], object_of(e, c, value))
        drain(e)
    elif e.by_object:
        fire_object(e, value)
    else:
        fire_facet(e, value)
    for i in range(e.n_parts):
        part = &e.parts[i]
        if part.was_valid and e.functions[part.function].state != VALID:
            part.num, part.den = num, den
    return True


cdef uint32_t object_of(Engine e, uint32_t c, uint32_t v) noexcept nogil:
    """Of the window's objects the one that has the value."""
    while v >= e.value_end[c]:
        c = e.change_next[c]
    return c


cdef void heal_window(Engine e, uint32_t c) noexcept nogil:
    """As if a drain saw each change; what is recorded in between is a value that never comes back."""
    cdef uint32_t v, id
    for v in range(e.value_start[c], e.values_end[c]):
        if not e.value_same[v] and e.current[e.value_facet[v]] != e.value_number[v]:
            e.unknown -= 1
            e.current[e.value_facet[v]] = e.unknown
    go_through(e, c)
    for v in range(e.value_start[c], e.values_end[c]):
        id = e.value_facet[v]
        if e.facets[id].recorded == e.value_number[v] or not e.facets[id].holds:
            becomes(e, object_of(e, c, v), v)
        else:
            e.current[id] = e.value_number[v]
