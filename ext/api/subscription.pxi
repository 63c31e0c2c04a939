"""Part of _core: what Python knows of a facet: who listens, and what broke it last."""

cdef AddressMap notes  # owned FacetNotes by facet
notes.slots = address_map_nothing


@cython.final
@cython.auto_pickle(False)
cdef class FacetNotes(Discardable):
    """Goes with the facet."""

    cdef list subscriptions
    cdef str broke  # the change that broke it last, in words: no value is kept alive for it

    cdef int let_go(self) noexcept:
        self.subscriptions = None
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
    found = notes_of(facet)
    if found is not None and found.subscriptions is not None:
        for subscription in found.subscriptions:
            (<Subscription>subscription).leave(facet)
        discard(found)
    return 0


@cython.final
@cython.auto_pickle(False)
cdef class Subscription(Ours):
    """One listener's interest in some facets. Lasts until cancel() or until their objects die."""

    cdef readonly object listener
    cdef list facets       # FacetReference, each once
    cdef bint cancelled
    cdef bint raises       # its last call did

    cdef int enter(self, list facets) except -1:
        """All or, out of memory, none. facets becomes the subscription's."""
        cdef FacetNotes found
        cdef Py_ssize_t i
        self.facets = facets
        for i in range(len(facets)):
            id = (<FacetReference>facets[i]).id
            try:
                found = make_notes(id)
                if found.subscriptions is None:
                    found.subscriptions = []
                found.subscriptions.append(self)
            except MemoryError:
                while len(facets) > i:
                    del facets[len(facets) - 1]
                self.cancel()
                raise
            facet_at(id).listeners += 1
        return 0

    cdef int leave(self, uint32_t facet) noexcept:
        """Stop listening to one of its facets. Does not take itself out of the notes."""
        for i in range(len(self.facets)):
            if (<FacetReference>self.facets[i]).id == facet:
                facet_at(facet).listeners -= 1
                del self.facets[i]
                return 0
        return 0

    def cancel(self):
        """Stop listening; what is not yet delivered is not delivered any more. Idempotent."""
        self.cancelled = True
        while self.facets:
            id = (<FacetReference>self.facets[len(self.facets) - 1]).id
            take_out(notes_of(id).subscriptions, self)
            self.leave(id)


cdef int take_out(list subscriptions, subscription) noexcept:
    for i in range(0 if subscriptions is None else len(subscriptions)):
        if subscriptions[i] is subscription:
            del subscriptions[i]
            return 0
    return 0


def subscribe_to(listener, list facets):
    """Call listener(event) in the drain for every event of these facets, from now on."""
    cdef list once = []
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
