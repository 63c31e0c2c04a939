/* Graph: the index alone, without objects: facets and handles are plain numbers. Used by replays and benchmarks. No Python.h.
 *
 * It has the same sets, lists, bytes and batches as the live index, but its sets lie in a pool, not in the facets.
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
    uint8_t **bytes; /* owned array of owned chunks */
    uint32_t n_chunks;
    uint64_t n_edges;
    Gathering gathering;
} Graph;

#define GRAPH_EMPTY                                                                                                   \
    {                                                                                                                 \
        .sets = POOL_OF(Dependents), .lists = POOL_OF(FacetList)                                                      \
    }

static inline void graph_begin(Graph *graph) { *graph = (Graph)GRAPH_EMPTY; }

/* These functions return false when out of memory; the graph is then as it was.
 *
 * Makes room for facets 0 to n_facets - 1 and handles 0 to n_handles - 1. A graph only grows. */
bool graph_reserve(Graph *graph, uint32_t n_facets, uint32_t n_handles);
/* Adds edges: handles[i] depends on facets[offsets[i]] to facets[offsets[i + 1] - 1], in any order. handles are ascending and
 * had no edges. */
bool graph_add(Graph *graph, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets);
/* Removes all edges of these ascending handles, and sets their bytes to 0. */
bool graph_remove(Graph *graph, const uint32_t *handles, uint32_t n);
/* The facets of n handles, as graph_add() takes them: fills offsets (n + 1 of them) and returns facets, malloc'ed; or NULL. */
uint32_t *graph_facets(const Graph *graph, const uint32_t *handles, uint32_t n, uint64_t *offsets);

static inline Dependents *graph_set(const Graph *graph, uint32_t facet) { return POOL_AT(Dependents, &graph->sets, facet); }
static inline FacetList *graph_list(const Graph *graph, uint32_t handle) { return POOL_AT(FacetList, &graph->lists, handle); }

/* What events do: the facet breaks, or holds again, so each dependent has one more broken assumption, or one less. */
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
    size_t free;    /* bytes in no block; blocks are shared by all graphs and sets of the process */
    uint64_t edges;
} GraphMemory;

GraphMemory graph_memory(const Graph *graph);
/* Checks that both directions of the index agree: describes the first error, or returns NULL. Running out of memory also counts
 * as an error. */
const char *graph_wrong(const Graph *graph);
void graph_free(Graph *graph);

#endif
