/* Graph: the index by itself, facets and handles being plain numbers. For replays, and to be measured. No Python.h.
 *
 * The same sets, lists, bytes and batches as in the live index, where the sets lie in the facets.
 */
#ifndef DW_GRAPH_H
#define DW_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/bytes.h"
#include "index/edges.h"
#include "index/gathering.h"
#include "index/pool.h"

typedef struct Graph {
    Pool sets;       /* Dependents, by facet */
    Pool lists;      /* FacetList, by handle */
    uint8_t **bytes; /* owned chunks, owned */
    uint32_t n_chunks;
    uint64_t n_edges;
    Gathering gathering;
} Graph;

#define GRAPH_EMPTY                                                                                                   \
    {                                                                                                                 \
        .sets = POOL_OF(Dependents), .lists = POOL_OF(FacetList)                                                      \
    }

static inline void graph_begin(Graph *graph) { *graph = (Graph)GRAPH_EMPTY; }

/* All return false when out of memory; the graph is then as it was.
 *
 * Facets are numbered 0 to n_facets - 1, handles 0 to n_handles - 1. Grows only. */
bool graph_reserve(Graph *graph, uint32_t n_facets, uint32_t n_handles);
/* handles[i], ascending, depends on facets[offsets[i]] to facets[offsets[i + 1] - 1], in any order. They had no edges. */
bool graph_add(Graph *graph, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets);
/* All edges of these handles, ascending; their bytes are 0 again. */
bool graph_remove(Graph *graph, const uint32_t *handles, uint32_t n);
/* The facets of n handles, as graph_add takes them: fills offsets (n + 1) and returns facets (malloc'ed), or NULL. */
uint32_t *graph_facets(const Graph *graph, const uint32_t *handles, uint32_t n, uint64_t *offsets);

static inline Dependents *graph_set(const Graph *graph, uint32_t facet) { return POOL_AT(Dependents, &graph->sets, facet); }
static inline FacetList *graph_list(const Graph *graph, uint32_t handle) { return POOL_AT(FacetList, &graph->lists, handle); }

/* What an event does: one assumption more, or less, is broken for each dependent of the facet. */
static inline void graph_break(Graph *graph, uint32_t facet)
{
    bytes_change(graph->bytes, graph_set(graph, facet), BYTE_BREAKS);
}

static inline void graph_hold(Graph *graph, uint32_t facet)
{
    bytes_change(graph->bytes, graph_set(graph, facet), BYTE_HOLDS);
}

/* The union of the dependents of n facets in the portable Roaring format: *size bytes, malloc'ed; NULL: no memory. */
uint8_t *graph_union(Graph *graph, const uint32_t *facets, uint32_t n, size_t *size);

typedef struct GraphMemory {
    size_t reverse; /* bytes: sets, and the blocks that they own */
    size_t forward; /* bytes: lists, and the blocks that they own */
    size_t free;    /* bytes in no block, of this graph or any other set of the process */
    uint64_t edges;
} GraphMemory;

GraphMemory graph_memory(const Graph *graph);
/* What is wrong with it, or NULL: the two sides of the index must agree. Out of memory is wrong, too. */
const char *graph_wrong(const Graph *graph);
void graph_free(Graph *graph);

#endif
