# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One policy over all events of a trace, in C: see events.py for what it runs over, lineup.py for the policies.

A function is cold until it has been called hot_after times; then it is made: it gets a handle, which is valid until the
policy says otherwise, and edges in the lists of what it depends on. An edge counts while its function still has the
handle that it was made for (`made`), so that dropping a handle costs nothing but a new number.
"""

cimport cython
from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

import numpy as np

cpdef enum Mechanism:
    BULK = 0  # a change drops all handles that depend on its key
    GRANULAR = 1  # it rewrites one place in each
    REVALIDATION = 2  # it marks them: at their next call they compare what they recorded
    HEALING = 3  # depwatch: it breaks them, and they hold again when the value is back

cdef struct Counts:
    uint64_t dropped  # handles invalidated
    uint64_t needlessly  # of these, no recorded value had changed
    uint64_t undone  # of these, all recorded values were there when the code would be compiled again, or in the end
    uint64_t resumed  # handles valid again without being made anew
    uint64_t recompiled  # handles made anew after they were dropped
    uint64_t patches
    uint64_t deopts  # places that leave the code from now on
    uint64_t revalidations  # recorded values compared
    uint64_t guards  # executed: one for each patchable dependency at each call
    uint64_t cold_calls
    uint64_t deopt_calls  # of handles with a place that leaves the code
    uint64_t false_drops  # by a filter that took one object for another
    uint64_t overwritten  # invalidation points of dropped handles: what it takes to drop them safely for the stack
    uint64_t unrelated_drops  # by changes of what nobody depends on
    uint64_t hot_functions
    uint64_t calls

cdef enum:
    NONE = 0xffffffff
    N_COLUMNS = 16  # of Counts
    BINS = 64
    BASE_DEPENDENCIES = 3  # every executor of CPython has about so many besides

cdef enum:  # the events of events.Op
    OP_CALLS = 0
    OP_RESOLVED
    OP_CHANGE
    OP_DRAIN
    OP_FUNCTION_GONE
    OP_OBJECT_GONE
    OP_LOST

cdef enum:  # states of a function
    WARMING = 0
    VALID
    COLD
    GONE

cdef struct Edge:
    uint32_t function
    uint32_t made  # of the handle that this edge belongs to
    int64_t value  # granular: what was recorded; healing: since when it holds, in ns
    uint8_t patchable
    uint8_t deopted

cdef struct Dependents:
    Edge* edges  # owned
    uint32_t n
    uint32_t room

cdef struct Kept:
    uint32_t dependency
    uint32_t facet
    int64_t value  # revalidation: what was recorded; healing: since when it holds, in ns

cdef struct Function:
    uint64_t calls
    uint64_t seen  # the time at which that was known
    uint32_t set  # what it would depend on now
    uint32_t made  # a number for each handle that it has had
    uint32_t cold  # calls since it was dropped
    uint32_t broken  # healing: assumptions of its handle
    Kept* kept  # owned: what its handle depends on
    uint32_t n_kept
    uint32_t room
    uint32_t n_patchable
    uint32_t n_deopted  # places in its handle that leave the code
    uint32_t place  # in `alive`
    int64_t bereft_at  # the event at which it was
    uint8_t state
    uint8_t bereft  # an object died that its handle depends on: a new one is made at the next call, which is no change
    uint8_t marked  # revalidation: at its next call
    uint8_t in_window  # it is called in the one that is gone through
    uint8_t pending  # it was dropped, and whether that is undone is to be seen
    uint8_t retired  # healing
    uint8_t told  # healing: that it is not valid
    uint8_t was_hot
    uint8_t touched  # healing: a drain looks at it
    uint64_t filter[4]

cdef struct Facet:  # healing
    int64_t recorded
    int64_t since  # the time at which it held again
    uint32_t breaks
    uint32_t change  # that broke it
    int64_t broke_at  # the event
    uint8_t is_recorded
    uint8_t holds
    uint8_t counted
    uint8_t mends  # the next drain finds that it holds again
    uint8_t inside  # what was recorded has changed in place since the last drain
    uint8_t touched
    uint8_t is_dead
    uint8_t told  # the break was counted

cdef struct Break:
    int64_t event
    uint32_t change
    uint32_t facet
    uint32_t handles  # hit

cpdef enum Step:  # in the history of a function
    COMPILED, DROPPED, RESUMED


cdef struct Stepped:
    int64_t time, event
    uint64_t times
    uint32_t function, step, key


cdef struct Part:  # one function in a window
    uint32_t function
    uint64_t calls  # in the window
    uint64_t num, den  # since when it is what it is: a share of the window
    uint8_t was_valid
    uint8_t is_made  # a handle, in this window


def _columns():
    cdef Counts counts
    memset(&counts, 0, sizeof(counts))
    return tuple(counts)

COLUMNS = _columns()  # of what Engine.run returns
assert len(COLUMNS) == N_COLUMNS


cdef void* address(array) except NULL:
    """Where the numbers of an array are, for as long as it lives. Not a memory view: these are a third of a module."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_ANY_CONTIGUOUS)
    PyBuffer_Release(&view)
    return view.buf


