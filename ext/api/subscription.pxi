"""Part of _core: what Python keeps for a facet: its subscriptions, and descriptions of the changes that broke it last."""

cdef AddressMap notes  # owned FacetNotes, by facet
notes.slots = address_map_nothing


@cython.final
@cython.auto_pickle(False)
cdef class FacetNotes(Discardable):
    """What Python keeps for one facet; freed with the facet. Taking a subscription out needs no memory, so the list does not
    shrink: deleting an item of a list may need some."""

    cdef uint32_t facet           # NO_ID: the facet was freed
    cdef list subscriptions       # the first n, in the order in which they were made; the rest is None
    cdef Py_ssize_t n
    cdef list ended               # former subscriptions, to be dropped when all state is consistent
    cdef str broke, broke_before  # the last two changes that broke the facet, in words, so that no value is kept alive
    cdef tuple parts              # of the last one: (Change, words of the old value, of the new one, file, line)
    cdef uint32_t repeats         # how often in a row a break had the words of one of the two before it

    @property
    def owner(self):
        """The object of which the facet is a part; None once it is dead or nothing relies on the facet any more. Events have these
        notes and not the object, because a listener that keeps events must not keep objects alive."""
        return None if self.facet == NO_ID else owner_of(self.facet)

    cdef int let_go(self) noexcept:
        self.ended = None
        return 0

    cdef int end(self) noexcept:
        """Take out all subscriptions."""
        self.ended, self.subscriptions, self.n = self.subscriptions, None, 0
        facet_at(self.facet).listeners &= ~LISTENERS_SUBSCRIBED
        discard(self)
        return 0

    cdef int breaks_by(self, str change, tuple parts) noexcept:
        self.repeats = self.repeats + 1 if change == self.broke or change == self.broke_before else 0
        self.broke_before, self.broke = self.broke, change
        self.parts = parts
        return 0

    cdef str last_break(self):
        """The last change that broke the facet, in words; None if its details were dropped."""
        return self.broke if self.broke is None or self.repeats < 2 else f"{self.broke}; it goes to and fro"

    cdef tuple last_change(self):
        return (None,) * 5 if self.parts is None else self.parts

    cdef int reserve(self) except -1:
        """Make room for one more subscription, so that put() cannot fail."""
        if self.subscriptions is None:
            self.subscriptions = [None]
        elif len(self.subscriptions) == self.n:
            self.subscriptions.append(None)
        return 0

    cdef int put(self, subscription) noexcept:
        self.subscriptions[self.n] = subscription
        self.n += 1
        facet_at(self.facet).listeners |= LISTENERS_SUBSCRIBED
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
        if self.n == 0:
            facet_at(self.facet).listeners &= ~LISTENERS_SUBSCRIBED
        return 0


cdef FacetNotes notes_of(uint32_t facet):
    """The notes of the facet, or None."""
    found = address_map_find(&notes, facet_at(facet))
    return None if found == NULL else <FacetNotes>found


cdef FacetNotes make_notes(uint32_t facet):
    """The notes of the facet, made if there are none."""
    found = notes_of(facet)
    if found is not None:
        return found
    found = <FacetNotes>FacetNotes.__new__(FacetNotes)
    (<FacetNotes>found).facet = facet
    if not address_map_insert(&notes, facet_at(facet), <void*>found):
        raise MemoryError()
    Py_INCREF(found)
    return found


cdef int facet_freed(uint32_t facet) noexcept:
    """The facet's number is about to mean another facet: drop its notes."""
    found = notes_of(facet)
    if found is not None:
        address_map_remove(&notes, facet_at(facet))
        (<FacetNotes>found).facet = NO_ID
        discard(found)
        Py_DECREF(found)
    return 0


cdef int facet_died(uint32_t facet) noexcept:
    """The facet's object died: end all its subscriptions."""
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
    """One listener that is called for events of some facets. Lasts until cancel(), or until all of their objects died."""

    cdef readonly object listener
    cdef list facets       # distinct FacetReferences: the first n; the rest is None
    cdef Py_ssize_t n
    cdef bint cancelled
    cdef bint raises       # whether the last call of the listener raised

    cdef int enter(self, list facets) except -1:
        """Enter the subscription in the notes of all facets, or (out of memory) of none. It takes over the list."""
        cdef uint32_t id
        cdef Py_ssize_t i
        for i in range(len(facets)):
            make_notes((<FacetReference>facets[i]).id).reserve()
        for i in range(len(facets)):
            id = (<FacetReference>facets[i]).id
            notes_of(id).put(self)
        self.facets, self.n = facets, len(facets)
        return 0

    cdef int leave(self, uint32_t facet) noexcept:
        """Stop listening to one facet. The caller takes the subscription out of the facet's notes."""
        cdef Py_ssize_t i
        for i in range(self.n):
            if (<FacetReference>self.facets[i]).id == facet:
                self.n -= 1
                self.facets[i] = self.facets[self.n]
                self.facets[self.n] = None
                return 0
        return 0

    def cancel(self):
        """Stop listening. Events that are not delivered yet are not delivered any more. Idempotent."""
        cdef uint32_t id
        self.cancelled = True
        while self.n > 0:
            id = (<FacetReference>self.facets[self.n - 1]).id
            notes_of(id).take_out(self)
            self.leave(id)


def subscribe_to(listener, list facets):
    """From now on, let drains call listener(event) for every event of these facets."""
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
