"""Part of _core: references to facets, and what a compilation has read of them."""


@cython.final
@cython.auto_pickle(False)
cdef class FacetReference(Ours):
    """A facet. It stays watched, and its number its own, as long as this object lives."""

    cdef readonly uint32_t id  # NO_ID until facet() has found it, and while depwatch is switched off
    cdef tuple seen            # switched off: (owner, name, words, (value,) or ()); the facet was for one look

    def __cinit__(self):
        self.id = NO_ID

    def __dealloc__(self):
        if self.id != NO_ID:
            facet_unpin(self.id)

    def keep(self):
        """Keep the facet, and the ID of its object, until the object dies: that ID. Idempotent."""
        cdef Facet* facet = facet_given(self)
        if not facet.kept:
            facet.kept = True
            facet.pins += 1
        return facet.owner

    @property
    def kind(self):
        return KIND_NAMES[facet_given(self).kind]

    @property
    def owner(self):
        """The object, or None once it is dead."""
        cdef PyObject* owner
        if self.seen is not None:
            return self.seen[0]
        owner = object_at(facet_given(self).owner).address
        return None if owner == NULL else <object>owner

    def value(self):
        """(value now,), looked up if it is not known; () if it is missing."""
        cdef Facet* facet
        if self.seen is not None:
            return self.seen[3]
        facet = facet_given(self)
        if not facet.known:
            facet_look(self.id)
        return () if facet.current == NULL else (<object>facet.current,)

    cdef int look_once(self, owner, name) except -1:
        """Nothing would tell if the owner died: so the facet goes in the same step, before anything else runs."""
        cdef Facet* facet = facet_at(self.id)
        value = (None,) if not facet_has_value(facet) else () if facet.current == NULL else (<object>facet.current,)
        self.seen = (owner, name, words_of_facet(self.id), value)
        facet.pins -= 1
        facet_free_if_unused(self.id)
        self.id = NO_ID
        return 0

    def describe(self):
        """What of which object, in words."""
        if self.seen is not None:
            return self.seen[2]
        facet_given(self)
        return words_of_facet(self.id)


cdef Facet* facet_given(FacetReference reference) except NULL:
    if reference.seen is not None:
        raise (<object>Unwatchable_error)(f"{reference.seen[2]}: {SWITCHED_OFF}")
    if reference.id == NO_ID:
        raise TypeError("a FacetReference that was made by hand: facet() makes them")
    return facet_at(reference.id)


cdef object facet_name(FacetReference reference):
    cdef PyObject* name
    if reference.seen is not None:
        return reference.seen[1]
    name = facet_at(reference.id).name
    return None if name == NULL else <object>name


cdef Cell* cell_of(FacetReference reference, CellKind kind) except? NULL:
    """A cell of the facet, with one user more. A guard cell is of the value that is recorded now. Switched off: a cell of no
    facet; NULL if the value does not fit. Raises Unwatchable."""
    if reference.seen is not None:
        return cell_of_nothing(kind, <PyObject*>reference.seen[3][0]) if reference.seen[3] else NULL
    if not facet_given(reference).known:
        facet_look(reference.id)
    refuse_lazy_import(reference.id)
    return cell_use(reference.id, kind)


def facet(str kind, owner, str name=None, fallback=None):
    """That facet of owner, watched from now on until nobody needs it. Raises Unwatchable."""
    name = None if name is None else interned(name)
    reference = <FacetReference>FacetReference.__new__(FacetReference)
    reference.id = facet_get(KINDS_BY_NAME[kind], <PyObject*>owner, NULL if fallback is None else <PyObject*>fallback,
                             NULL if name is None else <PyObject*>name)
    if switched_off:
        reference.look_once(owner, name)
    return reference


