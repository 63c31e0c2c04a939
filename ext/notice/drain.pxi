"""The drain: first settles the core, which calls the makers here to make a notice of each thing that happened; then delivers
the notices, by calling the program's callbacks and listeners.

Settling is one step of C. A notice names objects, not numbers. Notices wait in one queue of the process. A drain that a
callback starts delivers the notices that are left in it; events that callbacks cause are delivered by a later drain. If memory
runs out, events that have no notice yet stay queued in the core.
"""


@cython.final
@cython.auto_pickle(False)
cdef class Notice(Ours):
    """One call of a callback or listener that is due."""

    cdef Notice next
    cdef uint64_t number
    cdef object subject    # a Subscription, a Handle, a HandlesListener or a LifecycleListener
    cdef object callback   # for a Handle: the callback to call, or None
    cdef object argument   # for a Subscription: the Event; for a HandlesListener: the HandleEvent; for a LifecycleListener: the
                           # tuple of arguments
    cdef HandleState state # for a Handle: its new state


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
    """Take the oldest notice off the queue."""
    global first_notice, last_notice
    notice = first_notice
    first_notice = notice.next
    notice.next = None
    if first_notice is None:
        last_notice = None
    return notice


# --- makers: see makers.h ---------------------------------------------------------------------------------------------


cdef object holder_of(uint32_t handle):
    """The Handle or Handles that holds this handle; None if C code holds it, or nothing does any more."""
    return holders[handle] if handle < <size_t>len(holders) else None


cdef int make_state(uint32_t handle, HandleState state, uint32_t facet, Cause cause) except -1:
    """Not called for a handle that was invalidated or resumed, as thousands are at a time, if nobody hears of it."""
    cdef Holder holder
    if state == HANDLE_RETIRED:
        return make_reason(handle, facet, cause)
    holder = holder_of(handle)
    if holder is None or not holder.was_released:
        make_state_notices(handle, holder, state, facet)
        count_state(handle, state, CAUSE_NONE)
    return 0


cdef int make_reason(uint32_t handle, uint32_t facet, Cause cause) except -1:
    """Give a retired handle its reason; make_retired() enters its notices."""
    cdef Holder holder = holder_of(handle)
    cdef FacetNotes known
    if holder is None:
        count_state(handle, HANDLE_RETIRED, cause)
        return 0
    if holder.was_released:
        return 0
    known = notes_of(facet)
    broke = None if known is None else known.last_break()
    holder.give_reason(handle, words_of_cause(facet, cause, NULL if broke is None else <PyObject*>broke))
    count_state(handle, HANDLE_RETIRED, cause)
    return 0


cdef int make_state_notices(uint32_t handle, Holder holder, HandleState state, uint32_t facet) except -1:
    mark = mark_notices()
    callback = None if holder is None else holder.on_resume if state == HANDLE_VALID else holder.on_invalidate
    try:
        if callback is not None:
            enter_notice(holder.handle_of(handle), callback, None, state)
        if first_of_handles is not None:
            tell_of_handle(handle, holder, "resumed" if state == HANDLE_VALID else "invalidated", facet)
    except MemoryError:
        take_back_notices(mark)
        raise
    return 0


cdef int make_retired(uint32_t handle) except -1:
    cdef Holder holder = holder_of(handle)
    if holder is not None and holder.was_released:
        return 0
    if holder is not None and holder.tells_end(handle):
        enter_notice(holder.handle_of(handle), holder.on_retire, None, HANDLE_RETIRED)
    if first_of_handles is not None:
        tell_of_handle(handle, holder, "retired", NO_ID)
    return 0


# --- listeners of all handles -------------------------------------------------------------------------------------------


cdef HandlesListener first_of_handles = None  # a list, in the order in which they were made


