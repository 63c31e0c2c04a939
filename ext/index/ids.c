#include "index/ids.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void ids_sort(uint32_t *ids, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (ids[i - 1] > ids[i]) {
            qsort(ids, n, sizeof *ids, by_id);
            return;
        }
}
