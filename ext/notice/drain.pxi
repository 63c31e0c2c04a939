"""The drain: settles, lets Python put what happened into words, and makes the calls that are due.

A signal handler of the program can run, and raise, wherever Python code of ours begins or loops. Of what is due nothing
may be lost for that. So what has an effect here is done in C, where no handler runs; Python code that is called in
between is called again, and leaves alone what it has done before; and what the handler raised is raised when all is done.
"""

cdef extern from *:
    int Py_GetRecursionLimit()
    unsigned long PyThread_get_thread_ident() noexcept


def unsettled():
    """Whether anything has happened that a drain must look at."""
    return service_unsettled() or len(left_behind) != 0


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


@cython.final
cdef class DrainAtWork:
    """What a drain has taken and not delivered yet, where the child of a fork finds it when the drain's thread is gone."""

    cdef unsigned long thread
    cdef list notices     # as settle() makes them, then with names
    cdef list kept        # None: they have names
    cdef Py_ssize_t n_words
    cdef list deliveries  # calls that are due; last first when all have words
    cdef bint has_words

    def __cinit__(self, list kept):
        self.thread = PyThread_get_thread_ident()
        self.notices, self.deliveries, self.kept = [], [], kept

    cdef name(self):
        if self.kept is not None:
            self.notices = name_holders(self.notices, self.kept)
            self.kept = None

    cdef put_into_words(self, dict digests):
        """The last error, or None."""
        error = None
        self.name()
        while self.n_words < len(self.notices):
            notice = self.notices[self.n_words]
            try:
                self.deliveries += insist(digests[notice[0]], (notice,))
            except BaseException as exception:
                error = exception
            self.n_words += 1
        if not self.has_words:
            self.deliveries.reverse()
            self.has_words = True
        return error

    cdef let_go(self):
        """Of the notices."""
        notices, self.notices, self.n_words = self.notices, [], 0
        notices.clear()

    cdef int deliver(self) except -1:
        """How many calls were made."""
        count = 0
        while self.deliveries:
            callback, arguments = self.deliveries.pop()
            count += 1
            call(callback, arguments)
        return count


cdef list at_work = []      # drains under way, in any thread
cdef list left_behind = []  # in the child of a fork: those of threads that are gone, for the next drain to end


cdef leave_behind():
    """In the child of a fork."""
    cdef DrainAtWork work
    for work in at_work[:]:
        if work.thread != PyThread_get_thread_ident():
            at_work.remove(work)
            work.name()  # at once: the handles may get other numbers
            left_behind.append(work)


cdef settle_all(DrainAtWork work, dict digests, tuple by_facet):
    """Error or None. What happened is as settle.h describes."""
    cdef LookedAt looked_at = LookedAt(NULL, 0, 0)
    garbage, error = [], None
    try:
        settle(work.notices, garbage, &looked_at)
    except BaseException as exception:
        error = exception
    try:
        error = work.put_into_words(digests) or error
    finally:
        work.let_go()
        garbage.clear()  # destructors may run now
        settle_end(&looked_at)
        forget(&looked_at, by_facet, garbage)  # before any Python, which could use the IDs anew
        free(looked_at.facets)
        garbage.clear()
    return error


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
    cdef DrainAtWork work = None
    count, error = 0, None
    drain_begins()
    try:
        while left_behind:
            work = left_behind.pop(0)
            work.thread = PyThread_get_thread_ident()
            at_work.append(work)
            error = work.put_into_words(digests) or error
            work.let_go()
            count += work.deliver()
            at_work.remove(work)
        work = DrainAtWork(kept)
        at_work.append(work)
        error = settle_all(work, digests, by_facet) or error
        count += work.deliver()
    finally:
        if work is not None and work in at_work:
            at_work.remove(work)
        drain_ends()
    drain_raises()
    if error is not None:
        raise error
    return count
