/* A sorted array of handles for each facet, allocated on its own. */
#include <stdlib.h>
#include <string.h>

#include "forward.h"
#include "radix.h"
#include "structure.h"

typedef struct Vector {
    uint32_t count, capacity;
    uint32_t handles[]; /* ascending, none twice */
} Vector;

typedef struct Vectors {
    Vector **of; /* owned, n_facets entries; NULL: no dependents */
    uint8_t *bytes;
    uint32_t n_facets, n_handles;
    Forward forward;
} Vectors;

static void destroy(void *self)
{
    Vectors *vectors = self;
    if (vectors->of != NULL)
        for (uint32_t facet = 0; facet < vectors->n_facets; facet++)
            free(vectors->of[facet]);
    free(vectors->of);
    free(vectors->bytes);
    forward_free(&vectors->forward);
    free(vectors);
}

static void *create(uint32_t n_facets, uint32_t n_handles)
{
    Vectors *vectors = calloc(1, sizeof *vectors);
    if (vectors == NULL)
        return NULL;
    vectors->n_facets = n_facets;
    vectors->n_handles = n_handles;
    vectors->of = calloc(n_facets, sizeof *vectors->of);
    vectors->bytes = calloc(n_handles, 1);
    if (vectors->of != NULL && vectors->bytes != NULL && forward_init(&vectors->forward, n_handles))
        return vectors;
    destroy(vectors);
    return NULL;
}

/* --- changing it ------------------------------------------------------------------------------------------------ */

static bool resize(Vector **slot, uint32_t room)
{
    uint32_t count = *slot == NULL ? 0 : (*slot)->count;
    Vector *vector = realloc(*slot, sizeof *vector + room * sizeof *vector->handles);
    if (vector == NULL)
        return false;
    vector->count = count;
    /* All that the allocator gives: the smallest block holds four. */
    vector->capacity = (malloc_usable_size(vector) - sizeof *vector) / sizeof *vector->handles;
    *slot = vector;
    return true;
}