@cython.auto_pickle(False)
cdef class Assumptions(Ours):
    """What one compilation has read, and its patch points. Facets stay watched as long as it lives, or until it is committed
    or closed: then every call but close() raises Released. The base of depwatch.Recorder.
    """

    cdef Assumption* items       # owned
    cdef uint32_t count
    cdef uint32_t capacity
    cdef uint64_t generations    # of the service, before the earliest read
    cdef unsigned unstable_after # breaks
    cdef bint identity           # an equal value is another one
    cdef bint begun              # by __init__
    cdef bint closed
    cdef str given_name
    cdef list cells              # patch points, for the handle

    def __cinit__(self, *args, **kwargs):
        self.closed = True
        self.cells = []
        self.given_name = "?"

    def begin(self, str name, unsigned unstable_after, bint identity):
        """Once, by __init__."""
        if self.begun:
            raise TypeError(f"recorder {self.given_name!r} was initialised before: make a new one")
        self.begun = True
        self.given_name = name
        self.unstable_after, self.identity = unstable_after, identity
        self.closed = False

    def __dealloc__(self):
        self.let_go()

    cdef int let_go(self) noexcept:
        cdef uint32_t i
        for i in range(self.count):
            facet_unread(self.items[i].facet)
        self.count = self.capacity = 0
        PyMem_Free(self.items)
        self.items = NULL
        self.closed = True
        return 0

    cdef int check_open(self) except -1:
        if self.closed:
            raise released(f"recorder {self.given_name!r} was committed or closed; make a new one for each compilation")
        return 0

    cdef int open_and_settled(self) except -1:
        """Drains, so that breaks are counted and old values looked at again. What that calls may close the recorder."""
        self.check_open()
        drain_now()
        return self.check_open()

    def check(self):
        """Raises Released if it was committed or closed; drains."""
        self.open_and_settled()

    @property
    def name(self):
        """For messages."""
        return self.given_name

    @property
    def reads(self):
        """How many facets were read so far; one read can record several (a global: the builtins behind it, too).

        They are numbered in the order of reading: those of a read lie between this number before and after it.
        """
        return self.count

    cdef int reserve(self) except -1:
        cdef Assumption* items
        cdef uint32_t capacity
        if self.count < self.capacity:
            return 0
        capacity = 16 if self.capacity == 0 else 2 * self.capacity
        items = <Assumption*>PyMem_Realloc(self.items, capacity * sizeof(Assumption))
        if items == NULL:
            raise MemoryError()
        self.items = items
        self.capacity = capacity
        return 0

    def read_facet(self, FacetReference reference):
        """Drain, read the facet and record its value: (value,), or () if it is missing. Raises Unstable, Unwatchable,
        Released."""
        return self.record(reference)

    cdef tuple record(self, FacetReference reference):
        cdef uint32_t generation = 0
        cdef uint64_t generations
        cdef PyObject* value
        if reference.seen is not None:
            self.open_and_settled()
            return reference.seen[3]
        facet_given(reference)
        self.open_and_settled()
        generations = service.generations  # reading can run Python, and that can read here too
        value = facet_read(reference.id, self.unstable_after, self.identity, &generation)
        if value == NULL:
            return ()
        try:
            owned = (<object>value,)
            self.check_open()
            self.reserve()  # not before: reading can run Python, and that can read here too
        except BaseException:
            facet_unread(reference.id)
            raise
        finally:
            Py_DECREF_stolen(value)
        self.items[self.count] = Assumption(reference.id, generation)
        if self.count == 0 or generations < self.generations:
            self.generations = generations
        self.count += 1
        return owned

    def forget(self, FacetReference reference):
        """Take back the last assumption about this facet; not simply the last one, as a drain may have come between."""
        if reference.seen is None:
            facet_given(reference)
        self.take_back(reference.id)

    cdef int take_back(self, uint32_t facet) noexcept:
        """Needs no memory, not even to look for a method of the same name in a subclass."""
        cdef uint32_t i = self.count
        while i > 0:
            i -= 1
            if self.items[i].facet == facet:
                self.count -= 1
                memmove(&self.items[i], &self.items[i + 1], (self.count - i) * sizeof(Assumption))
                facet_unread(facet)
                break
        return 0

    def new_value_cell(self, FacetReference reference, str kind):
        """A value cell of the facet, for the handle; None if the value now does not fit."""
        self.check_open()
        cell = <ValueCell>ValueCell.__new__(ValueCell)
        cell.cell = cell_of(reference, CELL_KINDS[kind])  # a look can run Python
        self.check_open()  # cell goes again
        if cell.cell == NULL or not (cell.cell.guard or switched_off):
            return None
        cell.given_name = facet_name(reference)
        self.cells.append(cell)
        return cell

    def new_guard_cell(self, FacetReference reference):
        """A guard cell of the value now, for the handle; None if it is missing. The facet is no assumption."""
        return self.guard(reference, <GuardCell>GuardCell.__new__(GuardCell), 0, 0)

    def new_jump_label(self, FacetReference reference, uintptr_t address, uintptr_t target):
        """A jump label of the value now, for the handle; None if it is missing. The facet is no assumption."""
        return self.guard(reference, <JumpLabel>JumpLabel.__new__(JumpLabel), address, target)

    cdef object guard(self, FacetReference reference, CellReference made, uintptr_t address, uintptr_t target):
        made = self.guarded(reference, made, address, target)
        if made is not None:
            self.check_open()
            self.cells.append(made)
        return made

    cdef CellReference guarded(self, FacetReference reference, CellReference made, uintptr_t address, uintptr_t target):
        """made, with a cell or label of the value now; None if it is missing. The facet is no assumption."""
        value = self.record(reference)
        if not value:
            return None
        try:
            made.cell = cell_of(reference, CELL_GUARD)
            made.given_name = facet_name(reference)
            if type(made) is JumpLabel:
                (<JumpLabel>made).patch(address, target)
            made.assume(value[0])
        finally:
            self.take_back(reference.id)
        return made

    cdef object stale(self, uint32_t witness):
        """The error; the witness is one of what was read."""
        return StaleError(f"{words_of_facet(self.items[witness].facet)} changed since it was read for "
                            f"{self.given_name!r}; compile again")

    cdef uint16_t limit(self) noexcept:
        return <uint16_t>min(self.unstable_after, 0xffffu)

    def commit_one(self, artifact, on_invalidate, on_resume, on_retire):
        """The Handle of all that was read, in one step; the recorder is closed. Raises Stale: it is closed, too."""
        cdef uint32_t witness = 0
        self.open_and_settled()
        handle = <Handle>Handle.__new__(Handle)
        points = patch_points(self.cells, 1)
        make_room(1)
        error = None
        number = handle_commit(self.items, self.count, self.limit(), &witness)
        if number == NO_ID:
            error = self.stale(witness)
            self.drop()
            raise error
        handle.take(number, self.given_name, artifact, on_invalidate, on_resume, on_retire, points)
        holders[number] = handle
        self.cells = None
        self.let_go()
        return handle

    def commit_many_at_once(self, offsets, reads, artifacts, on_invalidate, on_resume, on_retire):
        """The Handles, the i-th of what was read as number reads[offsets[i]] to reads[offsets[i + 1] - 1], in one step. Raises
        Stale; ValueError for offsets or numbers out of range. offsets: a buffer of uint64; reads: of uint32.
        """
        cdef Py_buffer offsets_given, reads_given
        PyObject_GetBuffer(offsets, &offsets_given, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(reads, &reads_given, PyBUF_SIMPLE)
            try:
                return self.commit_pieces(&offsets_given, &reads_given, artifacts, on_invalidate, on_resume, on_retire)
            finally:
                PyBuffer_Release(&reads_given)
        finally:
            PyBuffer_Release(&offsets_given)

    cdef Handles commit_pieces(self, const Py_buffer* offsets_given, const Py_buffer* reads_given, artifacts, on_invalidate,
                               on_resume, on_retire):
        cdef const uint64_t* offsets = <const uint64_t*>offsets_given.buf
        cdef const uint32_t* reads = <const uint32_t*>reads_given.buf
        cdef uint32_t witness = NO_ID
        cdef Py_ssize_t i, n
        self.open_and_settled()
        n = check_offsets(offsets, offsets_given.len // 8, reads, reads_given.len // 4, self.count)
        handles = <Handles>Handles.__new__(Handles)
        handles.reserve(<uint32_t>n)
        points, cells = patch_points(self.cells, <uint32_t>n), []
        make_room(n)
        if n and not handles_commit(self.items, self.generations, <uint32_t>n, offsets, reads, self.limit(), handles.numbers,
                                    &witness):
            raise self.stale(witness)
        handles.take(<uint32_t>n, self.given_name, artifacts, on_invalidate, on_resume, on_retire, points)
        for i in range(n):
            holders[handles.numbers[i]] = handles
        if n:
            self.cells = cells
        return handles

    cdef int drop(self) except -1:
        """What was recorded and the patch points, without a handle."""
        cells, self.cells = self.cells, None
        self.let_go()
        release_cells(cells)
        return 0

    def close(self):
        """Drop what was recorded, without a handle. Idempotent."""
        if not self.closed:
            self.drop()


cdef Py_ssize_t check_offsets(const uint64_t* offsets, Py_ssize_t n_offsets, const uint32_t* reads, Py_ssize_t n_reads,
                              uint32_t n_read) except -1:
    """How many handles these make: offsets cut reads into as many pieces."""
    cdef Py_ssize_t i
    if n_offsets == 0 or n_offsets > NO_ID or offsets[0] != 0 or offsets[n_offsets - 1] != <size_t>n_reads:
        raise ValueError(f"offsets must go from 0 to the number of reads, which is {n_reads}: one more than there are handles")
    for i in range(1, n_offsets):
        if offsets[i] < offsets[i - 1]:
            raise ValueError(f"offsets[{i}] is {offsets[i]}, less than the one before ({offsets[i - 1]}): they must ascend")
    for i in range(n_reads):
        if reads[i] >= n_read:
            raise ValueError(f"reads[{i}] is {reads[i]}; this recorder has read {n_read} facets, from number 0 on")
    return n_offsets - 1
