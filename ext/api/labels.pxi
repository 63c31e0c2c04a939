"""Part of _core: jump labels."""


@cython.final
cdef class LabelReference:
    """A jump label of a guard cell, until it is released."""

    cdef Label* label         # owned; NULL once released
    cdef CellReference cell   # of the label alone: released with it

    def __cinit__(self, CellReference cell not None, uintptr_t address, uintptr_t target):
        self.label = label_new(cell.cell, address, target)
        self.cell = cell

    def __dealloc__(self):
        self.release()

    cpdef release(self):
        """Idempotent. The code is patched no more."""
        if self.label != NULL:
            label_free(self.label)
            self.label = NULL
            self.cell.release()

    @property
    def released(self):
        return self.label == NULL

    @property
    def guard(self):
        return self.label.cell.guard
