#include "index/graph.h"

#include <stdlib.h>
#include <string.h>

#include "index/blocks.h"

static DependentsOf sets_of(const Graph *graph) { return (DependentsOf){.facets = &graph->sets}; }

static FacetList *list_of(uint32_t handle, void *graph) { return graph_list(graph, handle); }

bool graph_reserve(Graph *graph, uint32_t n_facets, uint32_t n_handles)
{
    uint32_t n_chunks = n_handles == 0 ? 0 : ((n_handles - 1) >> BYTE_CHUNK_BITS) + 1;
    while (graph->sets.used < n_facets)
        if (pool_take(&graph->sets) == NO_ID)
            return false;
    while (graph->lists.used < n_handles)
        if (pool_take(&graph->lists) == NO_ID)
            return false;
    if (n_chunks <= graph->n_chunks)
        return true;
    uint8_t **bytes = realloc(graph->bytes, n_chunks * sizeof *bytes);
    if (bytes == NULL)
        return false;
    graph->bytes = bytes;
    for (; graph->n_chunks < n_chunks; graph->n_chunks++)
        if ((bytes[graph->n_chunks] = bytes_take()) == NULL)
            return false;
    return true;
}

bool graph_add(Graph *graph, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    DependentsOf sets = sets_of(graph);
    Edges edges;
    if (!edges_of(&edges, n, offsets, facets))
        return false;
    uint32_t refused;
    bool added = edges_add(&edges, &sets, handles, NULL, &refused);
    if (added && !edges_list(&edges, n, list_of, graph, handles)) {
        edges_remove(&edges, &sets, handles);
        added = false;
    }
    graph->n_edges += added ? edges.n : 0;
    edges_free(&edges);
    return added;
}

uint32_t *graph_facets(const Graph *graph, const uint32_t *handles, uint32_t n, uint64_t *offsets)
{
    return edges_facets(n, list_of, (void *)graph, handles, offsets);
}

bool graph_remove(Graph *graph, const uint32_t *handles, uint32_t n)
{
    DependentsOf sets = sets_of(graph);
    Edges edges = {0};
    uint64_t *offsets = malloc(((size_t)n + 1) * sizeof *offsets);
    uint32_t *facets = offsets == NULL ? NULL : graph_facets(graph, handles, n, offsets);
    bool found = facets != NULL && edges_of(&edges, n, offsets, facets);
    free(facets);
    free(offsets);
    if (!found)
        return false;
    edges_remove(&edges, &sets, handles);
    graph->n_edges -= edges.n;
    for (uint32_t i = 0; i < n; i++) {
        facet_list_clear(graph_list(graph, handles[i]));
        *byte_at(graph->bytes, handles[i]) = 0;
    }
    edges_free(&edges);
    return true;
}

uint8_t *graph_union(Graph *graph, const uint32_t *facets, uint32_t n, size_t *size)
{
    DependentsOf sets = sets_of(graph);
    if (!gathering_reserve(&graph->gathering, graph->lists.used))
        return NULL;
    gathering_add_facets(&graph->gathering, &sets, facets, n);
    *size = gathering_size(&graph->gathering);
    uint8_t *bytes = malloc(*size);
    if (bytes != NULL)
        gathering_write(&graph->gathering, bytes);
    else
        gathering_empty(&graph->gathering);
    return bytes;
}

GraphMemory graph_memory(const Graph *graph)
{
    GraphMemory memory = {.free = block_memory().free, .edges = graph->n_edges};
    for (uint32_t i = 0; i < graph->sets.used; i++)
        memory.reverse += sizeof(Dependents) + dependents_memory(graph_set(graph, i));
    for (uint32_t i = 0; i < graph->lists.used; i++)
        memory.forward += sizeof(FacetList) + facet_list_memory(graph_list(graph, i));
    return memory;
}

const char *graph_wrong(const Graph *graph)
{
    DependentsOf sets = sets_of(graph);
    return edges_wrong(&sets, graph->sets.used, list_of, (void *)graph, graph->lists.used, graph->n_edges);
}

void graph_free(Graph *graph)
{
    for (uint32_t i = 0; i < graph->sets.used; i++)
        dependents_clear(graph_set(graph, i));
    for (uint32_t i = 0; i < graph->lists.used; i++)
        facet_list_clear(graph_list(graph, i));
    pool_free(&graph->sets);
    pool_free(&graph->lists);
    for (uint32_t i = 0; i < graph->n_chunks; i++)
        bytes_give(graph->bytes[i]);
    free(graph->bytes);
    gathering_free(&graph->gathering);
    *graph = (Graph)GRAPH_EMPTY;
}
