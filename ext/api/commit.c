#include "api/commit.h"

#include <stdlib.h>

#include "action/handle_listeners.h"
#include "facet/facets.h"
#include "facet/service.h"
#include "index/handles.h"
#include "notice/breaks.h"
#include "watch/switch.h"

#define AHEAD 16 /* how many facets ahead are prefetched */

/* Whether the facet still holds what was recorded with its present generation. */
static bool still_holds(uint32_t id)
{
    const Facet *facet = facet_at(id);
    if (facet->dead || !facet->known)
        return false;
    return !facet_has_value(facet) || facet_holds_now(facet);
}

static bool is_stale(const Assumption *assumption)
{
    return facet_at(assumption->facet)->generation != assumption->generation || !still_holds(assumption->facet);
}

/* --- one handle ---------------------------------------------------------------------------------------------------- */

/* The distinct facets of *n assumptions, ascending and malloc'ed; *n becomes their number. NULL when out of memory. */
static uint32_t *facets_of(const Assumption *assumptions, uint32_t *n)
{
    uint32_t *facets = malloc((*n + 1) * sizeof *facets), unique = 0;
    if (facets == NULL)
        return NULL;
    for (uint32_t i = 0; i < *n; i++)
        facets[i] = assumptions[i].facet;
    ids_sort(facets, *n);
    for (uint32_t i = 0; i < *n; i++)
        if (unique == 0 || facets[unique - 1] != facets[i])
            facets[unique++] = facets[i];
    *n = unique;
    return facets;
}

/* Makes a handle. If depwatch is switched off, it is retired from the start, and no callback is called for that. */
static uint32_t new_handle(uint16_t unstable_after)
{
    uint32_t id = handle_new(unstable_after);
    if (unstable_after < service.unstable_after)
        service.unstable_after = unstable_after;
    if (switched_off && id != NO_ID) {
        *handle_byte(id) = BYTE_RETIRED;
        handle_at(id)->told = HANDLE_RETIRED;
    }
    return id;
}

uint32_t handle_commit(const Assumption *assumptions, uint32_t n, uint16_t unstable_after, uint32_t *witness)
{
    for (*witness = 0; *witness < n; ++*witness)
        if (is_stale(&assumptions[*witness]))
            return NO_ID;
    uint32_t *facets = facets_of(assumptions, &n), added = 0;
    uint32_t id = facets == NULL ? NO_ID : new_handle(unstable_after);
    if (id == NO_ID || !facet_list_set(&handle_at(id)->facets, facets, n))
        goto no_memory;
    for (; added < n; added++)
        if (!dependents_add(&facet_at(facets[added])->handles, id))
            goto no_memory;
    dependency_count += n;
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

/* The facets of n reads, in the order of the reads, malloc'ed; NULL when out of memory. */
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

/* The first read whose facet has got another generation since, or NO_ID. */
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
        if ((handles[i] = new_handle(unstable_after)) == NO_ID) {
            while (i > 0)
                handle_free(handles[--i]);
            return false;
        }
    ids_sort(handles, n); /* the pool gives reused IDs in any order */
    return true;
}

bool handles_commit(const Assumption *assumptions, uint64_t generations, uint32_t n, const uint64_t *offsets,
                    const uint32_t *reads, uint16_t unstable_after, uint32_t *handles, uint32_t *witness)
{
    /* If service.generations is unchanged, no facet that a recorder had read has got another generation. */
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
    } else if (!(made = edges_list(&edges, n, handle_list, NULL, handles) &&
                        edges_add(&edges, &handles_of_facets, handles, still_holds, &refused))) {
        for (uint32_t i = 0; i < n; i++)
            handle_free(handles[i]);
    }
    dependency_count += made ? edges.n : 0;
    edges_free(&edges);
    if (refused != NO_ID)
        *witness = read_of(assumptions, offsets[n], reads, refused);
    else if (!made)
        PyErr_NoMemory();
    return made;
}

/* --- questions --------------------------------------------------------------------------------------------------- */

uint32_t *handles_facets(const uint32_t *handles, uint32_t n, uint64_t *offsets)
{
    return edges_facets(n, handle_list, NULL, handles, offsets);
}

/* A drain compares the breaks of a facet with service.unstable_after before it looks at any handle. */
static const char *limits_wrong(void)
{
    for (uint32_t i = 0; i < handle_pool.used; i++)
        if (handle_state(i) != HANDLE_RETIRED && handle_at(i)->unstable_after < service.unstable_after)
            return "a handle has a lower limit than the service knows";
    return NULL;
}

const char *index_wrong(void)
{
    const char *wrong =
        edges_wrong(&handles_of_facets, facet_pool.used, handle_list, NULL, handle_pool.used, dependency_count);
    wrong = wrong == NULL ? handle_listeners_wrong() : wrong;
    wrong = wrong == NULL ? facets_wrong() : wrong;
    wrong = wrong == NULL ? limits_wrong() : wrong;
    return wrong == NULL ? unfinished_wrong() : wrong;
}
