"""Part of _core: handles. The holder of a handle (a Handle, Handles or C code) owns its number, which is reused only after the
holder has released it."""

# By handle number: its Handle or Handles, kept alive until retired or released, even if the program drops it. None: the handle
# has no holder in Python, or the number is not in use.
cdef list holders = []


cdef int make_room(Py_ssize_t n) except -1:
    """Make room in holders for n more handles, so that entering them cannot fail."""
    cdef Py_ssize_t missing = <Py_ssize_t>handle_pool.used + n - len(holders)
    if missing > 0:
        holders.extend([None] * missing)
    return 0


cdef str check_reason(reason):
    if not isinstance(reason, str):
        raise TypeError(f"the reason must be a str, not {words_of_value(reason)}")
    return exact(reason)


@cython.auto_pickle(False)
cdef class Holder(Discardable):
    """A holder of handles: a Handle holds its own, a Handles those that were made together."""

    cdef str given_name
    cdef object on_invalidate, on_resume, on_retire  # callbacks or None
    cdef PatchPoints points  # or None
    cdef object owner   # a weak reference to the object with whose death the handles are released; or None
    cdef Linked* guarded  # the callables of guarded() that look at the byte
    cdef bint was_released

    @property
    def name(self):
        """The recorder's name."""
        return self.given_name

    cdef int give_up(self) noexcept:
        """Release all in one step, unless that was done. References of entries are left to drop_discarded()."""
        return 0

    cdef Handle handle_of(self, uint32_t number):
        """The Handle of that number."""
        return None

    cdef bint tells_end(self, uint32_t number) noexcept:
        """Whether a drain must do something when that handle is retired: call on_retire, or remove entries."""
        return True

    cdef int reserve_reasons(self) except -1:
        """Make room, so that giving a reason to any of its handles cannot fail."""
        return 0

    cdef int give_reason(self, uint32_t number, str reason) except -1:
        return 0

    cdef int purged(self) noexcept:
        """Called when one of its handles was released and its edges were purged."""
        return 0 if self.points is None else self.points.one_less()


@cython.final
@cython.auto_pickle(False)
cdef class OwnersEnd(Ours):
    """What the weak reference to a holder's owner calls."""

    cdef object holder  # a weak reference: the holder has the one that calls this

    def __call__(self, reference):
        cdef Holder holder = self.holder()
        if holder is not None and holder.owner is reference:
            holder.give_up()
            drop_discarded()


cdef object reference_to_owner(owner, Holder holder):
    """The weak reference by which the holder releases its handles when the owner dies. Raises TypeError."""
    if owner is None:
        return None
    end = <OwnersEnd>OwnersEnd.__new__(OwnersEnd)
    end.holder = PyWeakref_NewRef(holder, None)
    try:
        return PyWeakref_NewRef(owner, end)
    except TypeError:
        raise TypeError(f"the owner is {words_of_value(owner)}, which can have no weak reference: call release() when it is done "
                        "with, or pass a function, class or instance that owns the code") from None


