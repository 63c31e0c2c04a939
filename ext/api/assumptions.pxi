"""Part of _core: references to facets, and the assumptions that one compilation has recorded."""


@cython.final
@cython.auto_pickle(False)
cdef class FacetReference(Ours):
    """A reference to a facet: as long as this object lives the facet stays watched, and its number means no other facet."""

    cdef readonly uint32_t id  # NO_ID until facet() has found the facet, and if depwatch is switched off
    cdef tuple seen            # if depwatch is switched off, what one look found: (owner, name, words, (value,) or ())

    def __cinit__(self):
        self.id = NO_ID

    def __dealloc__(self):
        if self.id != NO_ID:
            facet_unpin(self.id)

    def keep(self):
        """Keep the facet, and so the ID of its object, until the object dies. Returns that ID. Idempotent."""
        cdef Facet* facet = facet_given(self)
        if not facet.kept:
            facet.kept = True
            rest_of(facet).pins += 1
        return rest_of(facet).owner

    @property
    def kind(self):
        return KIND_NAMES[facet_given(self).kind]

    @property
    def owner(self):
        """The object, or None once it is dead."""
        cdef PyObject* owner
        if self.seen is not None:
            return self.seen[0]
        owner = object_at(rest_of(facet_given(self)).owner).address
        return None if owner == NULL else <object>owner

    def value(self):
        """(value now,), looked up if it is unknown; () if the name is missing."""
        cdef Facet* facet
        if self.seen is not None:
            return self.seen[3]
        facet = facet_given(self)
        if not facet.known:
            facet_look(self.id)
        return () if facet_value(facet) == NULL else (<object>facet_value(facet),)

    cdef int look_once(self, owner, name) except -1:
        """Keep what the facet is now, and free the facet at once: depwatch is switched off, so it would not learn that the
        owner died."""
        cdef Facet* facet = facet_at(self.id)
        value = (None,) if not facet_has_value(facet) else () if facet_value(facet) == NULL else (<object>facet_value(facet),)
        self.seen = (owner, name, words_of_facet(self.id), value)
        rest_of(facet).pins -= 1
        facet_free_if_unused(self.id)
        self.id = NO_ID
        return 0

    def describe(self):
        """What of which object the facet is, in words."""
        if self.seen is not None:
            return self.seen[2]
        facet_given(self)
        return words_of_facet(self.id)


cdef Facet* facet_given(FacetReference reference) except NULL:
    if reference.seen is not None:
        raise (<object>Unwatchable_error)(f"{reference.seen[2]}: {SWITCHED_OFF}")
    if reference.id == NO_ID:
        raise TypeError("this FacetReference was not made by depwatch: pass one that facet() returned")
    return facet_at(reference.id)


cdef object facet_name(FacetReference reference):
    cdef PyObject* name
    if reference.seen is not None:
        return reference.seen[1]
    name = facet_rest_at(reference.id).name
    return None if name == NULL else <object>name


cdef Cell* cell_of(FacetReference reference, CellKind kind) except? NULL:
    """A cell of the facet, with one user added. A guard cell guards the value that is recorded now. If depwatch is switched
    off: a cell without a facet, or NULL if the value does not fit. Raises Unwatchable."""
    if reference.seen is not None:
        return cell_of_nothing(kind, <PyObject*>reference.seen[3][0]) if reference.seen[3] else NULL
    if not facet_given(reference).known:
        facet_look(reference.id)
    refuse_lazy_import(reference.id)
    return cell_use(reference.id, kind)


def facet(str kind, owner, str name=None, fallback=None):
    """A reference to that facet of owner, which depwatch watches from now on. Raises Unwatchable."""
    name = None if name is None else interned(name)
    reference = <FacetReference>FacetReference.__new__(FacetReference)
    reference.id = facet_get(KINDS_BY_NAME[kind], <PyObject*>owner, NULL if fallback is None else <PyObject*>fallback,
                             NULL if name is None else <PyObject*>name)
    if switched_off:
        reference.look_once(owner, name)
    return reference


