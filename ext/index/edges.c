#include "index/edges.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 12       /* how many sets ahead are prefetched */
#define FEW 48         /* up to so many edges are sorted by insertion */
#define DIGIT_BITS 11u /* of a pass of the radix sort, at most: so the ends of all buckets fit into the first-level cache */

/* --- sorting ------------------------------------------------------------------------------------------------------- */

static void sort_few(Edge *edges, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        Edge edge = edges[i];
        uint32_t j = i;
        for (; j > 0 && edges[j - 1].facet > edge.facet; j--)
            edges[j] = edges[j - 1];
        edges[j] = edge;
    }
}

/* Sorts by facet; edges of one facet stay in their order. */
static void sort(Edges *edges)
{
    uint32_t greatest = 1;
    if (edges->n <= FEW) {
        sort_few(edges->edges, edges->n);
        return;
    }
    for (uint32_t i = 0; i < edges->n; i++)
        greatest |= edges->edges[i].facet;
    unsigned bits = 32 - (unsigned)__builtin_clz(greatest), passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    unsigned digit = (bits + passes - 1) / passes;
    for (unsigned pass = 0; pass < passes; pass++) {
        uint32_t ends[1u << DIGIT_BITS] = {0}, mask = (1u << digit) - 1, shift = pass * digit, sum = 0;
        Edge *from = edges->edges, *to = edges->scratch;
        for (uint32_t i = 0; i < edges->n; i++)
            ends[from[i].facet >> shift & mask]++;
        for (uint32_t i = 0; i <= mask; i++) {
            uint32_t count = ends[i];
            ends[i] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < edges->n; i++)
            to[ends[from[i].facet >> shift & mask]++] = from[i];
        edges->edges = to;
        edges->scratch = from;
    }
}

static void drop_repeated(Edges *edges)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < edges->n; i++)
        if (n == 0 || memcmp(&edges->edges[n - 1], &edges->edges[i], sizeof(Edge)) != 0)
            edges->edges[n++] = edges->edges[i];
    edges->n = n;
}

bool edges_of(Edges *edges, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    uint64_t total = offsets[n] - offsets[0];
    *edges = (Edges){0};
    if (total >= UINT32_MAX)
        return false;
    edges->edges = malloc((total + 1) * sizeof(Edge));
    edges->scratch = malloc((total + 1) * sizeof(Edge));
    if (edges->edges == NULL || edges->scratch == NULL) {
        edges_free(edges);
        return false;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t j = offsets[i]; j < offsets[i + 1]; j++)
            edges->edges[edges->n++] = (Edge){facets[j], i};
    sort(edges);
    drop_repeated(edges);
    return true;
}

void edges_free(Edges *edges)
{
    free(edges->edges);
    free(edges->scratch);
    *edges = (Edges){0};
}

/* --- facet -> handles ---------------------------------------------------------------------------------------------- */

/* Prefetches for the edges after i: first the word of the set that will be changed, later its block. */
static inline void fetch(const Edges *edges, uint32_t i, const DependentsOf *sets)
{
    if (i + 2 * AHEAD < edges->n)
        __builtin_prefetch(dependents_of(sets, edges->edges[i + 2 * AHEAD].facet), 1);
    if (i + AHEAD < edges->n)
        dependents_fetch_block(dependents_of(sets, edges->edges[i + AHEAD].facet));
}

/* The handles of all edges that have the same facet as edge i, which is the first of them. *length: how many. */
static inline const uint32_t *run_at(const Edges *edges, uint32_t i, const uint32_t *handles, uint32_t *length)
{
    uint32_t facet = edges->edges[i].facet, n = 1, *run = (uint32_t *)edges->scratch;
    *length = 1;
    if (i + 1 == edges->n || edges->edges[i + 1].facet != facet)
        return &handles[edges->edges[i].index];
    run[0] = handles[edges->edges[i].index];
    for (; i + n < edges->n && edges->edges[i + n].facet == facet; n++)
        run[n] = handles[edges->edges[i + n].index];
    *length = n;
    return run;
}

