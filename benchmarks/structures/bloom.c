/* A bloom filter for each handle: 256 bits, six of them set for each facet that it depends on, all filters one behind
 * the other. An event scans them all, as CPython 3.15 does, and hits handles that do not depend on the facet at all. */
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "structure.h"

enum { WORDS = 4, BITS_A_FACET = 6 };

typedef struct Filter {
    _Alignas(32) uint64_t words[WORDS];
} Filter;

typedef struct Filters {
    Filter *of; /* owned: n_handles entries; all zero: no dependencies */
    uint8_t *bytes;
    uint32_t n_handles;
} Filters;

static void destroy(void *self)
{
    Filters *filters = self;
    free(filters->of);
    free(filters->bytes);
    free(filters);
}

static void *create(uint32_t n_facets, uint32_t n_handles)
{
    Filters *filters = calloc(1, sizeof *filters);
    if (filters == NULL)
        return NULL;
    filters->n_handles = n_handles;
    filters->of = aligned_alloc(_Alignof(Filter), n_handles * sizeof *filters->of);
    filters->bytes = calloc(n_handles, 1);
    if (filters->of == NULL || filters->bytes == NULL) {
        destroy(filters);
        return NULL;
    }
    for (uint32_t handle = 0; handle < n_handles; handle++)
        filters->of[handle] = (Filter){{0}};
    return filters;
}

/* Six of 256 bits: as many bytes of a number that depends on each bit of the facet's. */
static Filter mask_of(uint32_t facet)
{
    uint64_t mixed = (facet + 1) * 0x9E3779B97F4A7C15ull;
    mixed = (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93ull;
    mixed ^= mixed >> 32;
    Filter mask = {{0}};
    for (int i = 0; i < BITS_A_FACET; i++, mixed >>= 8)
        mask.words[(mixed & 255) / 64] |= 1ull << mixed % 64;
    return mask;
}

static inline bool may_contain(const Filter *filter, const Filter *mask)
{
    uint64_t missing = 0;
    for (int i = 0; i < WORDS; i++)
        missing |= mask->words[i] & ~filter->words[i];
    return missing == 0;
}

static bool add(void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    Filters *filters = self;
    for (uint32_t i = 0; i < n; i++) {
        Filter filter = filters->of[handles[i]];
        for (uint64_t edge = offsets[i]; edge < offsets[i + 1]; edge++) {
            Filter mask = mask_of(facets[edge]);
            for (int word = 0; word < WORDS; word++)
                filter.words[word] |= mask.words[word];
        }
        filters->of[handles[i]] = filter;
    }
    return true;
}

static bool remove_handles(void *self, const uint32_t *handles, uint32_t n)
{
    Filters *filters = self;
    for (uint32_t i = 0; i < n; i++)
        filters->of[handles[i]] = (Filter){{0}};
    return true;
}

static void break_facet(void *self, uint32_t facet)
{
    Filters *filters = self;
    Filter mask = mask_of(facet);
    for (uint32_t handle = 0; handle < filters->n_handles; handle++)
        if (may_contain(&filters->of[handle], &mask))
            count_up(filters->bytes + handle);
}

static void mend_facet(void *self, uint32_t facet)
{
    Filters *filters = self;
    Filter mask = mask_of(facet);
    for (uint32_t handle = 0; handle < filters->n_handles; handle++)
        if (may_contain(&filters->of[handle], &mask))
            count_down(filters->bytes + handle);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void break_facet_avx2(void *self, uint32_t facet)
{
    Filters *filters = self;
    Filter mask = mask_of(facet);
    __m256i wanted = _mm256_load_si256((const __m256i *)&mask);
    for (uint32_t handle = 0; handle < filters->n_handles; handle++)
        if (_mm256_testc_si256(_mm256_load_si256((const __m256i *)&filters->of[handle]), wanted))
            count_up(filters->bytes + handle);
}

__attribute__((target("avx2"))) static void mend_facet_avx2(void *self, uint32_t facet)
{
    Filters *filters = self;
    Filter mask = mask_of(facet);
    __m256i wanted = _mm256_load_si256((const __m256i *)&mask);
    for (uint32_t handle = 0; handle < filters->n_handles; handle++)
        if (_mm256_testc_si256(_mm256_load_si256((const __m256i *)&filters->of[handle]), wanted))
            count_down(filters->bytes + handle);
}
#else
#define break_facet_avx2 break_facet
#define mend_facet_avx2 mend_facet
#endif

/* One pass over the filters for all facets, rather than one for each. */
static uint8_t *unite(void *self, const uint32_t *facets, uint32_t n, size_t *size)
{
    Filters *filters = self;
    Filter *masks = aligned_alloc(_Alignof(Filter), (n + 1) * sizeof *masks);
    uint32_t *all = malloc(filters->n_handles * sizeof *all);
    if (masks == NULL || all == NULL) {
        free(masks);
        free(all);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        masks[i] = mask_of(facets[i]);
    size_t count = 0;
    for (uint32_t handle = 0; handle < filters->n_handles; handle++) {
        Filter filter = filters->of[handle];
        for (uint32_t i = 0; i < n; i++)
            if (may_contain(&filter, &masks[i])) {
                all[count++] = handle;
                break;
            }
    }
    free(masks);
    *size = count * sizeof *all;
    return (uint8_t *)all;
}

static uint8_t byte(const void *self, uint32_t handle) { return ((const Filters *)self)->bytes[handle]; }

static void memory(const void *self, size_t *reverse, size_t *forward)
{
    const Filters *filters = self;
    *reverse = taken(filters->of);
    *forward = 0;
}

const Structure bloom = {
    .name = "bloom",
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

const Structure bloom_avx2 = {
    .name = "bloom, AVX2",
    .create = create,
    .destroy = destroy,
    .add = add,
    .remove = remove_handles,
    .break_facet = break_facet_avx2,
    .mend_facet = mend_facet_avx2,
    .unite = unite,
    .byte = byte,
    .memory = memory,
};
