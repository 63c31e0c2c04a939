"""The drain: settles the core, which tells what happened to the makers here; then makes the calls that are due.

Settling is one step of C: no code of the program runs in it, and a notice names objects, not numbers.
Notices wait in one queue of the process. A drain that is started by a callback goes on with it; what events cause meanwhile is
told by a later drain. Out of memory, what is not told yet stays where it was.
"""


@cython.final
@cython.auto_pickle(False)
cdef class Notice(Ours):
    """One call that is due."""

    cdef Notice next
    cdef uint64_t number
    cdef object subject    # a Subscription, a Handle, or a LifecycleListener
    cdef object callback   # of a handle
    cdef object argument   # an Event; of a LifecycleListener a tuple
    cdef HandleState state # of a handle


cdef Notice first_notice = None, last_notice = None
cdef uint64_t notices_made = 0


cdef int enter_notice(subject, callback, argument, HandleState state=HANDLE_VALID) except -1:
    global first_notice, last_notice, notices_made
    notice = <Notice>Notice.__new__(Notice)
    notice.subject, notice.callback, notice.argument, notice.state = subject, callback, argument, state
    notices_made += 1
    notice.number = notices_made
    if last_notice is None:
        first_notice = notice
    else:
        last_notice.next = notice
    last_notice = notice
    return 0


cdef Notice take_notice():
    """The oldest one."""
    global first_notice, last_notice
    notice = first_notice
    first_notice = notice.next
    notice.next = None
    if first_notice is None:
        last_notice = None
    return notice


# --- makers: see makers.h ---------------------------------------------------------------------------------------------


cdef object holder_of(uint32_t handle):
    """Who holds it, or None: C code, or nobody any more."""
    return holders[handle] if handle < <size_t>len(holders) else None


cdef int make_state(uint32_t handle, HandleState state, uint32_t facet, Cause cause) except -1:
    cdef Holder holder = holder_of(handle)
    cdef FacetNotes known
    if holder is None or holder.was_released:
        return 0
    if state == HANDLE_RETIRED:  # its callback is called when it is purged, like that of one which was retired by hand
        known = notes_of(facet)
        broke = None if known is None else known.last_break()
        return holder.give_reason(handle, words_of_cause(facet, cause, NULL if broke is None else <PyObject*>broke))
    callback = holder.on_resume if state == HANDLE_VALID else holder.on_invalidate
    return 0 if callback is None else enter_notice(holder.handle_of(handle), callback, None, state)


cdef int make_retired(uint32_t handle) except -1:
    cdef Holder holder = holder_of(handle)
    if holder is None or holder.was_released or not holder.tells_end(handle):
        return 0
    return enter_notice(holder.handle_of(handle), holder.on_retire, None, HANDLE_RETIRED)


cdef int handle_gone(uint32_t handle, bint released) noexcept:
    cdef Holder holder = holder_of(handle)
    if holder is None:
        return 0
    if released:
        holder.purged()
    discard(holder)
    holders[handle] = None
    return 0


cdef object part_of(Facet* facet, PyObject* key):
    """The key or attribute, or the part of the function, that an event is about."""
    if facet.kind == FACET_ANY:
        return <object>key if key != NULL and PyUnicode_CheckExact(<object>key) else None
    return KIND_NAMES[facet.kind] if facet.name == NULL else <object>facet.name


cdef object or_unknown(PyObject* value):
    return UNKNOWN if value == NULL else <object>value


cdef object words_of(PyObject* value, bint is_gone):
    """None: it was not told."""
    return words_of_value(<object>value) if value != NULL else GONE if is_gone else None


cdef str GONE = "<an object that is gone>"


