#include "index/facet_list.h"

#include <stdlib.h>
#include <string.h>

#include "index/blocks.h"

#define LARGE (UINT64_C(1) << 63)

static uint32_t length_of(uint32_t number) /* bytes */
{
    return (38 - (uint32_t)__builtin_clz(number | 1)) / 7;
}

static uint8_t *put(uint8_t *to, uint32_t number)
{
    for (; number >= 128; number >>= 7)
        *to++ = (uint8_t)(number | 128);
    *to++ = (uint8_t)number;
    return to;
}

static const uint8_t *take(const uint8_t *from, uint32_t *number)
{
    uint32_t value = *from & 127;
    for (unsigned shift = 7; *from++ & 128; shift += 7)
        value |= (uint32_t)(*from & 127) << shift;
    *number = value;
    return from;
}

static uint8_t *bytes_of(const FacetList *list)
{
    if (list->word & LARGE)
        return (uint8_t *)(uintptr_t)(list->word & ~LARGE);
    return block_at((BlockRef)(list->word >> 32));
}

bool facet_list_set(FacetList *list, const uint32_t *facets, uint32_t n)
{
    if (n == 0)
        return true;
    size_t bytes = length_of(n) + length_of(facets[0]);
    for (uint32_t i = 1; i < n; i++)
        bytes += length_of(facets[i] - facets[i - 1] - 1);
    if (bytes > BLOCK_LARGEST) {
        void *large = malloc(bytes);
        if (large == NULL)
            return false;
        list->word = LARGE | (uint64_t)(uintptr_t)large;
    } else {
        BlockRef ref = block_take(block_class(bytes));
        if (ref == 0)
            return false;
        list->word = (uint64_t)ref << 32 | bytes;
    }
    uint8_t *to = put(put(bytes_of(list), n), facets[0]);
    for (uint32_t i = 1; i < n; i++)
        to = put(to, facets[i] - facets[i - 1] - 1);
    return true;
}

uint32_t facet_list_count(const FacetList *list)
{
    uint32_t n = 0;
    if (list->word != 0)
        take(bytes_of(list), &n);
    return n;
}

FacetWalk facet_list_walk(const FacetList *list)
{
    FacetWalk walk = {.facet = UINT32_MAX}; /* as -1, so that the first gap gives the first facet */
    if (list->word != 0)
        walk.next = take(bytes_of(list), &walk.left);
    return walk;
}

bool facet_list_next(FacetWalk *walk)
{
    uint32_t gap;
    if (walk->left == 0)
        return false;
    walk->left--;
    walk->next = take(walk->next, &gap);
    walk->facet += gap + 1;
    return true;
}

void facet_list_read(const FacetList *list, uint32_t *facets)
{
    for (FacetWalk walk = facet_list_walk(list); facet_list_next(&walk);)
        *facets++ = walk.facet;
}

size_t facet_list_memory(const FacetList *list)
{
    if (list->word & LARGE)
        return BLOCK_LARGEST; /* at least */
    return list->word == 0 ? 0 : block_size(block_class((uint32_t)list->word));
}

void facet_list_clear(FacetList *list)
{
    if (list->word & LARGE)
        free(bytes_of(list));
    else if (list->word != 0)
        block_give((BlockRef)(list->word >> 32), block_class((uint32_t)list->word));
    list->word = 0;
}
