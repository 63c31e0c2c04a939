"""Part of _core: the index by itself, for replays. Facets and handles are plain numbers here."""


@cython.final
cdef class EdgeTable:
    """A Graph (graph.h). Arrays are of uint32, offsets of uint64; numbers are checked by who calls: see depwatch/graph.py."""

    cdef Graph graph

    def __cinit__(self):
        graph_begin(&self.graph)

    def __dealloc__(self):
        graph_free(&self.graph)

    def reserve(self, uint32_t n_facets, uint32_t n_handles):
        if not graph_reserve(&self.graph, n_facets, n_handles):
            raise MemoryError()

    @property
    def n_facets(self):
        return self.graph.sets.used

    @property
    def n_handles(self):
        return self.graph.lists.used

    @property
    def n_edges(self):
        return self.graph.n_edges

    def add(self, const uint32_t[::1] handles not None, const uint64_t[::1] offsets not None,
            const uint32_t[::1] facets not None):
        """The i-th of the handles (ascending, without edges) depends on facets[offsets[i]:offsets[i + 1]]."""
        cdef Py_ssize_t i
        check_offsets(offsets, len(facets), "facets")
        if len(offsets) != len(handles) + 1:
            raise ValueError(f"there are {len(offsets)} offsets for {len(handles)} handles; give one more")
        for i in range(len(handles)):
            if handles[i] >= self.graph.lists.used or (i and handles[i] <= handles[i - 1]):
                raise ValueError(f"handles[{i}] is {handles[i]}; they must ascend and be below {self.graph.lists.used}")
            if facet_list_count(graph_list(&self.graph, handles[i])):
                raise ValueError(f"handle {handles[i]} has dependencies already; remove them first")
        for i in range(len(facets)):
            if facets[i] >= self.graph.sets.used:
                raise ValueError(f"facets[{i}] is {facets[i]}; they must be below {self.graph.sets.used}")
        if len(handles) and not graph_add(&self.graph, &handles[0], <uint32_t>len(handles), &offsets[0],
                                          &facets[0] if len(facets) else NULL):
            raise MemoryError()

    def remove(self, const uint32_t[::1] handles not None):
        """Take these handles (ascending) out of every facet."""
        if len(handles) and not graph_remove(&self.graph, &handles[0], <uint32_t>len(handles)):
            raise MemoryError()

    def dependents(self, const uint32_t[::1] facets not None):
        """The union of the dependents of these facets, in the portable Roaring format."""
        cdef size_t size = 0
        cdef uint8_t* portable = graph_union(&self.graph, &facets[0] if len(facets) else NULL, <uint32_t>len(facets), &size)
        if portable == NULL:
            raise MemoryError()
        try:
            return (<char*>portable)[:size]
        finally:
            free(portable)

    def facets(self, const uint32_t[::1] handles not None):
        """(offsets, facets) of these handles, as add() takes them; each one's ascending."""
        cdef array.array offsets = array.clone(ADDRESSES, len(handles) + 1, True)
        cdef uint64_t* ends = <uint64_t*>offsets.data.as_ulonglongs
        if len(handles) == 0:
            return offsets, array.clone(IDS, 0, False)
        facets = graph_facets(&self.graph, &handles[0], <uint32_t>len(handles), ends)
        return offsets, take_facets(facets, ends[len(handles)])

    def breaks(self, uint32_t facet):
        graph_break(&self.graph, facet)

    def mends(self, uint32_t facet):
        graph_mend(&self.graph, facet)

    def byte(self, uint32_t handle):
        return byte_at(self.graph.bytes, handle)[0]

    def check(self):
        """Whether both sides agree and every set is well made: raises AssertionError. Cost: each edge is looked up."""
        cdef const char* wrong = graph_wrong(&self.graph)
        if wrong != NULL:
            raise AssertionError(wrong.decode())


def use_avx2(bint use):
    """Whether dense sets are walked 32 bytes at a time from now on; whether they are (the CPU must have it)."""
    return bytes_use_avx2(use)
