"""Part of _core: what all objects of depwatch have in common."""


@cython.auto_pickle(False)
cdef class Ours:
    """Owns a place in the core, and nobody else may: it is not copied, not pickled, and made by depwatch alone."""

    def __init__(self, *args, **kwargs):
        raise TypeError(f"a {type(self).__name__} is made by depwatch and initialised once")

    def __reduce_ex__(self, protocol):
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it owns a place in depwatch's core")

    def __setattr__(self, name, value):
        raise TypeError(f"{name!r} of a {type(self).__name__} is depwatch's and cannot be assigned")

    def __delattr__(self, name):
        raise TypeError(f"{name!r} of a {type(self).__name__} is depwatch's and cannot be deleted")


@cython.auto_pickle(False)
cdef class Discardable(Ours):
    """May hold the last reference to something of the program's, whose destructor must not run while a state is in the
    making: discard() puts it aside without needing memory, drop_discarded() lets go."""

    cdef Discardable next_discarded
    cdef bint discarded

    cdef int let_go(self) noexcept:
        """Drops what it is to drop, if it is kept otherwise. May run the program's destructors."""
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
    """The same text as an exact str, without a method of a subclass."""
    return <str>PyUnicode_FromObject(text)


cdef str interned(str text):
    cdef PyObject* word = <PyObject*>text
    Py_INCREF(text)
    PyUnicode_InternInPlace(&word)
    result = <object>word
    Py_DECREF_stolen(word)
    if not PyUnicode_CHECK_INTERNED(result):
        raise MemoryError()  # which CPython has cleared
    return result


cdef object released(str message):
    return ReleasedError(message)
