/* Edges: many dependencies at once, in or out of the index. No Python.h.
 *
 * Sorted by facet, so that each set is touched once and in the order of memory, a few sets ahead being fetched. That is
 * several times faster than edge by edge, where each waits for memory.
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

/* Where the sets of dependents are: in the items of a pool. */
typedef struct DependentsOf {
    const Pool *facets;
    size_t offset; /* bytes, in an item */
} DependentsOf;

static inline Dependents *dependents_of(const DependentsOf *sets, uint32_t facet)
{
    return (Dependents *)((char *)pool_at(sets->facets, facet) + sets->offset);
}

typedef struct Edge {
    uint32_t facet;
    uint32_t index; /* of its handle among those of the batch */
} Edge;

typedef struct Edges {
    Edge *edges;   /* owned; by facet, then index; each once */
    uint32_t n;
    Edge *scratch; /* owned; as many */
} Edges;

/* All safe points only. False: out of memory.
 *
 * The edges of n handles: handle i depends on facets[offsets[i]] to facets[offsets[i + 1] - 1], in any order. */
bool edges_of(Edges *edges, uint32_t n, const uint64_t *offsets, const uint32_t *facets);
void edges_free(Edges *edges);
/* handles[index], ascending, become dependents. False: none are, as none of them was before, because may(facet) is false
 * for *refused, while it is in the cache (NULL: it may); or, *refused being NO_ID, out of memory. */
typedef bool MayAdd(uint32_t facet);
bool edges_add(Edges *edges, const DependentsOf *sets, const uint32_t *handles, MayAdd *may, uint32_t *refused);
void edges_remove(Edges *edges, const DependentsOf *sets, const uint32_t *handles);
/* Gives each of the n handles the list of its facets: list_of(context, handles[index]). Out of memory: all are empty. */
typedef FacetList *ListOf(uint32_t handle, void *context);
bool edges_list(Edges *edges, uint32_t n, ListOf *list_of, void *context, const uint32_t *handles);
/* The other way round, as edges_of takes them: fills offsets (n + 1) and returns the facets, malloc'ed; or NULL. */
uint32_t *edges_facets(uint32_t n, ListOf *list_of, void *context, const uint32_t *handles, uint64_t *offsets);

/* What is wrong with an index of so many facets, handles and edges, or NULL: every set and list must be well made, and the
 * two sides must agree. Out of memory is wrong, too. */
const char *edges_wrong(const DependentsOf *sets, uint32_t n_facets, ListOf *list_of, void *context, uint32_t n_handles,
                        uint64_t n_edges);

#endif
