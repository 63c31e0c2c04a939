#include <stdlib.h>
#include <string.h>

#include "radix.h"

enum { BITS = 11, BUCKETS = 1 << BITS };

bool sort_pairs(uint64_t *pairs, size_t n, uint32_t keys)
{
    uint64_t *other = malloc((n == 0 ? 1 : n) * sizeof *other), *from = pairs, *to = other;
    if (other == NULL)
        return false;
    for (int shift = 0; shift < 32 && (keys - 1) >> shift != 0; shift += BITS) {
        size_t begin[BUCKETS + 1] = {0};
        for (size_t i = 0; i < n; i++)
            begin[1 + (from[i] >> (32 + shift)) % BUCKETS]++;
        for (size_t b = 1; b < BUCKETS; b++)
            begin[b] += begin[b - 1];
        for (size_t i = 0; i < n; i++)
            to[begin[(from[i] >> (32 + shift)) % BUCKETS]++] = from[i];
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != pairs)
        memcpy(pairs, from, n * sizeof *pairs);
    free(other);
    return true;
}