cdef int make_detail(const Detail* detail, PyObject* old_value, PyObject* new_value, PyObject* filename, int line) except -1:
    cdef FacetNotes known = notes_of(detail.facet)
    cdef Py_ssize_t i
    if detail.broke:
        if known is None:
            known = make_notes(detail.facet)
        has_value = facet_has_value(facet_at(detail.facet)) and detail.change == DEPWATCH_MODIFIED
        before, after = words_of(old_value, has_value), words_of(new_value, has_value)
        known.breaks_by(words_of_change(<Change>detail.change, NULL if before is None else <PyObject*>before,
                                        NULL if after is None else <PyObject*>after, filename, line))
    if known is None or known.n == 0:
        return 0
    event = tuple_of(EventType, (
        CHANGES_BY_NUMBER[detail.change], detail.object, part_of(facet_at(detail.facet), detail.key), or_unknown(old_value),
        or_unknown(new_value), None if filename == NULL else <object>filename, line if line > 0 else None))
    mark = mark_notices()
    try:
        for i in range(known.n):
            enter_notice(known.subscriptions[i], None, event)
    except MemoryError:
        take_back_notices(mark)
        raise
    return 0


cdef int make_life(const Detail* detail, PyObject* function, const Detail* end, PyObject* value) except -1:
    cdef LifecycleListener listener = <LifecycleListener>detail.lifecycle_callback
    if listener.switched_off != times_switched_off:
        return 0
    if function == NULL:
        about = tuple_of(DestroyedFunctionType, (
            PyLong_FromVoidPtr(detail.address), "" if end == NULL or end.key == NULL else <object>end.key,
            UNKNOWN if end == NULL else <object>end.new_value))
    else:
        about = <object>function
    new_value = None if detail.change == DEPWATCH_DESTROYED else or_unknown(value)
    told = (FUNCTION_EVENTS_BY_NUMBER[detail.change], about, FUNCTION_ATTRIBUTES_BY_NUMBER[detail.attribute], new_value)
    return enter_notice(listener, None, told)


cdef uint64_t mark_notices() noexcept:
    return notices_made


cdef int take_back_notices(uint64_t mark) noexcept:
    """What they hold is still queued, or somebody's: no destructor runs."""
    global first_notice, last_notice, notices_made
    cdef Notice last = None, each = first_notice
    while each is not None and each.number <= mark:
        last, each = each, each.next
    if last is None:
        first_notice = None
    else:
        last.next = None
    last_notice = last
    notices_made = mark
    drop_chain(each)
    return 0


cdef int drop_chain(Notice first) noexcept:
    """One after the other: a chain that is dropped as a whole could be too deep for the C stack."""
    cdef Notice next
    while first is not None:
        next = first.next
        first.next = None
        first = next
    return 0


notice_makers.detail = make_detail
notice_makers.life = make_life
notice_makers.state = make_state
notice_makers.retired = make_retired
notice_makers.mark = mark_notices
notice_makers.take_back = take_back_notices
notice_makers.gone = handle_gone
notice_makers.died = facet_died
notice_makers.freed = facet_freed


# --- the life of functions --------------------------------------------------------------------------------------------


cdef uint64_t times_switched_off = 0


@cython.final
@cython.auto_pickle(False)
cdef class LifecycleListener(Ours):
    """A lifecycle callback as it was set. What waits for it is still delivered when another follows, not when it is None."""

    cdef object callback
    cdef uint64_t switched_off  # how often the callback was set to None before
    cdef bint raises            # its last call did


def set_lifecycle_callback(callback):
    """Queue the life of every function of the process for this callback from now on; for None: of no function.

    Raises Unwatchable if no watcher slot is free. When the interpreter ends, nobody hears any more.
    """
    global times_switched_off
    cdef LifecycleListener listener = None
    if service.shutting_down:
        return
    if callback is None:
        times_switched_off += 1
    else:
        watch_functions()
        listener = <LifecycleListener>LifecycleListener.__new__(LifecycleListener)
        listener.callback, listener.switched_off = callback, times_switched_off
    before = service_set_lifecycle_callback(NULL if listener is None else <PyObject*>listener)
    if service_unsettled():
        service_schedule()  # what waits for nobody must not keep anything until the next event
    if before != NULL:
        Py_DECREF_stolen(before)


def get_lifecycle_callback():
    """The callback that hears of every function now, or None."""
    return None if service.lifecycle_callback == NULL else (<LifecycleListener>service.lifecycle_callback).callback


