/* The index of depwatch, from the sources that the extension is built from. */
#include <stdlib.h>

#include "index/graph.h"
#include "structure.h"

static void destroy(void *self)
{
    graph_free(self);
    free(self);
}

static void *create(uint32_t n_facets, uint32_t n_handles)
{
    Graph *graph = malloc(sizeof *graph);
    if (graph == NULL)
        return NULL;
    *graph = (Graph)GRAPH_EMPTY;
    if (graph_reserve(graph, n_facets, n_handles))
        return graph;
    destroy(graph);
    return NULL;
}

static bool add(void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    return graph_add(self, handles, n, offsets, facets);
}

static bool remove_handles(void *self, const uint32_t *handles, uint32_t n) { return graph_remove(self, handles, n); }

static void break_facet(void *self, uint32_t facet) { graph_break(self, facet); }

static void mend_facet(void *self, uint32_t facet) { graph_hold(self, facet); }

static uint8_t *unite(void *self, const uint32_t *facets, uint32_t n, size_t *size)
{
    return graph_union(self, facets, n, size);
}

static uint8_t byte(const void *self, uint32_t handle) { return *byte_at(((const Graph *)self)->bytes, handle); }

static void memory(const void *self, size_t *reverse, size_t *forward)
{
    GraphMemory bytes = graph_memory(self);
    *reverse = bytes.reverse + bytes.free; /* taken from the system, whoever may use it next */
    *forward = bytes.forward;
}

const Structure ours = {
    .name = "depwatch",
    .create = create,
    .destroy = destroy,
    .add = add,
    .remove = remove_handles,
    .break_facet = break_facet,
    .mend_facet = mend_facet,
    .unite = unite,
    .byte = byte,
    .memory = memory,
};
