"""Makes a class that nothing can change any more, so that no event of it is needed."""

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define freeze_type PyType_Freeze
    #else
    /* What PyType_Freeze does from CPython 3.14 on. */
    static int freeze_type(PyTypeObject *type)
    {
        type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
        PyType_Modified(type);
        return 0;
    }
    #endif
    """
    int freeze_type(PyTypeObject*) except -1


def freeze_class(type cls not None):
    """From now on, setting an attribute of the class raises TypeError. All classes that it inherits from must be such
    classes; the caller looks."""
    freeze_type(<PyTypeObject*>cls)
