"""Part of _core: patch points: memory that native code reads, or places in native code, which depwatch keeps up to date."""


@cython.auto_pickle(False)
cdef class CellReference(Ours):
    """One user's reference to a cell. The cell's memory stays until every reference to it is released."""

    cdef Cell* cell            # shared; NULL once released
    cdef str given_name
    cdef object plain          # of a guard: (assumed value,), if the value dies unseen (see kept.h); else None

    def __dealloc__(self):
        self.release()

    cdef int release(self) noexcept:
        """Release the cell. Idempotent. Its addresses must not be used afterwards."""
        if self.cell != NULL:
            cell_release(self.cell)
            self.cell = NULL
        return 0

    cdef int assume(self, value) except -1:
        """Remember the assumed value, but only one that dies unseen: a reference to another would prolong its life."""
        if dies_unseen(<PyObject*>value):
            self.plain = (value,)
        return 0

    cdef object assumed(self):
        cdef PyObject* value = NULL
        if self.plain is not None:
            return self.plain[0]
        if self.cell != NULL and self.cell.facet != NO_ID:
            value = facet_recorded(facet_at(self.cell.facet))
        return UNKNOWN if value == NULL else <object>value

    cdef CellReference another(self):
        """A reference of somebody else's to the same cell. Raises Released."""
        cdef Cell* cell = self.live()
        made = <CellReference>CellReference.__new__(CellReference)
        made.cell, made.given_name = cell, self.given_name
        cell.users += 1
        return made

    cdef Cell* live(self) except NULL:
        if self.cell == NULL:
            raise released(f"the cell of {self.given_name!r} was released with its handle, so its memory may be gone; use a "
                           "cell only before that")
        return self.cell

    @property
    def name(self):
        """The name of the global or attribute."""
        return self.given_name


@cython.final
@cython.auto_pickle(False)
cdef class ValueCell(CellReference):
    """A word in memory that holds the present value: a borrowed PyObject*, a double, an int64 or a bool as an int64, by kind.

    Read the guard byte first (1: the word is current). A borrowed PyObject* must be increfed before anything that can
    run Python. The memory stays until the handle is released and drained, and never moves.
    """

    @property
    def kind(self):
        """"object", "f64", "i64" or "bool". Raises Released."""
        return CELL_KIND_NAMES[self.live().kind]

    @property
    def address(self):
        """Address of the 8-byte word. Raises Released."""
        return <uintptr_t>&self.live().word

    @property
    def guard_address(self):
        """Address of the guard byte: 1 while the word is current; 0 while the name is deleted, or its value does not fit the
        kind. Raises Released."""
        return <uintptr_t>&self.live().guard

    @property
    def value(self):
        """What the word holds now; depwatch.UNKNOWN while the guard byte is 0. Raises Released."""
        cdef Cell* cell = self.live()
        if not cell.guard:
            return UNKNOWN
        if cell.kind == CELL_F64:
            return cell.word.f64
        if cell.kind == CELL_I64:
            return cell.word.i64
        if cell.kind == CELL_BOOL:
            return cell.word.i64 != 0
        return <object>cell.word.object


@cython.final
@cython.auto_pickle(False)
cdef class GuardCell(CellReference):
    """A byte in memory that is 1 while the name has the value that was read, and 0 from the moment it has another."""

    @property
    def value(self):
        """The assumed value; depwatch.UNKNOWN once the program no longer has it, or nothing relies on it."""
        return self.assumed()

    @property
    def address(self):
        """Address of the guard byte. Raises Released."""
        return <uintptr_t>&self.live().guard

    @property
    def holds(self):
        """Whether the name has the value that was read. Raises Released."""
        return self.live().guard != 0


@cython.final
@cython.auto_pickle(False)
cdef class JumpLabel(CellReference):
    """A 5-byte nop in native code, which becomes a jump to `target` the moment the name gets another value than `value`.

    Made by Recorder.jump_label. It becomes the nop again when the change is undone. The code must stay mapped until the
    handle is released and drained.
    """

    cdef Label* label                        # owned; NULL once released
    cdef readonly uintptr_t address, target

    cdef int patch(self, uintptr_t address, uintptr_t target) except -1:
        self.label = label_new(self.cell, address, target)
        self.address, self.target = address, target
        return 0

    cdef int release(self) noexcept:
        if self.label != NULL:
            label_free(self.label)
            self.label = NULL
        if self.cell != NULL:
            cell_release(self.cell)
            self.cell = NULL
        return 0

    def __dealloc__(self):
        self.release()

    def __repr__(self):
        state = "released" if self.cell == NULL else "nop" if self.cell.guard else "jump"
        return f"<JumpLabel of {self.given_name!r} at {self.address:#x}, {state}>"

    @property
    def value(self):
        """The assumed value; depwatch.UNKNOWN once the program no longer has it, or nothing relies on it."""
        return self.assumed()

    @property
    def holds(self):
        """Whether the label is the nop now. Raises Released."""
        if self.label == NULL:
            raise released(f"the jump label of {self.given_name!r} was released with its handle, so its code may be gone; use "
                           "a label only before that")
        return self.cell.guard != 0


@cython.final
@cython.auto_pickle(False)
cdef class PatchPoints(Ours):
    """The cells and labels of one handle, or of handles that were committed together: released with the last of them."""

    cdef list cells
    cdef uint32_t users  # handles

    cdef int one_less(self) noexcept:
        self.users -= 1
        return release_cells(self.cells) if self.users == 0 else 0


cdef PatchPoints patch_points(list cells, uint32_t users):
    """None, as most handles have no patch points, and may be many."""
    if not cells:
        return None
    made = <PatchPoints>PatchPoints.__new__(PatchPoints)
    made.cells, made.users = cells, users
    return made


cdef int release_cells(list cells) noexcept:
    cdef Py_ssize_t i
    if cells is not None:
        for i in range(len(cells)):
            (<CellReference>cells[i]).release()
    return 0
