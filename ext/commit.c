#include "commit.h"

#include <stdlib.h>

#include "facets.h"
#include "handles.h"
#include "service.h"

static bool is_stale(const Assumption *assumption)
{
    const Facet *facet = facet_at(assumption->facet);
    bool as_read = facet->generation == assumption->generation && !facet->dead && facet->known;
    return !as_read || (facet_has_value(facet) && !(facet->recorded != NULL && facet->holds));
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The facets of the assumptions, ascending, each once; *n becomes their number. NULL when out of memory. */
static uint32_t *facets_of(const Assumption *assumptions, uint32_t *n)
{
    uint32_t *facets = malloc((*n + 1) * sizeof *facets), unique = 0;
    if (facets == NULL)
        return NULL;
    for (uint32_t i = 0; i < *n; i++)
        facets[i] = assumptions[i].facet;
    qsort(facets, *n, sizeof *facets, by_id);
    for (uint32_t i = 0; i < *n; i++)
        if (unique == 0 || facets[unique - 1] != facets[i])
            facets[unique++] = facets[i];
    *n = unique;
    return facets;
}

uint32_t handle_commit(const Assumption *assumptions, uint32_t n, uint16_t unstable_after, uint32_t *witness)
{
    for (*witness = 0; *witness < n; ++*witness)
        if (is_stale(&assumptions[*witness]))
            return NO_ID;
    uint32_t *facets = facets_of(assumptions, &n), added = 0;
    uint32_t id = facets == NULL ? NO_ID : handle_new(unstable_after);
    if (id == NO_ID)
        goto no_memory;
    for (; added < n; added++)
        if (!dependents_add(&facet_at(facets[added])->handles, id))
            goto no_memory;
    for (uint32_t i = 0; i < n; i++) {
        Facet *facet = facet_at(facets[i]);
        if (unstable_after < facet->limit)
            facet->limit = unstable_after;
    }
    handle_at(id)->facets = facets;
    handle_at(id)->n_facets = n;
    dependency_count += n;
    return id;
no_memory:
    while (added > 0)
        dependents_remove(&facet_at(facets[--added])->handles, id);
    if (id != NO_ID)
        handle_free(id);
    free(facets);
    PyErr_NoMemory();
    return NO_ID;
}

void handle_retire(uint32_t id)
{
    Handle *handle = handle_at(id);
    *handle_byte(id) = HANDLE_RETIRED;
    if (handle->queued)
        return;
    handle->queued = true;
    handle->next_retired = service.first_retired;
    service.first_retired = id;
    service_schedule();
}

void handle_release(uint32_t id)
{
    handle_at(id)->released = true;
    handle_retire(id);
}

void handle_purge(uint32_t id)
{
    Handle *handle = handle_at(id);
    for (uint32_t i = 0; i < handle->n_facets; i++) {
        dependents_remove(&facet_at(handle->facets[i])->handles, id);
        facet_touch(handle->facets[i]); /* perhaps nobody needs it now */
    }
    dependency_count -= handle->n_facets;
    free(handle->facets);
    handle->facets = NULL;
    handle->n_facets = 0;
}