@cython.final
cdef class Engine:
    """Construct it, run() once, read the rest."""

    cdef list _arrays  # keep what the pointers point to
    # the trace: borrowed
    cdef const uint8_t* op
    cdef const uint32_t* what
    cdef const uint64_t* number
    cdef const uint64_t* time
    cdef const uint32_t* set_function
    cdef const uint32_t* set_start
    cdef const uint32_t* dependency_facet
    cdef const uint32_t* dependency_via
    cdef const int64_t* dependency_value
    cdef const uint8_t* dependency_patchable
    cdef const uint32_t* object_start
    cdef const uint32_t* dependency_object
    cdef const uint32_t* change_object
    cdef const uint32_t* change_moments
    cdef const uint32_t* change_next
    cdef const uint32_t* window_end
    cdef const uint8_t* change_is_window
    cdef const uint8_t* change_in_place
    cdef const uint32_t* value_start
    cdef const uint32_t* value_end
    cdef const uint32_t* values_end  # of all objects of the window
    cdef const uint32_t* value_facet
    cdef const uint32_t* value_count
    cdef const uint32_t* value_moments
    cdef const int64_t* value_number
    cdef const uint8_t* value_same
    cdef const uint8_t* value_inside
    cdef const uint32_t* spread_start
    cdef const uint32_t* spread_end
    cdef const uint32_t* spread_function
    cdef const uint64_t* spread_calls
    cdef const uint32_t* spread_moments
    cdef const uint32_t* points
    cdef const uint32_t* functions_of_start
    cdef const uint32_t* functions_of
    cdef uint32_t n_functions, n_objects, n_facets, n_keys, n_sets
    cdef int64_t n_events
    # the policy
    cdef Mechanism mechanism
    cdef bint by_object, bloom, unwatches
    cdef uint32_t hot_after
    cdef const uint32_t* limit  # of each key: the change that gives it up; 0: it never is
    # state: owned
    cdef Function* functions
    cdef Facet* facets
    cdef Dependents* dependents  # of each key
    cdef uint32_t* changes  # of each key that hit a handle
    cdef uint8_t* given_up
    cdef uint8_t* watched  # where dicts are given up: a handle was made since the key's last change
    cdef uint64_t* drops  # of each key: handles that it dropped, and of these, needlessly
    cdef uint32_t key  # that is dropping them
    cdef uint8_t* object_dead
    cdef int64_t* current  # value of each facet
    cdef uint32_t* facet_stamp  # what was left out while making, or changed now: equal to stamp
    cdef uint32_t* object_stamp
    cdef uint32_t* carry_stamp
    cdef int64_t* carried
    cdef uint32_t stamp
    cdef uint32_t* alive  # bloom: functions with a valid handle
    cdef uint32_t n_alive
    cdef Part* parts
    cdef uint32_t* part_of
    cdef uint32_t n_parts
    cdef uint64_t now_num, now_den  # a share of the window
    cdef uint32_t* touched_facets
    cdef uint32_t n_touched_facets
    cdef uint32_t* touched_functions
    cdef uint32_t n_touched_functions
    cdef int64_t* made_at  # of each set: the event at which a handle was first made of it
    cdef uint32_t* restores
    cdef Break* breaks
    cdef size_t n_breaks, room_breaks
    cdef uint64_t held[BINS]  # dependencies, by the logarithm of ns
    cdef uint64_t broke[BINS]
    cdef int64_t event  # under way
    cdef int64_t moment  # the time at which a handle is made, about
    cdef int64_t unknown  # the next value that is like no other
    cdef bint no_memory
    cdef bint keeps_history
    cdef Stepped* history
    cdef size_t n_history, room_history
    cdef Counts counts
    cdef uint64_t in_windows[N_COLUMNS]

    def __cinit__(self, events, Mechanism mechanism, bint by_object, uint32_t hot_after, limits, bint bloom):
        """limits: for each key (an object, or a facet), after how many changes it is given up; 0: never."""
        self._arrays = []
        self.op = self.u8(events.op)
        self.what = self.u32(events.what)
        self.number = self.u64(events.number)
        self.time = self.u64(events.time)
        self.set_function = self.u32(events.set_function)
        self.set_start = self.u32(events.set_start)
        self.dependency_facet = self.u32(events.dependency_facet)
        self.dependency_via = self.u32(events.dependency_via)
        self.dependency_value = self.i64(events.dependency_value)
        self.dependency_patchable = self.u8(events.dependency_patchable)
        self.object_start = self.u32(events.object_start)
        self.dependency_object = self.u32(events.dependency_object)
        self.change_object = self.u32(events.change_object)
        self.change_moments = self.u32(events.change_moments)
        self.change_next = self.u32(events.change_next)
        self.window_end = self.u32(events.window_end)
        self.change_is_window = self.u8(events.change_is_window)
        self.change_in_place = self.u8(events.change_in_place)
        self.value_start = self.u32(events.value_start)
        self.value_end = self.u32(events.value_start[1:][events.change_last])
        self.values_end = self.u32(events.value_start[events.window_end])
        self.value_facet = self.u32(events.value_facet)
        self.value_count = self.u32(events.value_count)
        self.value_moments = self.u32(events.value_moments)
        self.value_number = self.i64(events.value_number)
        self.value_same = self.u8(events.value_same)
        self.value_inside = self.u8(events.value_inside)
        self.spread_start = self.u32(events.spread_start)
        self.spread_end = self.u32(events.spread_start[1:])
        self.spread_function = self.u32(events.spread_function)
        self.spread_calls = self.u64(events.spread_calls)
        self.spread_moments = self.u32(events.spread_moments)
        self.points = self.u32(events.points)
        self.functions_of_start = self.u32(events.functions_of_start)
        self.functions_of = self.u32(events.functions_of)
        self.limit = self.u32(limits)
        self.n_functions, self.n_objects, self.n_facets = events.counts
        self.n_keys = self.n_objects if by_object else self.n_facets
        self.n_sets = len(events.set_function)
        self.n_events = len(events.op)
        if len(limits) != self.n_keys:
            raise ValueError(f"{len(limits)} limits, for {self.n_keys} keys")
        self.mechanism, self.by_object, self.hot_after = mechanism, by_object, hot_after
        self.bloom = bloom
        self.unwatches = by_object and mechanism == BULK and bool(np.any(limits))
        self.key = NONE
        self.functions = <Function*>zeros(self.n_functions, sizeof(Function))
        self.facets = <Facet*>zeros(self.n_facets, sizeof(Facet))
        self.dependents = <Dependents*>zeros(self.n_keys, sizeof(Dependents))
        self.changes = <uint32_t*>zeros(self.n_keys, 4)
        self.given_up = <uint8_t*>zeros(self.n_keys, 1)
        self.watched = <uint8_t*>zeros(self.n_keys, 1)
        self.drops = <uint64_t*>zeros(self.n_keys, 16)
        self.object_dead = <uint8_t*>zeros(self.n_objects, 1)
        self.current = <int64_t*>zeros(self.n_facets, 8)
        self.facet_stamp = <uint32_t*>zeros(self.n_facets, 4)
        self.carry_stamp = <uint32_t*>zeros(self.n_facets, 4)
        self.carried = <int64_t*>zeros(self.n_facets, 8)
        self.object_stamp = <uint32_t*>zeros(self.n_objects, 4)
        self.alive = <uint32_t*>zeros(self.n_functions, 4)
        self.parts = <Part*>zeros(self.n_functions, sizeof(Part))
        self.part_of = <uint32_t*>zeros(self.n_functions, 4)
        self.touched_facets = <uint32_t*>zeros(self.n_facets, 4)
        self.touched_functions = <uint32_t*>zeros(self.n_functions, 4)
        self.made_at = <int64_t*>zeros(self.n_sets, 8)
        self.restores = <uint32_t*>zeros(self.n_facets, 4)
        self.unknown = -(<int64_t>1 << 40)
        cdef uint32_t i
        for i in range(self.n_facets):
            self.current[i] = -(<int64_t>1 << 41)  # not given yet
            self.facets[i].holds = True
        for i in range(self.n_functions):
            self.functions[i].set = NONE
        memset(self.part_of, 0xff, <size_t>self.n_functions * 4)
        memset(self.made_at, 0xff, <size_t>self.n_sets * 8)

    def __dealloc__(self):
        cdef uint32_t i
        if self.functions != NULL:
            for i in range(self.n_functions):
                free(self.functions[i].kept)
        if self.dependents != NULL:
            for i in range(self.n_keys):
                free(self.dependents[i].edges)
        free(self.functions)
        free(self.facets)
        free(self.dependents)
        free(self.changes)
        free(self.given_up)
        free(self.watched)
        free(self.drops)
        free(self.object_dead)
        free(self.current)
        free(self.facet_stamp)
        free(self.carry_stamp)
        free(self.carried)
        free(self.object_stamp)
        free(self.alive)
        free(self.parts)
        free(self.part_of)
        free(self.touched_facets)
        free(self.touched_functions)
        free(self.made_at)
        free(self.restores)
        free(self.breaks)
        free(self.history)

    cdef const uint8_t* u8(self, array) except NULL:
        return <const uint8_t*>address(self.keep(array, np.uint8))

    cdef const uint32_t* u32(self, array) except NULL:
        return <const uint32_t*>address(self.keep(array, np.uint32))

    cdef const uint64_t* u64(self, array) except NULL:
        return <const uint64_t*>address(self.keep(array, np.uint64))

    cdef const int64_t* i64(self, array) except NULL:
        return <const int64_t*>address(self.keep(array, np.int64))

    cdef object keep(self, array, type):
        if not len(array):
            array = np.zeros(1, type)  # an address is needed, and never read
        kept = np.ascontiguousarray(array, type)
        self._arrays.append(kept)
        return kept

    def run(self, stops):
        """Go through all events; return what had been counted before each of these, a row each, and at the end."""
        cdef const int64_t* ends = self.i64(np.append(np.asarray(stops, np.int64), self.n_events))
        cdef Py_ssize_t i, last = len(stops)
        counted = np.zeros((last + 1, N_COLUMNS), np.uint64)
        cdef Counts* row = <Counts*>address(counted)
        with nogil:
            for i in range(last + 1):
                run_to(self, min(ends[i], self.n_events))
                if i == last:
                    ends_here(self)
                row[i] = self.counts
        if self.no_memory:
            raise MemoryError
        return counted

    def keep_history(self):
        """Before run(): what becomes of each function is kept, for steps()."""
        self.keeps_history = True

    def steps(self):
        """(time, event, function, Step, times, key), a row for each handle that was made, dropped, or is valid again.

        times: drops in a window are one row; then so many handles were made and dropped by its end. key: that dropped it, of a
        policy that drops at once."""
        rows = np.zeros((self.n_history, 6), np.int64)
        cdef int64_t* row = <int64_t*>address(rows)
        cdef size_t i
        for i in range(self.n_history):
            row[0], row[1] = self.history[i].time, self.history[i].event
            row[2], row[3] = self.history[i].function, self.history[i].step
            row[4], row[5] = self.history[i].times, self.history[i].key
            row += 6
        return rows

    def spread(self):
        """Which columns rest in part on changes that are spread evenly over a window."""
        return [self.in_windows[i] != 0 for i in range(N_COLUMNS)]

    def unguarded(self):
        """How many dependencies hot functions would have and do not, as they were given up; in how many functions."""
        return unguarded(self)

    def sets_made(self):
        """For each set the event at which the first handle was made of it, or -1."""
        return np.array([self.made_at[i] for i in range(self.n_sets)], np.int64)

    def breaks_counted(self):
        """(event, change, facet, handles hit), a row for each break that a drain saw."""
        rows = np.zeros((self.n_breaks, 4), np.int64)
        cdef int64_t* row = <int64_t*>address(rows)
        cdef size_t i
        for i in range(self.n_breaks):
            row[0], row[1] = self.breaks[i].event, self.breaks[i].change
            row[2], row[3] = self.breaks[i].facet, self.breaks[i].handles
            row += 4
        return rows

    def restores_counted(self):
        """For each facet, how many of its breaks were undone."""
        return np.array([self.restores[i] for i in range(self.n_facets)], np.int64)

    def drops_counted(self):
        """For each key (handles that its changes dropped, of these needlessly)."""
        return np.array([(self.drops[2 * i], self.drops[2 * i + 1]) for i in range(self.n_keys)], np.int64).reshape(-1, 2)

    def lifetimes(self):
        """(that broke, that still held), each by how long dependencies had held: 2^i to 2^(i + 1) ns."""
        return [self.broke[i] for i in range(BINS)], [self.held[i] for i in range(BINS)]


