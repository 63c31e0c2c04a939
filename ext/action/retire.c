#include "action/retire.h"

#include <stdlib.h>

#include "action/handle_listeners.h"
#include "facet/facets.h"
#include "facet/service.h"
#include "index/handles.h"

void handle_retire(uint32_t id)
{
    Handle *handle = handle_at(id);
    *handle_byte(id) = BYTE_RETIRED;
    if (handle->has_listeners)
        call_handle_listeners(id, NO_ID);
    if (handle->queued)
        return;
    handle->queued = true;
    handle->next_retired = NO_ID;
    if (service.first_retired == NO_ID)
        service.first_retired = id;
    else
        handle_at(service.last_retired)->next_retired = id;
    service.last_retired = id;
    service_schedule();
}

void handle_release(uint32_t id)
{
    handle_at(id)->released = true;
    handle_retire(id);
}

/* Purges edge by edge: for few handles, or where there is no memory to sort the edges. */
static void purge_each(const uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (FacetWalk walk = facet_list_walk(&handle_at(handles[i])->facets); facet_list_next(&walk);) {
            dependents_remove(&facet_at(walk.facet)->handles, handles[i]);
            facet_touch_if_idle(walk.facet);
            dependency_count--;
        }
}

#define FEW 4 /* handles */

static bool purge_sorted(const uint32_t *handles, uint32_t n)
{
    Edges edges = {0};
    uint64_t *offsets = n <= FEW ? NULL : malloc(((size_t)n + 1) * sizeof *offsets);
    uint32_t *facets = offsets == NULL ? NULL : edges_facets(n, handle_list, NULL, handles, offsets);
    bool found = facets != NULL && edges_of(&edges, n, offsets, facets);
    free(facets);
    free(offsets);
    if (!found)
        return false;
    edges_remove(&edges, &handles_of_facets, handles);
    for (uint32_t i = 0; i < edges.n; i++)
        if (i == 0 || edges.edges[i - 1].facet != edges.edges[i].facet)
            facet_touch_if_idle(edges.edges[i].facet);
    dependency_count -= edges.n;
    edges_free(&edges);
    return true;
}

void handles_purge(uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (handle_at(handles[i])->has_listeners)
            handle_listeners_leave(handles[i]);
    ids_sort(handles, n);
    if (!purge_sorted(handles, n))
        purge_each(handles, n);
    for (uint32_t i = 0; i < n; i++)
        facet_list_clear(&handle_at(handles[i])->facets);
}
