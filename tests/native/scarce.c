/* The index while memory is scarce: every few allocations one fails. Nothing may be lost then, added in part or leaked.
 * Prints how many changes failed and how many succeeded. Linked with --wrap for each function that allocates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/blocks.h"
#include "index/graph.h"

#define FACETS 24
#define HANDLES 140000

static unsigned fail_in; /* allocations until one fails; 0: none does */

static bool fails(void) { return fail_in != 0 && --fail_in == 0; }

BlockRef __real_block_take(unsigned class);
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_pages_take(bool huge);
BlockRef __wrap_block_take(unsigned class) { return fails() ? 0 : __real_block_take(class); }
void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }
void *__wrap_pages_take(bool huge) { return fails() ? NULL : __real_pages_take(huge); }

static uint8_t expected[FACETS][HANDLES]; /* the naive twin */
static uint32_t in_twin[FACETS];          /* how many are set in each row */
static bool added[HANDLES];
static uint32_t chosen[HANDLES], facets[HANDLES * 4];
static uint64_t offsets[HANDLES + 1];

static unsigned below(unsigned n)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 16) % n;
}

static void stop(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void expect(uint32_t facet, uint32_t handle, bool there)
{
    in_twin[facet] += there - expected[facet][handle];
    expected[facet][handle] = there;
}

static void compare(const Graph *graph)
{
    const char *wrong = graph_wrong(graph);
    if (wrong != NULL)
        stop(wrong);
    for (uint32_t facet = 0; facet < FACETS; facet++) {
        DependentsWalk walk;
        uint32_t n = 0;
        FOR_EACH_DEPENDENT(id, walk, graph_set(graph, facet)) {
            if (!expected[facet][id])
                stop("a set has a handle too many");
            n++;
        }
        if (n != in_twin[facet])
            stop("a set has lost a handle");
    }
}

/* Some handles that are there, or that are not, near each other or anywhere. */
static uint32_t choose(bool there)
{
    uint32_t n = 0, first = below(HANDLES), most = below(4) ? below(30) : below(9000), step = 1 + below(3) * below(40);
    for (uint32_t handle = first; handle < HANDLES && n < most; handle += step)
        if (added[handle] == there)
            chosen[n++] = handle;
    return n;
}

int main(void)
{
    Graph graph = GRAPH_EMPTY;
    unsigned failed = 0, succeeded = 0;
    if (!graph_reserve(&graph, FACETS, HANDLES))
        stop("no memory at all");
    for (unsigned step = 0; step < 1200; step++) {
        bool removing = below(5) < 2;
        uint32_t n = choose(removing), end = 0;
        for (uint32_t i = 0; i < n && !removing; i++) {
            for (unsigned j = below(4); j > 0; j--)
                facets[end++] = below(below(FACETS) + 1);
            offsets[i + 1] = end;
        }
        fail_in = below(4) ? 1 + below(below(60) + 1) : 0;
        bool done = removing ? graph_remove(&graph, chosen, n) : graph_add(&graph, chosen, n, offsets, facets);
        size_t size;
        uint8_t *portable = graph_union(&graph, facets, 3, &size);
        fail_in = 0;
        free(portable);
        failed += !done;
        succeeded += done;
        for (uint32_t i = 0; i < n && done; i++) {
            added[chosen[i]] = !removing;
            for (uint32_t facet = 0; facet < FACETS && removing; facet++)
                expect(facet, chosen[i], false);
            for (uint64_t j = offsets[i]; j < offsets[i + 1] && !removing; j++)
                expect(facets[j], chosen[i], true);
        }
        if (step % 16 == 0 || !done)
            compare(&graph);
    }
    graph_free(&graph);
    BlockMemory memory = block_memory();
    if (memory.free != memory.taken)
        stop("blocks are lost");
    printf("%u %u\n", failed, succeeded);
    return 0;
}
