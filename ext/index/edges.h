/* Edges: adds or removes many dependencies (facet -> handle) at once. No Python.h.
 *
 * The edges are sorted by facet, so each set of dependents is changed once and in the order of memory, while the next sets are
 * prefetched. This is several times faster than edge by edge, where every edge waits for memory.
 */
#ifndef DW_EDGES_H
#define DW_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/blocks.h"
#include "index/dependents.h"
#include "index/facet_list.h"
#include "index/pool.h"

/* Says where the sets of dependents are: each is a field in the item of a pool. */
typedef struct DependentsOf {
    const Pool *facets;
    size_t offset; /* where the set is in an item, bytes */
} DependentsOf;

static inline Dependents *dependents_of(const DependentsOf *sets, uint32_t facet)
{
    return (Dependents *)((char *)pool_at(sets->facets, facet) + sets->offset);
}

typedef struct Edge {
    uint32_t facet;
    uint32_t index; /* the place of the handle among the handles of the batch */
} Edge;

typedef struct Edges {
    Edge *edges;   /* owned; distinct, sorted by facet, then by index */
    uint32_t n;
    Edge *scratch; /* owned; room for n more edges */
} Edges;

/* All of this file: safe points only. False: out of memory.
 *
 * Makes the edges of n handles: handle i depends on facets[offsets[i]] to facets[offsets[i + 1] - 1], in any order. */
bool edges_of(Edges *edges, uint32_t n, const uint64_t *offsets, const uint32_t *facets);
void edges_free(Edges *edges);
/* Adds each edge: handles[index] becomes a dependent of the facet. handles are ascending, and none is a dependent yet. may, if
 * not NULL, is asked for each facet while the facet is in the cache. False: nothing was added, because may(*refused) is false,
 * or (*refused is NO_ID) memory ran out. */
typedef bool MayAdd(uint32_t facet);
bool edges_add(Edges *edges, const DependentsOf *sets, const uint32_t *handles, MayAdd *may, uint32_t *refused);
void edges_remove(Edges *edges, const DependentsOf *sets, const uint32_t *handles);
/* Writes the facets of each of the n handles into its list, list_of(handles[index], context). If memory runs out, all of these
 * lists are empty. */
typedef FacetList *ListOf(uint32_t handle, void *context);
bool edges_list(Edges *edges, uint32_t n, ListOf *list_of, void *context, const uint32_t *handles);
/* The reverse of edges_of(): reads the lists of n handles, fills offsets (n + 1 of them) and returns the facets, malloc'ed; or
 * NULL. */
uint32_t *edges_facets(uint32_t n, ListOf *list_of, void *context, const uint32_t *handles, uint64_t *offsets);

/* Checks an index of so many facets, handles and edges: every set and list must be well formed, and both directions must have
 * the same edges. Describes the first error, or returns NULL. Running out of memory also counts as an error. */
const char *edges_wrong(const DependentsOf *sets, uint32_t n_facets, ListOf *list_of, void *context, uint32_t n_handles,
                        uint64_t n_edges);

#endif