@cython.final
@cython.auto_pickle(False)
cdef class HandlesListener(Ours):
    """One listener that is called for every handle of the process. Made by on_any(); lasts until cancel()."""

    cdef readonly object listener
    cdef HandlesListener next
    cdef bint cancelled
    cdef bint raises  # whether its last call raised

    def cancel(self):
        """Stop listening. What is not delivered yet is not delivered any more. Idempotent."""
        global first_of_handles
        cdef HandlesListener before = None, each = first_of_handles
        self.cancelled = True
        while each is not None and each is not self:
            before, each = each, each.next
        if each is None:
            return
        if before is None:
            first_of_handles = self.next
        else:
            before.next = self.next
        self.next = None
        notice_makers.all_heard = first_of_handles is not None


def listen_to_handles(listener):
    """From now on, let drains call listener(event) whenever a handle of the process is invalidated, resumed or retired."""
    global first_of_handles
    cdef HandlesListener last = first_of_handles
    made = <HandlesListener>HandlesListener.__new__(HandlesListener)
    made.listener = listener
    notice_makers.all_heard = True
    if last is None:
        first_of_handles = made
        return made
    while last.next is not None:
        last = last.next
    last.next = made
    return made


cdef int tell_of_handle(uint32_t handle, Holder holder, str what, uint32_t facet) except -1:
    """Make a HandleEvent, and enter a notice of it for each listener of all handles. facet: what invalidated or resumed the
    handle; NO_ID: it was retired."""
    cdef Handle known = None if holder is None else holder.handle_of(handle)
    cdef HandlesListener listener = first_of_handles
    found = None if facet == NO_ID else notes_of(facet)
    change = (None,) * 5 if found is None or what == "resumed" else (<FacetNotes>found).last_change()
    words = words_of_facet(facet) if facet != NO_ID else None if known is None else known.reason
    event = tuple_of(HandleEventType, (known, what, words) + change)
    while listener is not None:
        enter_notice(listener, None, event)
        listener = listener.next
    return 0


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
    """What an event changed: the key, the attribute, or the part of the function."""
    if facet.kind == FACET_ANY:
        return <object>key if key != NULL and PyUnicode_CheckExact(<object>key) else None
    cdef PyObject* name = rest_of(facet).name
    return KIND_NAMES[facet.kind] if name == NULL else <object>name


cdef object or_unknown(PyObject* value):
    return UNKNOWN if value == NULL else <object>value


cdef object words_of(PyObject* value, bint is_gone):
    """A description of the value; None: the event did not name it. is_gone: the event named it, so NULL means that it is
    gone."""
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
                                        NULL if after is None else <PyObject*>after, filename, line),
                        (CHANGES_BY_NUMBER[detail.change], before, after,
                         None if filename == NULL else exact(<object>filename), line if line > 0 else None))
    if known is None or known.n == 0:
        return 0
    event = tuple_of(EventType, (
        CHANGES_BY_NUMBER[detail.change], detail.object, part_of(facet_at(detail.facet), detail.key), or_unknown(old_value),
        or_unknown(new_value), None if filename == NULL else <object>filename, line if line > 0 else None,
        detail.thread))
    event.notes = known
    mark = mark_notices()
    try:
        for i in range(known.n):
            enter_notice(known.subscriptions[i], None, event)
    except MemoryError:
        take_back_notices(mark)
        raise
    return 0


cdef int make_life(const Detail* detail, PyObject* function, const Detail* end, PyObject* value) except -1:
    cdef LifecycleListener listener = <LifecycleListener>detail.life.lifecycle_callback
    if listener.switched_off != times_switched_off:
        return 0
    if function == NULL:
        about = tuple_of(DestroyedFunctionType, (
            PyLong_FromVoidPtr(detail.life.address), "" if end == NULL or end.life.name == NULL else <object>end.life.name,
            UNKNOWN if end == NULL else <object>end.new_value))
    else:
        about = <object>function
    new_value = None if detail.change == DEPWATCH_DESTROYED else or_unknown(value)
    told = (FUNCTION_EVENTS_BY_NUMBER[detail.change], about, FUNCTION_ATTRIBUTES_BY_NUMBER[detail.life.part], new_value)
    return enter_notice(listener, None, told)