@cython.auto_pickle(False)
cdef class Assumptions(Ours):
    """What one compilation has read, and its patch points: the base of depwatch.Recorder. depwatch watches the facets until
    this object is committed, closed or freed. After a commit or close() every other call raises Released.
    """

    cdef Assumption* items       # owned
    cdef uint32_t count
    cdef uint32_t capacity
    cdef uint64_t generations    # service.generations before the earliest read
    cdef uint64_t breaks         # service.breaks likewise
    cdef unsigned unstable_after # limit of breaks of a facet
    cdef bint identity           # whether an equal value counts as another one
    cdef bint begun              # whether __init__ was called
    cdef bint closed
    cdef str given_name
    cdef list cells              # the patch points, which the handle gets
    cdef bint allows_undone      # for commit() of the C API
    cdef readonly bint recompiled  # whether the last commit made code anew, for a handle of this name that broke or retired

    def __cinit__(self, *args, **kwargs):
        self.closed = True
        self.cells = []
        self.given_name = "?"

    def begin(self, str name, unsigned unstable_after, bint identity):
        """Initialise; called once, by __init__."""
        if self.begun:
            raise TypeError(f"recorder {self.given_name!r} is initialised already: make a new one for each compilation")
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
        """Drain first, so that breaks are counted and facets looked up again. The callbacks of the drain may close the
        recorder, which raises Released."""
        self.check_open()
        drain_now()
        return self.check_open()

    def check(self):
        """Drain. Raises Released if the recorder was committed or closed."""
        self.open_and_settled()

    @property
    def name(self):
        """The name given to the recorder, for messages."""
        return self.given_name

    @property
    def reads(self):
        """How many facets were read so far. One read can record several facets: that of a global also reads the builtins.

        The facets are numbered in the order of reading, from 0 on. A read records the facets from the value of `reads` before
        it up to the value after it, less one.
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

    def read_facet(self, FacetReference reference, bint absence=False):
        """Drain, read the facet and record its value. Returns (value,), or () if the name is missing. absence: that a name is
        missing is recorded, too. Raises Unstable, Unwatchable, Released."""
        return self.record(reference, absence)

    cdef tuple record(self, FacetReference reference, bint absence=False):
        cdef Assumption read
        cdef uint64_t generations, breaks
        cdef PyObject* value
        if reference.seen is not None:
            self.open_and_settled()
            return reference.seen[3]
        facet_given(reference)
        self.open_and_settled()
        # Before the read: it can run Python that reads with this recorder, too.
        generations, breaks = service.generations, service.breaks
        value = facet_read(reference.id, Reading(self.unstable_after, self.identity, absence), &read)
        if value == NULL:
            return ()
        try:
            owned = () if value == ABSENT else (<object>value,)
            self.check_open()
            self.reserve()  # after the read, because it can run Python that reads with this recorder, too
        except BaseException:
            facet_unread(reference.id)
            raise
        finally:
            Py_DECREF_stolen(value)
        self.items[self.count] = read
        if self.count == 0 or generations < self.generations:
            self.generations = generations
        if self.count == 0 or breaks < self.breaks:
            self.breaks = breaks
        self.count += 1
        return owned

    def forget(self, FacetReference reference):
        """Take back the last assumption about this facet. It need not be the last one of all: a callback of a drain may have
        read something with this recorder since."""
        if reference.seen is None:
            facet_given(reference)
        self.take_back(reference.id)

    cdef int take_back(self, uint32_t facet) noexcept:
        """forget() for a facet ID. Needs no memory: a cdef method, so that no method of a subclass is looked up."""
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
        """A value cell of the facet, which the handle gets; None if the present value does not fit the kind."""
        self.check_open()
        cell = <ValueCell>ValueCell.__new__(ValueCell)
        cell.cell = cell_of(reference, CELL_KINDS[kind])  # a look can run Python
        self.check_open()  # if this raises, the cell is released
        if cell.cell == NULL or not (cell.cell.guard or switched_off):
            return None
        cell.given_name = facet_name(reference)
        self.cells.append(cell)
        return cell

    def new_guard_cell(self, FacetReference reference):
        """A guard cell for the present value, which the handle gets; None if the name is missing. The facet does not become an
        assumption of the handle."""
        return self.guard(reference, <GuardCell>GuardCell.__new__(GuardCell), 0, 0)

    def new_jump_label(self, FacetReference reference, uintptr_t address, uintptr_t target):
        """A jump label for the present value, which the handle gets; None if the name is missing. The facet does not become an
        assumption of the handle."""
        return self.guard(reference, <JumpLabel>JumpLabel.__new__(JumpLabel), address, target)

    cdef object guard(self, FacetReference reference, CellReference made, uintptr_t address, uintptr_t target):
        made = self.guarded(reference, made, address, target)
        if made is not None:
            self.check_open()
            self.cells.append(made)
        return made

    cdef CellReference guarded(self, FacetReference reference, CellReference made, uintptr_t address, uintptr_t target):
        """Give `made` a cell or label for the present value, and return it; None if the name is missing. The facet does not
        become an assumption."""
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
        """The exception Stale. witness: the number of the read that does not hold any more, or did not meanwhile."""
        cdef Facet* facet = facet_at(self.items[witness].facet)
        changed = f"{words_of_facet(self.items[witness].facet)} changed since it was read for {self.given_name!r}"
        if facet.holds and facet.known and not facet.dead and rest_of(facet).generation == self.items[witness].generation:
            return StaleError(f"{changed}, and changed back; compile again, or pass undone=\"allow\" if the code was made only "
                              "from what the recorder returned")
        return StaleError(f"{changed}; compile again")

    cdef Recording recording(self, bint allow_undone, bint heard, uint16_t tally) noexcept:
        return Recording(self.items, self.generations, self.breaks, <uint16_t>min(self.unstable_after, 0xffffu), allow_undone,
                         heard, tally)

    def commit_one(self, artifact, on_invalidate, on_resume, on_retire, bint allow_undone, owner):
        """Make the Handle of all that was read, in one step, and close the recorder. Raises Stale; that closes it, too."""
        cdef uint32_t witness = 0
        cdef uint16_t tally
        cdef Recording recording
        self.open_and_settled()
        handle = <Handle>Handle.__new__(Handle)
        tally = tally_of(self.given_name)
        reference = reference_to_owner(owner, handle)
        points = patch_points(self.cells, 1)
        make_room(1)
        error = None
        recording = self.recording(allow_undone, on_invalidate is not None or on_resume is not None, tally)
        number = handle_commit(&recording, self.count, &witness)
        if number == NO_ID:
            error = self.stale(witness)
            self.drop()
            raise error
        handle.take(number, self.given_name, artifact, on_invalidate, on_resume, on_retire, points)
        holders[number] = handle
        handle.owner = reference
        self.cells = None
        self.let_go()
        self.recompiled = count_commits(tally, 1)
        return handle

    def commit_many_at_once(self, offsets, reads, artifacts, on_invalidate, on_resume, on_retire, bint allow_undone, owner):
        """Make many handles in one step: the i-th of the facets with the numbers reads[offsets[i]] to reads[offsets[i + 1] -
        1]. Raises Stale; ValueError for offsets or numbers out of range. offsets: a buffer of uint64; reads: a buffer of
        uint32.
        """
        cdef Py_buffer offsets_given, reads_given
        PyObject_GetBuffer(offsets, &offsets_given, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(reads, &reads_given, PyBUF_SIMPLE)
            try:
                return self.commit_pieces(&offsets_given, &reads_given, artifacts, on_invalidate, on_resume, on_retire,
                                          allow_undone, owner)
            finally:
                PyBuffer_Release(&reads_given)
        finally:
            PyBuffer_Release(&offsets_given)

    cdef Handles commit_pieces(self, const Py_buffer* offsets_given, const Py_buffer* reads_given, artifacts, on_invalidate,
                               on_resume, on_retire, bint allow_undone, owner):
        cdef const uint64_t* offsets = <const uint64_t*>offsets_given.buf
        cdef const uint32_t* reads = <const uint32_t*>reads_given.buf
        cdef uint32_t witness = NO_ID
        cdef uint16_t tally
        cdef Recording recording
        cdef Py_ssize_t i, n
        self.open_and_settled()
        n = check_offsets(offsets, offsets_given.len // 8, reads, reads_given.len // 4, self.count)
        handles = <Handles>Handles.__new__(Handles)
        tally = tally_of(self.given_name)
        handles.reserve(<uint32_t>n)
        reference = reference_to_owner(owner, handles)
        points, cells = patch_points(self.cells, <uint32_t>n), []
        make_room(n)
        recording = self.recording(allow_undone, on_invalidate is not None or on_resume is not None, tally)
        if n and not handles_commit(&recording, <uint32_t>n, offsets, reads, handles.numbers, &witness):
            raise self.stale(witness)
        handles.take(<uint32_t>n, self.given_name, artifacts, on_invalidate, on_resume, on_retire, points)
        for i in range(n):
            holders[handles.numbers[i]] = handles
        handles.owner = reference
        self.recompiled = count_commits(tally, <uint64_t>n)
        if n:
            self.cells = cells
        return handles

    cdef int drop(self) except -1:
        """Close: drop what was recorded, and the patch points."""
        cells, self.cells = self.cells, None
        self.let_go()
        release_cells(cells)
        return 0

    def close(self):
        """Drop what was recorded, without making a handle. Idempotent."""
        if not self.closed:
            self.drop()


cdef Py_ssize_t check_offsets(const uint64_t* offsets, Py_ssize_t n_offsets, const uint32_t* reads, Py_ssize_t n_reads,
                              uint32_t n_read) except -1:
    """How many handles are asked for: one less than offsets. Raises ValueError if offsets or reads are out of range."""
    cdef Py_ssize_t i
    if n_offsets == 0 or n_offsets > NO_ID or offsets[0] != 0 or offsets[n_offsets - 1] != <size_t>n_reads:
        raise ValueError(f"offsets must begin with 0 and end with the number of reads, which is {n_reads}: pass one offset "
                         "more than handles")
    for i in range(1, n_offsets):
        if offsets[i] < offsets[i - 1]:
            raise ValueError(f"offsets[{i}] is {offsets[i]}, less than the one before ({offsets[i - 1]}): they must ascend")
    for i in range(n_reads):
        if reads[i] >= n_read:
            raise ValueError(f"reads[{i}] is {reads[i]}; this recorder has read {n_read} facets, from number 0 on")
    return n_offsets - 1
