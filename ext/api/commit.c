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

/* Makes a handle. If depwatch is switched off, it is retired from the start, and no callback is called for that. */
static uint32_t new_handle(const Recording *recording)
{
    uint32_t id = handle_new(recording->unstable_after);
    if (recording->unstable_after < service.unstable_after)
        service.unstable_after = recording->unstable_after;
    if (id == NO_ID)
        return NO_ID;
    handle_at(id)->heard = recording->heard;
    handle_at(id)->tally = recording->tally & 0x3ff;
    if (switched_off) {
        *handle_byte(id) = BYTE_RETIRED;
        handle_at(id)->told = HANDLE_RETIRED;
    }
    return id;
}

/* The assumption of the i-th read. reads: NULL: each assumption is read once, in their order. */
static inline uint32_t read_at(const uint32_t *reads, uint64_t i) { return reads == NULL ? (uint32_t)i : reads[i]; }

/* The facets of n reads, in the order of the reads, malloc'ed; NULL when out of memory. */
static uint32_t *facets_read(const Assumption *assumptions, uint64_t n, const uint32_t *reads)
{
    uint32_t *facets = malloc((n + 1) * sizeof *facets);
    for (uint64_t i = 0; facets != NULL && i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(&assumptions[read_at(reads, i + AHEAD)]);
        facets[i] = assumptions[read_at(reads, i)].facet;
    }
    return facets;
}

/* Whether a facet's own 32-bit counter may be the same number again since a count of the whole process was `before`. */
static bool may_have_wrapped(uint64_t before, uint64_t now) { return now - before > UINT32_MAX; }

/* The first read, in their order, whose facet is no more as it was read, or broke meanwhile; or NO_ID. */
static uint32_t first_stale(const Recording *recording, uint64_t n, const uint32_t *reads)
{
    bool any_generation = may_have_wrapped(recording->generations, service.generations);
    bool any_fall = may_have_wrapped(recording->breaks, service.breaks);
    for (uint64_t i = 0; i < n; i++) {
        const Assumption *assumption = &recording->assumptions[read_at(reads, i)];
        const Facet *facet = facet_at(assumption->facet);
        bool broke = (any_fall || facet->falls != assumption->falls) && !recording->allow_undone;
        if (broke || any_generation || rest_of(facet)->generation != assumption->generation || !still_holds(assumption->facet))
            return read_at(reads, i);
    }
    return NO_ID;
}

static bool new_handles(uint32_t *handles, uint32_t n, const Recording *recording)
{
    for (uint32_t i = 0; i < n; i++)
        if ((handles[i] = new_handle(recording)) == NO_ID) {
            while (i > 0)
                handle_free(handles[--i]);
            return false;
        }
    ids_sort(handles, n); /* the pool gives reused IDs in any order */
    return true;
}

/* Whether nothing that a recorder had read has been recorded anew, or has broken, since this one began to read. */
static bool surely_fresh(const Recording *recording)
{
    return recording->generations == service.generations &&
           (recording->allow_undone || recording->breaks == service.breaks);
}

bool handles_commit(const Recording *recording, uint32_t n, const uint64_t *offsets, const uint32_t *reads, uint32_t *handles,
                    uint32_t *witness)
{
    *witness = surely_fresh(recording) ? NO_ID : first_stale(recording, offsets[n], reads);
    if (*witness != NO_ID)
        return false;
    Edges edges;
    uint32_t *facets = facets_read(recording->assumptions, offsets[n], reads), refused = NO_ID;
    bool made = facets != NULL && edges_of(&edges, n, offsets, facets);
    free(facets);
    if (!made) {
        PyErr_NoMemory();
        return false;
    }
    if (!new_handles(handles, n, recording)) {
        made = false;
    } else if (!(made = edges_list(&edges, n, handle_list, NULL, handles) &&
                        edges_add(&edges, &handles_of_facets, handles, still_holds, &refused))) {
        for (uint32_t i = 0; i < n; i++)
            handle_free(handles[i]);
    }
    dependency_count += made ? edges.n : 0;
    edges_free(&edges);
    if (refused != NO_ID)
        *witness = first_stale(recording, offsets[n], reads);
    else if (!made)
        PyErr_NoMemory();
    return made;
}

uint32_t handle_commit(const Recording *recording, uint32_t n, uint32_t *witness)
{
    const uint64_t offsets[] = {0, n};
    uint32_t handle = NO_ID;
    return handles_commit(recording, 1, offsets, NULL, &handle, witness) ? handle : NO_ID;
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
        if (handle_bytes[i >> BYTE_CHUNK_BITS] != NULL && /* else memory ran out for the byte of the last handle */
            handle_state(i) != HANDLE_RETIRED && handle_at(i)->unstable_after < service.unstable_after)
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