static void remove_first(const Edges *edges, uint32_t n, const DependentsOf *sets, const uint32_t *handles)
{
    uint32_t length;
    for (uint32_t i = 0; i < n; i += length) {
        const uint32_t *run = run_at(edges, i, handles, &length);
        for (uint32_t j = i; j < i + length; j++)
            fetch(edges, j, sets);
        dependents_remove_many(dependents_of(sets, edges->edges[i].facet), run, length);
    }
}

bool edges_add(Edges *edges, const DependentsOf *sets, const uint32_t *handles, MayAdd *may, uint32_t *refused)
{
    uint32_t length;
    *refused = NO_ID;
    for (uint32_t i = 0; i < edges->n; i += length) {
        const uint32_t *run = run_at(edges, i, handles, &length);
        for (uint32_t j = i; j < i + length; j++)
            fetch(edges, j, sets);
        uint32_t facet = edges->edges[i].facet;
        if (may != NULL && !may(facet)) {
            *refused = facet;
            remove_first(edges, i, sets, handles);
            return false;
        }
        if (!dependents_add_many(dependents_of(sets, facet), run, length)) {
            remove_first(edges, i + length, sets, handles);
            return false;
        }
    }
    return true;
}

void edges_remove(Edges *edges, const DependentsOf *sets, const uint32_t *handles)
{
    remove_first(edges, edges->n, sets, handles);
}

/* --- handle -> facets ---------------------------------------------------------------------------------------------- */

bool edges_list(Edges *edges, uint32_t n, ListOf *list_of, void *context, const uint32_t *handles)
{
    /* The edges are in the order of the facets, so dealing them out by handle gives lists in that order. */
    uint32_t *facets = (uint32_t *)edges->scratch, *ends = calloc((size_t)n + 1, sizeof *ends), sum = 0;
    if (ends == NULL)
        return false;
    for (uint32_t i = 0; i < edges->n; i++)
        ends[edges->edges[i].index]++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t count = ends[i];
        ends[i] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < edges->n; i++)
        facets[ends[edges->edges[i].index]++] = edges->edges[i].facet;
    uint32_t done = 0;
    for (uint32_t start = 0; done < n; start = ends[done++])
        if (!facet_list_set(list_of(handles[done], context), &facets[start], ends[done] - start))
            break;
    free(ends);
    if (done == n)
        return true;
    while (done > 0)
        facet_list_clear(list_of(handles[--done], context));
    return false;
}

uint32_t *edges_facets(uint32_t n, ListOf *list_of, void *context, const uint32_t *handles, uint64_t *offsets)
{
    offsets[0] = 0;
    for (uint32_t i = 0; i < n; i++)
        offsets[i + 1] = offsets[i] + facet_list_count(list_of(handles[i], context));
    uint32_t *facets = malloc((offsets[n] + 1) * sizeof *facets);
    for (uint32_t i = 0; facets != NULL && i < n; i++)
        facet_list_read(list_of(handles[i], context), &facets[offsets[i]]);
    return facets;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static const char *list_wrong(uint32_t handle, const FacetList *list, const DependentsOf *sets, uint32_t n_facets)
{
    uint32_t n = 0, last = 0;
    for (FacetWalk walk = facet_list_walk(list); facet_list_next(&walk); last = walk.facet) {
        if (walk.facet >= n_facets || (n++ > 0 && walk.facet <= last))
            return "the facets of a handle are not ascending, or one of them does not exist";
        if (!dependents_has(dependents_of(sets, walk.facet), handle))
            return "a handle depends on a facet that does not have it among its dependents";
    }
    return NULL;
}

const char *edges_wrong(const DependentsOf *sets, uint32_t n_facets, ListOf *list_of, void *context, uint32_t n_handles,
                        uint64_t n_edges)
{
    uint64_t forward = 0, reverse = 0;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < n_facets && wrong == NULL; i++) {
        wrong = dependents_wrong(dependents_of(sets, i));
        reverse += dependents_count(dependents_of(sets, i));
    }
    for (uint32_t i = 0; i < n_handles && wrong == NULL; i++) {
        wrong = list_wrong(i, list_of(i, context), sets, n_facets);
        forward += facet_list_count(list_of(i, context));
    }
    if (wrong == NULL && (forward != reverse || forward != n_edges))
        wrong = "the two directions of the index and its count do not have the same number of edges";
    return wrong;
}
