"""The drain: settles, lets Python put what happened into words, and makes the calls that are due.

A signal handler of the program can run, and raise, wherever Python code of ours begins or loops. Of what is due nothing
may be lost for that. So what has an effect here is done in C, where no handler runs; Python code that is called in
between is called again, and leaves alone what it has done before; and what the handler raised is raised when all is done.
"""

cdef extern from *:
    int Py_GetRecursionLimit()


def unsettled():
    """Whether anything has happened that a drain must look at."""
    return service_unsettled()


cdef uint64_t silences = 0  # times that nobody was to hear any more


def hear(hearer):
    """Queue the life of every function of the process for this hearer from now on; for None: of no function.

    Raises Unwatchable if no watcher slot is free. When the interpreter ends, nobody hears any more.
    """
    global silences
    cdef PyObject* before
    if service.shutting_down:
        return
    if hearer is None:
        silences += 1
    else:
        watch_functions()
        hearer.silences = silences
    before = hear_functions(NULL if hearer is None else <PyObject*>hearer)
    if service_unsettled():
        service_schedule()  # what waits for nobody must not keep its functions alive until the next event
    if before != NULL:
        Py_DECREF_stolen(before)


def silenced(hearer):
    """Whether hear(None) came after this hearer was set."""
    return hearer.silences != silences


def hearer():
    """Who hears of every function now, or None."""
    return None if service.hearer == NULL else <object>service.hearer


cdef enum:
    TRIES = 8 # again, of a call that raises


cdef insist(function, tuple arguments):
    """What function(*arguments) returns. It is called again after an exception: that is a signal handler's, and waits.

    One that keeps coming is the function's own, and is raised.
    """
    cdef list interruptions = []
    while True:
        try:
            result = function(*arguments)
        except BaseException as error:
            if len(interruptions) == TRIES or isinstance(error, MemoryError):
                raise
            interruptions.append(error)
        else:
            for error in interruptions:
                PyErr_SetRaisedException_stolen(error)
                drain_interrupted()
            return result


cdef class Insisted:
    """A callback of depwatch's own: may be called twice, and must then leave alone what it has done before."""

    cdef object function

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return insist(self.function, arguments)


cdef object let_go(list kept, uint32_t number):
    """Who holds this handle; not any more. None: a package that was imported anew does not know those of the one before."""
    if number >= len(kept):
        return None
    holder = kept[number]
    kept[number] = None
    return holder


cdef list name_holders(list notices, list kept):
    """The notices with whoever holds the handle in place of its ID, which may mean another one as soon as Python runs."""
    cdef list named = []
    cdef tuple notice
    for notice in notices:
        kind = notice[0]
        if kind == NOTICE_HANDLE:
            holder = kept[notice[1]] if notice[1] < len(kept) else None
            if holder is not None:
                named.append((kind, holder, *notice[1:]))
        elif kind == NOTICE_RETIRED:
            holder = let_go(kept, notice[1])
            if holder is not None:
                named.append((kind, holder, notice[1]))
        elif kind == NOTICE_RELEASED:
            for number in array.array("I", notice[1]):
                holder = let_go(kept, number)
                if holder is not None:
                    named.append((kind, holder))
        else:
            named.append(notice)
    return named


cdef int forget(const LookedAt* gone, tuple by_facet, list garbage) except -1:
    """What the dicts have of these facets goes to garbage."""
    cdef dict each
    for i in range(gone.n):
        for each in by_facet:
            garbage.append(each.pop(gone.facets[i], None))
    return 0


cdef settle_all(dict digests, tuple by_facet, list kept):
    """(what to call with what, last first; error or None). What happened is as settle.h describes."""
    cdef LookedAt looked_at = LookedAt(NULL, 0, 0)
    notices, garbage, deliveries, error = [], [], [], None
    try:
        settle(notices, garbage, &looked_at)
    except BaseException as exception:
        error = exception
    try:
        for notice in name_holders(notices, kept):
            try:
                deliveries += insist(digests[notice[0]], (notice,))
            except BaseException as exception:
                error = exception
    finally:
        notice = None
        notices.clear()
        garbage.clear()  # destructors may run now
        settle_end(&looked_at, garbage)
        forget(&looked_at, by_facet, garbage)  # before any Python, which could use the IDs anew
        free(looked_at.facets)
        garbage.clear()
    deliveries.reverse()
    return deliveries, error


cdef call(callback, tuple arguments):
    """What it raises goes to sys.unraisablehook, like an exception in a destructor."""
    try:
        callback(*arguments)
    except BaseException as error:
        PyErr_SetRaisedException_stolen(error)
        PyErr_WriteUnraisable(callback)


def tell(subscription, event):
    """Call the listener, unless that was cancelled."""
    if subscription._facets or event.change == CHANGE_DESTROYED:
        call(subscription.listener, (event,))


def tell_hearer(hearer, *told):
    """Call whoever hears of every function, unless that was silenced."""
    if hearer.silences == silences:
        call(hearer.callback, told)


def drain(dict digests, tuple by_facet, list kept):
    """Settle, then make the calls [(callback, arguments), ...] that digests[kind](notice) returns for each notice, in this
    order; return how many. Facet IDs keep their meaning until all are digested; then those of facets that are gone are
    taken out of the dicts by_facet. kept: by ID, whoever holds a handle; notices of handles have it, and those of handles
    that end take it out: (kind, facet, object, change, broke, key, old, new, filename, line) for a detail,
    (kind, holder, handle, state, facet, cause), (kind, holder, handle) retired, (kind, holder) released, and life.

    Raises MemoryError of settling, and what signal handlers raised while Python code of ours ran, after all is done.
    """
    drain_begins()
    try:
        deliveries, error = settle_all(digests, by_facet, kept)
        count = len(deliveries)
        while deliveries:
            callback, arguments = deliveries.pop()
            call(callback, arguments)
    finally:
        callback = arguments = None  # what dies now is for the next drain too
        drain_ends()
    drain_raises()
    if error is not None:
        raise error
    return count
