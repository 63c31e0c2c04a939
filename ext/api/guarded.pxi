"""Part of _core: guarded(): a callable that tests a handle and its cells before each call. See guarded.h."""




def guarded_by(Handle handle not None, fast, slow):
    """A Guarded of this handle. Raises Released."""
    cdef Guards guards
    cdef CellReference cell
    cdef Py_ssize_t i, n = 0
    number = handle.live()
    cells = [] if handle.points is None or handle.points.cells is None else handle.points.cells
    guards.cells = <const uint8_t**>PyMem_Calloc(len(cells) + 1, sizeof(uint8_t*))
    if guards.cells == NULL:
        raise MemoryError()
    for i in range(len(cells)):
        cell = <CellReference>cells[i]
        if type(cell) is not JumpLabel and cell.cell != NULL:
            guards.cells[n] = &cell.cell.guard
            n += 1
    guards.broken, guards.n = handle_byte(number), <uint32_t>n
    return guarded_new(fast, slow, handle, &guards, &handle.guarded)