/* Where the handle is, or would have to be. */
static uint32_t find(const Vector *vector, uint32_t handle)
{
    uint32_t low = 0, high = vector->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (vector->handles[middle] < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool insert(Vector **slot, uint32_t handle)
{
    if (*slot == NULL || (*slot)->count == (*slot)->capacity)
        if (!resize(slot, *slot == NULL ? 1 : 2 * (*slot)->count))
            return false;
    Vector *vector = *slot;
    /* Handles mostly come in ascending order. */
    bool is_last = vector->count == 0 || vector->handles[vector->count - 1] < handle;
    uint32_t at = is_last ? vector->count : find(vector, handle);
    if (at < vector->count && vector->handles[at] == handle)
        return true;
    memmove(vector->handles + at + 1, vector->handles + at, (vector->count - at) * sizeof *vector->handles);
    vector->handles[at] = handle;
    vector->count++;
    return true;
}

static bool add(void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    enum { SLOT_AHEAD = 32, VECTOR_AHEAD = 16 };
    Vectors *vectors = self;
    uint64_t end = offsets[n];
    for (uint32_t i = 0; i < n; i++) {
        if (!forward_put(&vectors->forward, handles[i], facets + offsets[i], offsets[i + 1] - offsets[i]))
            return false;
        for (uint64_t edge = offsets[i]; edge < offsets[i + 1]; edge++) {
            if (edge + SLOT_AHEAD < end) {
                __builtin_prefetch(&vectors->of[facets[edge + SLOT_AHEAD]]);
                __builtin_prefetch(vectors->of[facets[edge + VECTOR_AHEAD]]);
            }
            if (!insert(&vectors->of[facets[edge]], handles[i]))
                return false;
        }
    }
    return true;
}

/* Takes out those whose handle is in dead, which ascends: one pass from the first of them on. */
static void take_out(Vector **slot, const uint64_t *dead, size_t n)
{
    Vector *vector = *slot;
    uint32_t kept = find(vector, (uint32_t)dead[0]);
    size_t next = 0;
    for (uint32_t i = kept; i < vector->count; i++) {
        while (next < n && (uint32_t)dead[next] < vector->handles[i])
            next++;
        if (next < n && (uint32_t)dead[next] == vector->handles[i])
            continue;
        vector->handles[kept++] = vector->handles[i];
    }
    vector->count = kept;
    if (kept == 0) {
        free(vector);
        *slot = NULL;
    }
}

/* All edges at once, sorted by facet and then by handle, so that each vector is gone through once. */
static bool remove_handles(void *self, const uint32_t *handles, uint32_t n)
{
    Vectors *vectors = self;
    size_t edges = 0;
    for (uint32_t i = 0; i < n; i++)
        if (vectors->forward.of[handles[i]] != NULL)
            edges += vectors->forward.of[handles[i]][0];
    uint64_t *pairs = malloc((edges == 0 ? 1 : edges) * sizeof *pairs);
    if (pairs == NULL)
        return false;
    size_t filled = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *facets = vectors->forward.of[handles[i]];
        for (uint32_t f = 0; facets != NULL && f < facets[0]; f++)
            pairs[filled++] = (uint64_t)facets[1 + f] << 32 | handles[i];
        vectors->forward.of[handles[i]] = NULL;
    }
    bool done = sort_pairs(pairs, edges, vectors->n_facets);
    for (size_t first = 0, last; done && first < edges; first = last) {
        for (last = first + 1; last < edges && pairs[last] >> 32 == pairs[first] >> 32; last++)
            ;
        take_out(&vectors->of[pairs[first] >> 32], pairs + first, last - first);
    }
    free(pairs);
    return done;
}

/* --- asking it -------------------------------------------------------------------------------------------------- */

static void break_facet(void *self, uint32_t facet)
{
    Vectors *vectors = self;
    const Vector *vector = vectors->of[facet];
    if (vector == NULL)
        return;
    for (uint32_t i = 0; i < vector->count; i++)
        count_up(vectors->bytes + vector->handles[i]);
}

static void mend_facet(void *self, uint32_t facet)
{
    Vectors *vectors = self;
    const Vector *vector = vectors->of[facet];
    if (vector == NULL)
        return;
    for (uint32_t i = 0; i < vector->count; i++)
        count_down(vectors->bytes + vector->handles[i]);
}

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Few: put behind each other and sorted. Many: marked in one bit a handle, and read off. */
static uint8_t *unite(void *self, const uint32_t *facets, uint32_t n, size_t *size)
{
    Vectors *vectors = self;
    size_t total = 0, count = 0;
    for (uint32_t i = 0; i < n; i++)
        if (vectors->of[facets[i]] != NULL)
            total += vectors->of[facets[i]]->count;
    uint32_t *all = malloc((total == 0 ? 1 : total) * sizeof *all);
    if (all == NULL)
        return NULL;
    if (total < vectors->n_handles / 512) {
        for (uint32_t i = 0; i < n; i++) {
            const Vector *vector = vectors->of[facets[i]];
            for (uint32_t at = 0; vector != NULL && at < vector->count; at++)
                all[count++] = vector->handles[at];
        }
        qsort(all, count, sizeof *all, by_value);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (i == 0 || all[i] != all[i - 1])
                all[kept++] = all[i];
        count = kept;
    }
    else {
        size_t words = vectors->n_handles / 64 + 1;
        uint64_t *marks = calloc(words, sizeof *marks);
        if (marks == NULL) {
            free(all);
            return NULL;
        }
        for (uint32_t i = 0; i < n; i++) {
            const Vector *vector = vectors->of[facets[i]];
            for (uint32_t at = 0; vector != NULL && at < vector->count; at++)
                marks[vector->handles[at] / 64] |= 1ull << vector->handles[at] % 64;
        }
        for (size_t word = 0; word < words; word++)
            for (uint64_t left = marks[word]; left != 0; left &= left - 1)
                all[count++] = 64 * word + __builtin_ctzll(left);
        free(marks);
    }
    *size = count * sizeof *all;
    return (uint8_t *)all;
}

static uint8_t byte(const void *self, uint32_t handle) { return ((const Vectors *)self)->bytes[handle]; }

static void memory(const void *self, size_t *reverse, size_t *forward)
{
    const Vectors *vectors = self;
    *reverse = taken(vectors->of);
    for (uint32_t facet = 0; facet < vectors->n_facets; facet++)
        *reverse += taken(vectors->of[facet]);
    *forward = forward_memory(&vectors->forward);
}

const Structure sorted_vectors = {
    .name = "sorted vector",
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
