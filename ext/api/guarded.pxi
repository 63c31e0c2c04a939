"""Part of _core: guarded() and guarded_builtin(): callables that test a handle and cells before each call. See guarded.h."""

cdef extern from *:
    """
    /* Takes a reference for the time of a call. Py_INCREF of CPython 3.12 and 3.13 stores 32 bits, and the load of 64 bits in
     * the Py_DECREF soon after has to wait for that store: 5 ns of each call. */
    static inline void begin_call(PyObject *called)
    {
    #ifdef Py_REF_DEBUG
        Py_INCREF(called);
    #else
        Py_SET_REFCNT(called, Py_REFCNT(called) + 1);
    #endif
    }
    """
    void begin_call(PyObject*) noexcept
    bint unlikely(bint) noexcept
    PyObject* call_borrowed "PyObject_Call"(PyObject*, PyObject*, PyObject*) noexcept
    ctypedef PyObject* (*PyCFunction)(PyObject*, PyObject*) noexcept
    ctypedef PyObject* (*PyCFunctionWithKeywords)(PyObject*, PyObject*, PyObject*) noexcept
    ctypedef struct PyMethodDef:
        PyCFunction ml_meth
    ctypedef struct PyCFunctionObject:
        PyMethodDef* m_ml
        PyObject* m_module
    const int METH_VARARGS, METH_KEYWORDS
    bint PyCFunction_CheckExact(object)
    int PyCFunction_GET_FLAGS(object)
    PyObject* PyCFunction_GET_SELF(object)
    object PyCFunction_NewEx(PyMethodDef*, object, PyObject*)
    bint PyCell_Check(object)


cdef int look_at_cells(Guards* guards, list cells) except -1:
    """Let the guards look at the guard bytes of these cells, or of none; jump labels act in the code itself."""
    cdef CellReference cell
    cdef Py_ssize_t i, n = 0 if cells is None else len(cells)
    guards.cells = <const uint8_t**>PyMem_Calloc(n + 1, sizeof(uint8_t*))
    if guards.cells == NULL:
        raise MemoryError()
    guards.n = 0
    for i in range(n):
        cell = <CellReference>cells[i]
        if type(cell) is not JumpLabel and cell.cell != NULL:
            guards.cells[guards.n] = &cell.cell.guard
            guards.n += 1
    return 0


def guarded_by(Handle handle not None, fast, slow):
    """A Guarded of this handle. Raises Released."""
    cdef Guards guards
    number = handle.live()
    look_at_cells(&guards, None if handle.points is None else handle.points.cells)
    guards.broken = handle_byte(number)
    return guarded_new(fast, slow, handle, &guards, &handle.guarded)


@cython.final
@cython.no_gc_clear  # a call finds all that it needs, and the handle outlives the list in which the guards are
@cython.auto_pickle(False)
cdef class GuardedBuiltin(Ours):
    """What guarded_builtin() returns: `function` runs one built-in function while the guards hold, and `slow` otherwise."""

    cdef Guards guards
    cdef PyMethodDef definition       # of `function`: that of fast, but it runs enter()
    cdef PyCFunctionWithKeywords run  # what fast runs
    cdef PyObject* itself             # the first argument of run; fast has it
    cdef list cells                   # references of our own: they keep the bytes that the guards look at
    cdef tuple variables              # pairs of closure cells: a variable's, and one with what it has to hold
    cdef readonly object fast, slow   # None: guarded_builtin() did not make this
    cdef readonly object changed      # or None
    cdef readonly Handle handle       # or None

    def __cinit__(self):
        guards_give_up(&self.guards)
        self.variables = ()

    def __dealloc__(self):
        guards_free(&self.guards)

    def __repr__(self):
        return f"<GuardedBuiltin of {self.fast!r}, {'fast' if self.active else 'slow'}>"

    @property
    def active(self):
        """Whether the next call runs `fast`."""
        return guards_hold(&self.guards) and variables_hold(<PyObject*>self.variables)

    @property
    def function(self):
        """The built-in function. Its `__self__` is this object. Each look-up makes another one, as with methods."""
        if self.fast is None:
            raise released("this GuardedBuiltin was never made: guarded_builtin() makes them")
        return PyCFunction_NewEx(&self.definition, self, (<PyCFunctionObject*>self.fast).m_module)

    def rely(self, Handle handle, variables=()):
        """From now on run `fast` while this handle is valid and the variables are as given; None: not at all.

        variables: pairs of closure cells, a variable's and another one with the very object that it has to hold (an empty
        one: nothing). They are compared at each call, because CPython reports no change of a closure's cell. Raises
        TypeError, Released.
        """
        cdef list pairs = []
        for variable, assumed in variables:
            if not (PyCell_Check(variable) and PyCell_Check(assumed)):
                raise TypeError(f"variables must be pairs of closure cells, not {words_of_value((variable, assumed))}")
            pairs += (variable, assumed)
        cdef tuple flat = tuple(pairs)
        cdef uint32_t number = 0 if handle is None else handle.live()
        before = (self.handle, self.variables)  # dropped last: a destructor finds all in order
        self.handle, self.variables = handle, flat
        if handle is None:
            guards_give_up(&self.guards)
        else:
            guards_look_at(&self.guards, handle_byte(number), &handle.guarded)


cdef inline PyObject* run_either(GuardedBuiltin self, PyObject* args, PyObject* keywords) noexcept:
    cdef PyObject* result
    if unlikely(not (guards_hold(&self.guards) and variables_hold(<PyObject*>self.variables))):
        return call_borrowed(<PyObject*>self.slow, args, keywords)  # the call has a reference to self
    result = self.run(self.itself, args, keywords)
    if cells_are_up(&self.guards) or self.changed is None or result == NULL:
        return result
    return guarded_hand_on(<PyObject*>self.changed, result)


cdef PyObject* enter(PyObject* called, PyObject* args, PyObject* keywords) noexcept:
    """What `function` runs. A call has a reference to all that it needs: the C code that calls it need not have one."""
    cdef PyObject* result
    begin_call(called)
    result = run_either(<GuardedBuiltin>called, args, keywords)
    Py_DECREF_stolen(called)
    return result


def builtin_guarded_by(fast, slow, changed, list cells):
    """A GuardedBuiltin that relies on no handle yet. Raises TypeError, Released."""
    cdef CellReference cell
    if not PyCFunction_CheckExact(fast) or PyCFunction_GET_FLAGS(fast) != METH_VARARGS | METH_KEYWORDS:
        raise TypeError("what runs while the handle is valid must be a built-in function with METH_VARARGS | METH_KEYWORDS, "
                        f"not {words_of_value(fast)}")
    made = <GuardedBuiltin>GuardedBuiltin.__new__(GuardedBuiltin)
    made.fast, made.slow, made.changed = fast, slow, changed
    made.cells = [cell.another() for cell in cells]
    look_at_cells(&made.guards, made.cells)
    made.run = <PyCFunctionWithKeywords><void*>(<PyCFunctionObject*>fast).m_ml.ml_meth
    made.itself = PyCFunction_GET_SELF(fast)
    made.definition = (<PyCFunctionObject*>fast).m_ml[0]
    made.definition.ml_meth = <PyCFunction><void*>enter
    return made
