"""Part of _core: what Python knows of a facet: who listens, and what broke it last."""

cdef AddressMap notes  # owned FacetNotes by facet
notes.slots = address_map_nothing


@cython.final
@cython.auto_pickle(False)
cdef class FacetNotes(Discardable):
    """Goes with the facet. Taking a subscription out needs no memory: del of a list's item may."""

    cdef list subscriptions       # the first n, in the order in which they came, then None
    cdef Py_ssize_t n
    cdef list ended               # what they were: let go when no state is in the making any more
    cdef str broke, broke_before  # the last two changes that broke it, in words: no value is kept alive for them
    cdef uint32_t repeats         # how often in a row one of these was the last one again

    cdef int let_go(self) noexcept:
        self.ended = None
        return 0

    cdef int end(self) noexcept:
        """Nobody listens any more."""
        self.ended, self.subscriptions, self.n = self.subscriptions, None, 0
        discard(self)
        return 0

    cdef int breaks_by(self, str change) noexcept:
        self.repeats = self.repeats + 1 if change == self.broke or change == self.broke_before else 0
        self.broke_before, self.broke = self.broke, change
        return 0

    cdef str last_break(self):
        """In words; None: its details were dropped."""
        return self.broke if self.broke is None or self.repeats < 2 else f"{self.broke}; it goes to and fro"

    cdef int reserve(self) except -1:
        """For one subscription more."""
        if self.subscriptions is None:
            self.subscriptions = [None]
        elif len(self.subscriptions) == self.n:
            self.subscriptions.append(None)
        return 0

    cdef int put(self, subscription) noexcept:
        self.subscriptions[self.n] = subscription
        self.n += 1
        return 0

    cdef int take_out(self, subscription) noexcept:
        cdef Py_ssize_t i
        for i in range(self.n):
            if self.subscriptions[i] is subscription:
                break
        else:
            return 0
        self.n -= 1
        while i < self.n:
            self.subscriptions[i] = self.subscriptions[i + 1]
            i += 1
        self.subscriptions[i] = None
        return 0


cdef FacetNotes notes_of(uint32_t facet):
    """Or None."""
    found = address_map_find(&notes, facet_at(facet))
    return None if found == NULL else <FacetNotes>found


cdef FacetNotes make_notes(uint32_t facet):
    """Those that are there, or new ones."""
    found = notes_of(facet)
    if found is not None:
        return found
    found = <FacetNotes>FacetNotes.__new__(FacetNotes)
    if not address_map_insert(&notes, facet_at(facet), <void*>found):
        raise MemoryError()
    Py_INCREF(found)
    return found


cdef int facet_freed(uint32_t facet) noexcept:
    """Its number is about to mean another one."""
    found = notes_of(facet)
    if found is not None:
        address_map_remove(&notes, facet_at(facet))
        discard(found)
        Py_DECREF(found)
    return 0


cdef int facet_died(uint32_t facet) noexcept:
    """With its object: nothing is left to listen to."""
    cdef FacetNotes found = notes_of(facet)
    cdef Py_ssize_t i
    if found is not None and found.n != 0:
        for i in range(found.n):
            (<Subscription>found.subscriptions[i]).leave(facet)
        found.end()
    return 0


@cython.final
@cython.auto_pickle(False)
cdef class Subscription(Ours):
    """One listener's interest in some facets. Lasts until cancel() or until their objects die."""

    cdef readonly object listener
    cdef list facets       # FacetReference, each once: the first n, then None
    cdef Py_ssize_t n
    cdef bint cancelled
    cdef bint raises       # its last call did

    cdef int enter(self, list facets) except -1:
        """All or, out of memory, none. facets becomes the subscription's."""
        cdef uint32_t id
        cdef Py_ssize_t i
        for i in range(len(facets)):
            make_notes((<FacetReference>facets[i]).id).reserve()
        for i in range(len(facets)):
            id = (<FacetReference>facets[i]).id
            notes_of(id).put(self)
            facet_at(id).listeners += 1
        self.facets, self.n = facets, len(facets)
        return 0

    cdef int leave(self, uint32_t facet) noexcept:
        """Stop listening to one of its facets. Does not take itself out of the notes."""
        cdef Py_ssize_t i
        for i in range(self.n):
            if (<FacetReference>self.facets[i]).id == facet:
                facet_at(facet).listeners -= 1
                self.n -= 1
                self.facets[i] = self.facets[self.n]
                self.facets[self.n] = None
                return 0
        return 0

    def cancel(self):
        """Stop listening; what is not yet delivered is not delivered any more. Idempotent."""
        cdef uint32_t id
        self.cancelled = True
        while self.n > 0:
            id = (<FacetReference>self.facets[self.n - 1]).id
            notes_of(id).take_out(self)
            self.leave(id)


def subscribe_to(listener, list facets):
    """Call listener(event) in the drain for every event of these facets, from now on."""
    cdef list once = []
    if switched_off:
        facets = once  # none
    for reference in facets:
        if not any_same(once, reference):
            once.append(reference)
    subscription = <Subscription>Subscription.__new__(Subscription)
    subscription.listener = listener
    subscription.enter(once)
    return subscription


cdef bint any_same(list references, FacetReference reference) except -1:
    facet_given(reference)
    for each in references:
        if (<FacetReference>each).id == reference.id:
            return True
    return False