cdef void* zeros(size_t n, size_t size) except NULL:
    cdef void* owned = calloc(n + 1, size)
    if owned == NULL:
        raise MemoryError
    return owned


cdef void note(Engine e, uint32_t f, Step step, int64_t time, uint64_t times=1) noexcept nogil:
    cdef Stepped* history
    cdef size_t room
    if not e.keeps_history:
        return
    if e.n_history == e.room_history:
        room = 2 * e.room_history + 64
        history = <Stepped*>realloc(e.history, room * sizeof(Stepped))
        if history == NULL:
            e.no_memory = True
            return
        e.history, e.room_history = history, room
    history = &e.history[e.n_history]
    e.n_history += 1
    history.time, history.event, history.function, history.step = time, e.event, f, step
    history.times, history.key = times, e.key


include "handles.pxi"
include "changes.pxi"
include "healing.pxi"
include "windows.pxi"


cdef void run_to(Engine e, int64_t end) noexcept nogil:
    cdef uint32_t what
    cdef int op
    while e.event < end and not e.no_memory:
        op, what = e.op[e.event], e.what[e.event]
        if op == OP_CALLS:
            advance(e, what, e.number[e.event])
        elif op == OP_CHANGE:
            if e.change_is_window[what]:
                window(e, what)
            else:
                change(e, what)
        elif op == OP_DRAIN:
            if e.mechanism == HEALING:
                drain(e)
        elif op == OP_RESOLVED:
            resolve(e, what, e.number[e.event])
        elif op == OP_FUNCTION_GONE:
            function_gone(e, what)
        elif op == OP_OBJECT_GONE:
            object_gone(e, what)
        elif e.mechanism == HEALING:
            value_lost(e, what, <int64_t>e.number[e.event])
        e.event += 1


cdef void ends_here(Engine e) noexcept nogil:
    """What happened and was not delivered is, and what still holds has held up to now."""
    cdef uint32_t f
    for f in range(e.n_functions):
        see_undone(e, f)
    if e.mechanism != HEALING or not e.n_events:
        return
    e.event = e.n_events - 1
    drain(e)
    for f in range(e.n_functions):
        if e.functions[f].state != GONE:
            let_go(e, f, NONE)
