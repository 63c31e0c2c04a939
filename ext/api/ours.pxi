"""Part of _core: the base classes of all objects of depwatch."""


@cython.auto_pickle(False)
cdef class Ours:
    """The one owner of something in the core. Only depwatch makes it; it cannot be copied, pickled or assigned to."""

    def __init__(self, *args, **kwargs):
        raise TypeError(f"a {type(self).__name__} is made by depwatch alone and initialised once: do not call its class")

    def __reduce_ex__(self, protocol):
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it owns a place in depwatch's core")

    def __setattr__(self, name, value):
        raise TypeError(f"{name!r} of a {type(self).__name__} is depwatch's and cannot be assigned")

    def __delattr__(self, name):
        raise TypeError(f"{name!r} of a {type(self).__name__} is depwatch's and cannot be deleted")


@cython.auto_pickle(False)
cdef class Discardable(Ours):
    """May hold the last reference to an object of the program, whose destructor must not run while state is inconsistent.
    discard() puts the Discardable aside and needs no memory; drop_discarded() later drops what it holds."""

    cdef Discardable next_discarded
    cdef bint discarded

    cdef int let_go(self) noexcept:
        """Drops the references that must go although this object may live on. May run the program's destructors."""
        return 0


cdef Discardable first_discarded = None


cdef int discard(Discardable ended) noexcept:
    global first_discarded
    if not ended.discarded:
        ended.discarded = True
        ended.next_discarded, first_discarded = first_discarded, ended
    return 0


cdef int drop_discarded() noexcept:
    global first_discarded
    cdef Discardable ended
    while first_discarded is not None:
        ended = first_discarded
        first_discarded = ended.next_discarded
        ended.next_discarded = None
        ended.discarded = False
        ended.let_go()
        ended = None
    return 0


cdef str exact(text):
    """The same text as an exact str; calls no method of a subclass of str."""
    return <str>PyUnicode_FromObject(text)


cdef str interned(str text):
    cdef PyObject* word = <PyObject*>text
    Py_INCREF(text)
    PyUnicode_InternInPlace(&word)
    result = <object>word
    Py_DECREF_stolen(word)
    if not PyUnicode_CHECK_INTERNED(result):
        raise MemoryError()  # raised here, because PyUnicode_InternInPlace clears the MemoryError that it meets
    return result


cdef object released(str message):
    return ReleasedError(message)