# --- calls ------------------------------------------------------------------------------------------------------------


cdef uint64_t errors_not_reported = 0


cdef bint call(callback, argument, bint unpacked, bint reported) noexcept:
    """Whether it raises. That goes to sys.unraisablehook, like an exception in a destructor; not if the one before it, of
    the same listener, was reported: to print a traceback makes functions, each an event. Needs no memory of ours."""
    global errors_not_reported
    cdef PyObject* result = (PyObject_Call(callback, argument, NULL) if unpacked
                             else PyObject_CallOneArg(callback, argument))
    if result != NULL:
        Py_DECREF_stolen(result)
        return False
    if reported and PyErr_ExceptionMatches(PyExc_Exception):
        errors_not_reported += 1
        PyErr_Clear()
    else:
        PyErr_WriteUnraisable(callback)
    return True


cdef int deliver(Notice notice) noexcept:
    """How many calls were made: whoever was cancelled or released in between is not called."""
    cdef Handle handle
    cdef int count = 0
    cdef Subscription subscription
    cdef LifecycleListener listener
    subject = notice.subject
    if type(subject) is Subscription:
        subscription = <Subscription>subject
        if subscription.cancelled:
            return 0
        subscription.raises = call(subscription.listener, notice.argument, False, subscription.raises)
        return 1
    if type(subject) is LifecycleListener:
        listener = <LifecycleListener>subject
        if listener.switched_off != times_switched_off:
            return 0
        listener.raises = call(listener.callback, notice.argument, True, listener.raises)
        return 1
    handle = subject
    if handle.was_released:
        return 0
    if notice.state == HANDLE_RETIRED and handle.entries is not None:
        remove_entries(handle)
        drop_discarded()
        count = 1
    if notice.callback is None:
        return count
    call(notice.callback, handle, False, False)
    return count + 1


cdef int settle_all() except -1:
    """Settles, and drops what is let go: destructors run when no state is in the making any more."""
    cdef LookedAt looked_at = LookedAt(NULL, 0, 0)
    cdef Garbage garbage = garbage_none()
    try:
        settle(&garbage, &looked_at)
    finally:
        garbage_drop(&garbage)
        settle_end(&looked_at)
        drop_discarded()
    return 0


cdef int drop_lonely() except -1:
    """What has been told was the last that had some values beside depwatch."""
    cdef Garbage garbage = garbage_none()
    if kept_first != NULL:
        try:
            let_go_of_lonely(&garbage)
            touch_waiting()
        finally:
            garbage_drop(&garbage)
    return 0


cdef bint unsettled_now() noexcept:
    return service_unsettled() or first_notice is not None


def unsettled():
    """Whether anything has happened that a drain must look at."""
    return unsettled_now()


def drain():
    """Settle and deliver all that has happened; return the number of listeners and callbacks called (and of retired
    handles whose entries were removed).

    Runs by itself soon after an event, in the main thread when that is in no drain; call it to have everything
    delivered now, in any thread, also from a listener. Events that listeners cause are delivered by the next drain;
    after 8 that each caused the next, that waits for another event. Cost: about 100 ns if nothing happened.

    What a signal handler raises inside a listener is the listener's, like anything that it raises; elsewhere in a drain no
    handler runs. Listeners can call 100 deep, however near the recursion limit the program is. Raises MemoryError when all
    that could be delivered is; what is left is delivered by a later drain.
    """
    return drain_now()


cdef Py_ssize_t drain_now() except -1:
    cdef Notice notice
    cdef Py_ssize_t count = 0
    cdef uint64_t last
    if not unsettled_now():
        return 0
    error = None
    drain_begins()
    try:
        try:
            settle_all()
        except BaseException as exception:
            error = exception
        last = notices_made
        while first_notice is not None and first_notice.number <= last:
            notice = take_notice()
            count += deliver(notice)
            notice = None  # before the next one is taken: what it was about may die, and a destructor can drain
        drop_lonely()
    finally:
        notice = None  # what dies now is for the next drain too
        drain_ends()
    if error is not None:
        raise error
    return count