@cython.final
@cython.auto_pickle(False)
cdef class Handle(Holder):
    """A committed piece of optimized code. Made by Recorder.commit; kept until release()."""

    cdef object __weakref__
    cdef int64_t number         # the handle number; -1: this Handle was never committed
    cdef str why_retired        # the reason, or None
    cdef object made_of         # the artifact; or, if index >= 0, the artifacts of all handles that were made together
    cdef int64_t index          # where its artifact is in made_of; -1: made_of is the artifact
    cdef dict entries           # the entries that test this handle's byte, as Entry -> None; or None

    def __cinit__(self):
        self.number = self.index = -1

    def __dealloc__(self):
        if self.number >= 0 and not self.was_released:
            handle_release(<uint32_t>self.number)

    cdef int take(self, uint32_t number, str name, artifact, on_invalidate, on_resume, on_retire, PatchPoints points) noexcept:
        self.number, self.given_name, self.made_of, self.points = number, name, artifact, points
        self.on_invalidate, self.on_resume, self.on_retire = on_invalidate, on_resume, on_retire
        return 0

    def __repr__(self):
        if self.number < 0:
            return "<Handle that was never committed>"
        if self.was_released:
            return f"<Handle {self.number} {self.given_name!r}, released>"
        byte = handle_byte(<uint32_t>self.number)[0]
        state = "valid" if byte == 0 else "retired" if byte == BYTE_RETIRED else f"invalid, {byte} broken"
        return f"<Handle {self.number} {self.given_name!r}, {state}>"

    cdef uint32_t live(self) except? 0x7fffffff:
        if self.number < 0:
            raise released("this Handle was never committed: Recorder.commit() makes handles")
        if self.was_released:
            raise released(f"handle {self.number} ({self.given_name!r}) was released, so its byte may belong to another "
                           "handle; use a handle only before release()")
        return <uint32_t>self.number

    @property
    def id(self):
        """The dense handle ID; it may be reused after release() and a drain."""
        return self.number

    @property
    def reason(self):
        """Why the handle was retired; None if it was not."""
        return SWITCHED_OFF if switched_off and self.why_retired is None else self.why_retired

    @property
    def artifact(self):
        """What was given to commit() (or to commit_many() for this handle): the machine code, a dispatcher, ..."""
        if self.index >= 0:
            found = self.made_of[self.index]  # made_of may be a sequence of the program's, and run Python
            if self.index >= 0:
                self.made_of, self.index = found, -1
        return self.made_of

    @property
    def released(self):
        """Whether release() was called."""
        return self.was_released

    @property
    def valid(self):
        """Whether the code may run now. Raises Released."""
        return handle_byte(self.live())[0] == 0

    @property
    def broken(self):
        """How many assumptions do not hold now; 255 for a retired handle. Raises Released."""
        return handle_byte(self.live())[0]

    @property
    def retired(self):
        """Whether the code may never run again. Raises Released."""
        return handle_byte(self.live())[0] == BYTE_RETIRED

    @property
    def broken_address(self):
        """Address of the byte `broken`: native code runs while it is 0. Good until release() and a drain."""
        return <uintptr_t>handle_byte(self.live())

    def check(self):
        """Whether the code may run now; False once the handle is released. A cheap call: hand it to code that has no way to test
        the byte."""
        return self.number >= 0 and not self.was_released and handle_byte(<uint32_t>self.number)[0] == 0

    @property
    def assumptions(self):
        """What the handle relies on now: a list of Assumption. Empty once it is retired and drained. Raises Released."""
        cdef uint32_t number = self.live()
        return assumptions_of(&number, 1)

    @property
    def breaks(self):
        """How often the facets that the handle relies on have broken, in all, also before it was made: compare two such numbers.
        -1 once the handle is retired. From 2**32 on it is no count any more, but still another number after each break. Cost: a
        look at each facet. Raises Released."""
        cdef uint32_t number = self.live()
        return breaks_of(&number, 1)

    def broken_facets(self):
        """The last change of each assumption that does not hold now: a list of Break. Raises Released."""
        drain_now()
        cdef uint32_t number = self.live()
        return broken_of(&number, 1)

    def retire(self, reason):
        """Retire this handle for good. Returns True the first time, then False.

        Cost: one store now; edges are purged at the next drain. Raises TypeError unless reason is a str; Released.
        Source: Truffle, Assumption.invalidate(String).
        """
        reason = check_reason(reason)
        number = self.live()
        if handle_byte(number)[0] == BYTE_RETIRED:
            return False
        self.why_retired = reason
        count_state(number, HANDLE_RETIRED, CALLED)
        handle_retire(number)
        return True

    def release(self):
        """Give the handle up. Call it when no code of the handle runs any more: its entries are removed at once, and its byte
        and cells are freed at the next drain. Idempotent.
        """
        self.give_up()
        drop_discarded()

    cdef int give_up(self) noexcept:
        if self.number < 0 or self.was_released:
            return 0
        self.was_released = True
        self.owner = None
        guarded_end(&self.guarded)
        remove_entries(self)
        holders[self.number] = self  # keeps it until its cells are freed
        handle_release(<uint32_t>self.number)
        return 0

    cdef Handle handle_of(self, uint32_t number):
        return self

    cdef bint tells_end(self, uint32_t number) noexcept:
        return self.on_retire is not None or self.entries is not None

    cdef int give_reason(self, uint32_t number, str reason) except -1:
        self.why_retired = reason
        return 0


cdef int remove_entries(Handle handle) noexcept:
    """Remove all entries that test the handle's byte, because the byte may go to another handle."""
    cdef dict entries = handle.entries
    handle.entries = None
    if entries is not None:
        for entry in entries:
            (<Entry>entry).take_out()
    return 0
