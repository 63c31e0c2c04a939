#include "commit.h"

#include <stdlib.h>

#include "facets.h"
#include "handle_listeners.h"
#include "handles.h"
#include "service.h"

#define AHEAD 16 /* facets that are fetched early */

const DependentsOf handles_of_facets = {.facets = &facet_pool, .offset = offsetof(Facet, handles)};

static FacetList *list_of(uint32_t handle, void *Py_UNUSED(context)) { return &handle_at(handle)->facets; }

/* Whether it is still as when its generation was read. */
static bool still_holds(uint32_t id)
{
    const Facet *facet = facet_at(id);
    if (facet->dead || !facet->known)
        return false;
    return !facet_has_value(facet) || (facet->recorded != NULL && facet->holds);
}

static bool is_stale(const Assumption *assumption)
{
    return facet_at(assumption->facet)->generation != assumption->generation || !still_holds(assumption->facet);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_ids(uint32_t *ids, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (ids[i - 1] > ids[i]) {
            qsort(ids, n, sizeof *ids, by_id);
            return;
        }
}

static void puts_up_with(uint16_t unstable_after)
{
    if (unstable_after < service.unstable_after)
        service.unstable_after = unstable_after;
}

/* --- one handle ---------------------------------------------------------------------------------------------------- */

/* The facets of the assumptions, ascending, each once; *n becomes their number. NULL when out of memory. */
static uint32_t *facets_of(const Assumption *assumptions, uint32_t *n)
{
    uint32_t *facets = malloc((*n + 1) * sizeof *facets), unique = 0;
    if (facets == NULL)
        return NULL;
    for (uint32_t i = 0; i < *n; i++)
        facets[i] = assumptions[i].facet;
    sort_ids(facets, *n);
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
    if (id == NO_ID || !facet_list_set(&handle_at(id)->facets, facets, n))
        goto no_memory;
    for (; added < n; added++)
        if (!dependents_add(&facet_at(facets[added])->handles, id))
            goto no_memory;
    dependency_count += n;
    puts_up_with(unstable_after);
    free(facets);
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

/* --- many ---------------------------------------------------------------------------------------------------------- */

/* The facet of each read, in their order; NULL when out of memory. */
static uint32_t *facets_read(const Assumption *assumptions, uint64_t n, const uint32_t *reads)
{
    uint32_t *facets = malloc((n + 1) * sizeof *facets);
    for (uint64_t i = 0; facets != NULL && i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(&assumptions[reads[i + AHEAD]]);
        facets[i] = assumptions[reads[i]].facet;
    }
    return facets;
}

/* The first read whose facet has another generation than the one that was read, or NO_ID. */
static uint32_t other_generation(const Assumption *assumptions, uint64_t n, const uint32_t *reads)
{
    for (uint64_t i = 0; i < n; i++)
        if (facet_at(assumptions[reads[i]].facet)->generation != assumptions[reads[i]].generation)
            return reads[i];
    return NO_ID;
}

static uint32_t read_of(const Assumption *assumptions, uint64_t n, const uint32_t *reads, uint32_t facet)
{
    for (uint64_t i = 0; i < n; i++)
        if (assumptions[reads[i]].facet == facet)
            return reads[i];
    return NO_ID;
}

static bool new_handles(uint32_t *handles, uint32_t n, uint16_t unstable_after)
{
    for (uint32_t i = 0; i < n; i++)
        if ((handles[i] = handle_new(unstable_after)) == NO_ID) {
            while (i > 0)
                handle_free(handles[--i]);
            return false;
        }
    sort_ids(handles, n); /* reused ones come in any order */
    return true;
}

bool handles_commit(const Assumption *assumptions, uint64_t generations, uint32_t n, const uint64_t *offsets,
                    const uint32_t *reads, uint16_t unstable_after, uint32_t *handles, uint32_t *witness)
{
    /* Where nothing was recorded anew since the first read, each facet has the generation that was read. */
    *witness = generations == service.generations ? NO_ID : other_generation(assumptions, offsets[n], reads);
    if (*witness != NO_ID)
        return false;
    Edges edges;
    uint32_t *facets = facets_read(assumptions, offsets[n], reads), refused = NO_ID;
    bool made = facets != NULL && edges_of(&edges, n, offsets, facets);
    free(facets);
    if (!made) {
        PyErr_NoMemory();
        return false;
    }
    if (!new_handles(handles, n, unstable_after)) {
        made = false;
    } else if (!(made = edges_list(&edges, n, list_of, NULL, handles) &&
                        edges_add(&edges, &handles_of_facets, handles, still_holds, &refused))) {
        for (uint32_t i = 0; i < n; i++)
            handle_free(handles[i]);
    }
    dependency_count += made ? edges.n : 0;
    puts_up_with(unstable_after);
    edges_free(&edges);
    if (refused != NO_ID)
        *witness = read_of(assumptions, offsets[n], reads, refused);
    else if (!made)
        PyErr_NoMemory();
    return made;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

void handle_retire(uint32_t id)
{
    Handle *handle = handle_at(id);
    *handle_byte(id) = BYTE_RETIRED;
    if (handle->heard)
        handle_listeners_hear(id, NO_ID);
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

/* Perhaps nobody needs it now. */
static void touch_if_idle(uint32_t id)
{
    const Facet *facet = facet_at(id);
    if (dependents_empty(&facet->handles) && facet->readers == 0)
        facet_touch(id);
}

/* Edge by edge: for few, or when there is no memory to sort them. */
static void purge_each(const uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (FacetWalk walk = facet_list_walk(&handle_at(handles[i])->facets); facet_list_next(&walk);) {
            dependents_remove(&facet_at(walk.facet)->handles, handles[i]);
            touch_if_idle(walk.facet);
            dependency_count--;
        }
}

#define FEW 4 /* handles */

static bool purge_sorted(const uint32_t *handles, uint32_t n)
{
    Edges edges = {0};
    uint64_t *offsets = n <= FEW ? NULL : malloc(((size_t)n + 1) * sizeof *offsets);
    uint32_t *facets = offsets == NULL ? NULL : edges_facets(n, list_of, NULL, handles, offsets);
    bool found = facets != NULL && edges_of(&edges, n, offsets, facets);
    free(facets);
    free(offsets);
    if (!found)
        return false;
    edges_remove(&edges, &handles_of_facets, handles);
    for (uint32_t i = 0; i < edges.n; i++)
        if (i == 0 || edges.edges[i - 1].facet != edges.edges[i].facet)
            touch_if_idle(edges.edges[i].facet);
    dependency_count -= edges.n;
    edges_free(&edges);
    return true;
}

void handles_purge(uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (handle_at(handles[i])->heard)
            handle_listeners_leave(handles[i]);
    sort_ids(handles, n);
    if (!purge_sorted(handles, n))
        purge_each(handles, n);
    for (uint32_t i = 0; i < n; i++)
        facet_list_clear(&handle_at(handles[i])->facets);
}

uint32_t *handles_facets(const uint32_t *handles, uint32_t n, uint64_t *offsets)
{
    return edges_facets(n, list_of, NULL, handles, offsets);
}

const char *index_wrong(void)
{
    const char *wrong =
        edges_wrong(&handles_of_facets, facet_pool.used, list_of, NULL, handle_pool.used, dependency_count);
    return wrong == NULL ? handle_listeners_wrong() : wrong;
}
