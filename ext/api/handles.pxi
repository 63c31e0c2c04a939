"""Part of _core: many handles that were committed together. The object Handle of one is made when the program asks for it."""


cdef enum:
    PAUSE_LOOK = 1024  # handles, after which there is perhaps a pause

cdef Handles first_giving_up = None  # those whose handles are being released: a list


@cython.final
@cython.auto_pickle(False)
cdef class Handles(Holder):
    """The handles that Recorder.commit_many made, in its order: a sequence of Handle. Kept alive until all are retired or
    released.

    Indexing gives a Handle, the same object each time. A handle that was never indexed takes its byte, its list of facets and
    5 bytes.
    """

    cdef object __weakref__
    cdef uint32_t* numbers    # owned; ascending
    cdef uint32_t n           # handles
    cdef object artifacts     # a sequence of the program's, or None
    cdef list made            # by index: the Handle, which then owns the number; None for those not asked for, or for all
    cdef list reasons         # by index: why a handle without a Handle was retired; None before the first reason
    cdef uint8_t* asked       # owned; by index: whether made has a Handle. The collector may have cleared made itself
    cdef uint32_t given_up    # once released: of so many handles, the first ones, what release() does is done
    cdef Handles next_giving_up

    def __dealloc__(self):
        cdef uint32_t i
        # `holders` keeps this object as long as any handle may run, so all are retired. Those without a Handle are released
        # here, because no code can reach them any more.
        if not self.was_released:
            for i in range(self.n):
                if not self.asked[i]:
                    handle_release(self.numbers[i])
        PyMem_Free(self.numbers)
        PyMem_Free(self.asked)

    cdef int reserve(self, uint32_t n) except -1:
        self.numbers = <uint32_t*>PyMem_Calloc(max(n, 1u), sizeof(uint32_t))
        self.asked = <uint8_t*>PyMem_Calloc(max(n, 1u), 1)
        if self.numbers == NULL or self.asked == NULL:
            raise MemoryError()
        return 0

    cdef int take(self, uint32_t n, str name, artifacts, on_invalidate, on_resume, on_retire, PatchPoints points) noexcept:
        self.n = n
        self.given_name, self.artifacts, self.points = name, artifacts, points
        self.on_invalidate, self.on_resume, self.on_retire = on_invalidate, on_resume, on_retire
        return 0

    def __repr__(self):
        return f"<{self.n} Handles {self.given_name!r}{', released' if self.was_released else ''}>"

    def __len__(self):
        return self.n

    @property
    def ids(self):
        """The handle IDs now, ascending, an array of uint32."""
        cdef uint32_t i
        cdef array.array ids = array.clone(IDS, self.n, False)
        for i in range(self.n):
            ids.data.as_uints[i] = self.numbers[i]
        return ids

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.piece(index)
        i = PyNumber_AsSsize_t(index, IndexError)
        if i < 0:
            i += self.n
        if not 0 <= i < self.n:
            raise IndexError(f"index {i} is out of range: there are {self.n} handles")
        handle = self.handle_at(<uint32_t>i)
        handle.artifact  # looked up now, and only once: artifacts may be a sequence of the program's, and run Python
        return handle

    cdef list piece(self, piece):
        cdef Py_ssize_t start, stop, step, length, i
        cdef list found
        PySlice_GetIndicesEx(piece, self.n, &start, &stop, &step, &length)
        found = nones(length)
        for i in range(length):
            found[i] = self[start + i * step]
        return found

    cdef Handle handle_at(self, uint32_t index):
        """The Handle of that index. Made and entered in one step, because a number has only one owner."""
        cdef Handle handle
        if self.asked[index]:
            return <Handle>self.made[index]
        self.check_live()
        if self.made is None:
            self.made = nones(self.n)
        handle = <Handle>Handle.__new__(Handle)
        name = f"{self.given_name}[{index}]"
        handle.take(self.numbers[index], name, self.artifacts, self.on_invalidate, self.on_resume, self.on_retire, self.points)
        handle.index = -1 if self.artifacts is None else <int64_t>index
        handle.why_retired = None if self.reasons is None else self.reasons[index]
        self.made[index] = handle
        self.asked[index] = True
        return handle

    cdef int check_live(self) except -1:
        if self.was_released:
            raise released(f"the handles of {self.given_name!r} were released, so their bytes may belong to others; use "
                           "handles only before release()")
        return 0

    cdef int give_up(self) noexcept:
        """Lets other threads run in between. One that releases these handles meanwhile does the rest: when its release() returns,
        too, all are released."""
        global first_giving_up
        cdef Pauses pauses = pauses_of_drain()
        if not self.was_released:
            self.was_released = True
            self.owner = None
            self.next_giving_up, first_giving_up = first_giving_up, self
        while self.given_up < self.n:
            self.give_next_up()
            if self.given_up % PAUSE_LOOK == 0:
                pause_after(&pauses, PAUSE_LOOK)
        self.all_given_up()
        return 0

    cdef int give_next_up(self) noexcept:
        cdef uint32_t i = self.given_up
        self.given_up += 1
        if self.asked[i]:
            (<Handle>self.made[i]).give_up()
        else:
            holders[self.numbers[i]] = self  # keeps it until its cells are freed
            handle_release(self.numbers[i])
        return 0

    cdef int all_given_up(self) noexcept:
        """Take this object off the list of those whose handles are being released, unless that was done."""
        global first_giving_up
        cdef Handles before = None, each = first_giving_up
        while each is not None and each is not self:
            before, each = each, each.next_giving_up
        if each is None:
            return 0
        if before is None:
            first_giving_up = self.next_giving_up
        else:
            before.next_giving_up = self.next_giving_up
        self.next_giving_up = None
        return 0

    @property
    def released(self):
        """Whether release() was called."""
        return self.was_released

    @property
    def valid(self):
        """Whether the code of all handles may run now. Raises Released."""
        self.check_live()
        return self.check()

    def check(self):
        """Whether the code of all handles may run now; False once they are released."""
        cdef uint32_t i
        if self.was_released:
            return False
        for i in range(self.n):
            if self.is_given_up(i) or handle_byte(self.numbers[i])[0] != 0:
                return False
        return True

    cdef bint is_given_up(self, uint32_t index) noexcept:
        """Whether this one handle was released, so that its number may be that of another one."""
        return self.asked[index] and (<Handle>self.made[index]).was_released

    cdef array.array kept_numbers(self):
        """The numbers of the handles that were not released. Raises Released."""
        cdef uint32_t i, n = 0
        cdef array.array kept = array.clone(IDS, self.n, False)
        self.check_live()
        for i in range(self.n):
            if not self.is_given_up(i):
                kept.data.as_uints[n] = self.numbers[i]
                n += 1
        Py_SET_SIZE(kept, n)
        return kept

    @property
    def retired(self):
        """Whether none of the code may ever run again. Raises Released."""
        cdef uint32_t i
        self.check_live()
        for i in range(self.n):
            if not self.is_given_up(i) and handle_byte(self.numbers[i])[0] != BYTE_RETIRED:
                return False
        return True

    @property
    def assumptions(self):
        """As Handle.assumptions, of all handles together."""
        kept = self.kept_numbers()
        return assumptions_of((<array.array>kept).data.as_uints, <uint32_t>len(kept))

    @property
    def breaks(self):
        """As Handle.breaks, of all handles together; -1 once one of them is retired. Raises Released."""
        kept = self.kept_numbers()
        return breaks_of((<array.array>kept).data.as_uints, <uint32_t>len(kept))

    def broken_facets(self):
        """As Handle.broken_facets(), of all handles together."""
        drain_now()
        kept = self.kept_numbers()
        return broken_of((<array.array>kept).data.as_uints, <uint32_t>len(kept))

    @property
    def broken_addresses(self):
        """Handle.broken_address of each handle, an array of uint64. Raises Released."""
        cdef uint32_t i
        self.check_live()
        cdef array.array found = array.clone(ADDRESSES, self.n, False)
        for i in range(self.n):
            found.data.as_ulonglongs[i] = <uintptr_t>handle_byte(self.numbers[i])
        return found

    def retire(self, reason):
        """Retire all of these handles for good. Returns whether one was not retired yet.

        Lets other threads run in between; handles that one of them releases are left out. Cost: a microsecond for each; their
        edges are purged at the next drain. Raises TypeError unless reason is a str; Released.
        """
        cdef Handle handle
        cdef uint32_t i, number
        cdef bint first = False
        cdef Pauses pauses = pauses_of_drain()
        reason = check_reason(reason)
        self.check_live()
        self.reserve_reasons()
        for i in range(self.n):
            if i % PAUSE_LOOK == PAUSE_LOOK - 1 and pause_after(&pauses, PAUSE_LOOK) and self.was_released:
                break  # the numbers may be those of other handles
            number = self.numbers[i]
            handle = <Handle>self.made[i] if self.asked[i] else None
            if (handle is None or not handle.was_released) and handle_byte(number)[0] != BYTE_RETIRED:
                self.give_reason(number, reason)
                count_state(number, HANDLE_RETIRED, CALLED)
                handle_retire(number)
                first = True
        return first

    def release(self):
        """Give all handles up. Call it when none of their code runs any more: bytes and cells are freed at the next drain.
        Idempotent."""
        self.give_up()
        drop_discarded()

    cdef uint32_t index_of(self, uint32_t number) noexcept:
        cdef uint32_t low = 0, middle, high = self.n
        if number - self.numbers[0] < high and self.numbers[number - self.numbers[0]] == number:
            return number - self.numbers[0]  # most often they were all given one after the other
        while low + 1 < high:
            middle = (low + high) >> 1
            if self.numbers[middle] <= number:
                low = middle
            else:
                high = middle
        return low

    cdef Handle handle_of(self, uint32_t number):
        return self.handle_at(self.index_of(number))

    cdef bint tells_end(self, uint32_t number) noexcept:
        if self.on_retire is not None:
            return True
        cdef uint32_t index = self.index_of(number)
        return self.asked[index] and (<Handle>self.made[index]).entries is not None

    cdef int reserve_reasons(self) except -1:
        if self.reasons is None:
            self.reasons = nones(self.n)
        return 0

    cdef int give_reason(self, uint32_t number, str reason) except -1:
        cdef uint32_t index = self.index_of(number)
        if self.asked[index]:
            (<Handle>self.made[index]).why_retired = reason
            return 0
        self.reserve_reasons()
        self.reasons[index] = reason
        return 0


cdef int give_up_after_fork() noexcept:
    """Release in the child what other threads of the parent were about to."""
    while first_giving_up is not None:
        first_giving_up.give_up()
    return 0


cdef list nones(Py_ssize_t n):
    return [None] * n