cdef uint64_t mark_notices() noexcept:
    return notices_made


cdef int take_back_notices(uint64_t mark) noexcept:
    """Remove the notices made since mark. No destructor of the program runs: the core's queue, or the program, still refers to
    what they hold."""
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
    """Drop notices one after the other: freeing a long chain by its first notice could use up the C stack."""
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
    """A lifecycle callback, one object for each time it was set. Its waiting notices are still delivered if another callback
    is set, but not if the callback is set to None."""

    cdef object callback
    cdef uint64_t switched_off  # how often the callback was set to None before
    cdef bint raises            # whether its last call raised


def set_lifecycle_callback(callback):
    """From now on queue the life of every function of the process for this callback; None: of no function.

    Raises Unwatchable if no watcher slot is free. Does nothing once the interpreter ends.
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
        service_schedule()  # so that details for the former callback do not keep objects alive until the next event
    if before != NULL:
        Py_DECREF_stolen(before)


def get_lifecycle_callback():
    """The callback that is set now, or None."""
    return None if service.lifecycle_callback == NULL else (<LifecycleListener>service.lifecycle_callback).callback


# --- calls ------------------------------------------------------------------------------------------------------------


cdef uint64_t errors_not_reported = 0


cdef bint call(callback, argument, bint unpacked, bint reported) noexcept:
    """Call the callback; returns whether it raised. Its exception goes to sys.unraisablehook, like one in a destructor. But if
    `reported` (the listener's call before this one raised, too), an Exception is only counted: printing a traceback makes
    functions, and each of them is an event for a lifecycle callback. Needs no memory of ours."""
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
    """Make the call of a notice, unless its subject was cancelled or released since. Returns how many calls were made."""
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
    if type(subject) is HandlesListener:
        if (<HandlesListener>subject).cancelled:
            return 0
        (<HandlesListener>subject).raises = call((<HandlesListener>subject).listener, notice.argument, False,
                                                 (<HandlesListener>subject).raises)
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
    """Settle, then drop the references that settling gave up: their destructors run only when all state is consistent."""
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
    """Let go of kept values to which only depwatch refers. After the delivery, because delivered events may have been the last
    other references to them."""
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
    """Deliver all that has happened, by calling callbacks and listeners. Returns how many were called (plus the number of
    retired handles whose entries were removed).

    A drain runs by itself soon after an event, in the main thread, unless that thread is in a drain. Call drain() to have
    everything delivered now; any thread and any listener may call it. Events that listeners cause are delivered by the next
    drain. After 8 drains in a row that each caused the next, the next drain waits for another event. Cost: about 100 ns if
    nothing happened.

    If a signal handler raises inside a listener, it counts as if the listener had raised; elsewhere in a drain no signal
    handler runs. Listeners can call 100 deep, however close to the recursion limit the program is. Raises MemoryError after
    everything that could be delivered was; a later drain delivers the rest.
    """
    return drain_now()


cdef Py_ssize_t drain_now() except -1:
    cdef Notice notice
    cdef Py_ssize_t count = 0
    cdef uint64_t last, began = 0
    cdef bint outermost
    cdef Pauses pauses = Pauses(0, 0xffffffffu)
    global drains, drain_ns
    if not unsettled_now():
        return 0
    error = None
    outermost = drain_begins()
    if outermost:
        began = monotonic_ns()
    try:
        try:
            settle_all()
        except BaseException as exception:
            error = exception
        last = notices_made
        while first_notice is not None and first_notice.number <= last:
            notice = take_notice()
            count += deliver(notice)
            pause_after(&pauses, 8)  # callbacks in C alone would never let other threads run
            notice = None  # dropped before the next is taken: an object may die with it, whose destructor can drain
        drop_lonely()
    finally:
        notice = None  # inside this drain, so that what a destructor does now is left to the next one
        if outermost:
            drains += 1
            drain_ns += monotonic_ns() - began
        drain_ends()
    if error is not None:
        raise error
    return count
