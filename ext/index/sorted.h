/* Sorted arrays of IDs. The array's items are whole IDs (uint32_t) or the lower halves of IDs (uint16_t): this file is included
 * once for each, with the type as SORTED. The parameter `ids` is always whole IDs; if the items are halves, all of ids must
 * have the upper half that the array stands for. No Python.h.
 */

#include <stdint.h>
#include <string.h>

/* How many of the n ids are not among the m items. */
/* The place of the first item from there on that is not below id, or m. */
static inline uint32_t first_not_below(const SORTED *items, uint32_t from, uint32_t m, SORTED id)
{
    while (from < m) {
        uint32_t middle = (from + m) / 2;
        if (items[middle] < id)
            from = middle + 1;
        else
            m = middle;
    }
    return from;
}

static uint32_t count_missing(const SORTED *items, uint32_t m, const uint32_t *ids, uint32_t n)
{
    if (m == 0 || items[m - 1] < (SORTED)ids[0])
        return n; /* the common case: new handles have higher numbers, and go to the end */
    uint32_t missing = 0, from = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t low = first_not_below(items, from, m, (SORTED)ids[i]);
        missing += low == m || items[low] != (SORTED)ids[i];
        from = low;
    }
    return missing;
}

/* Merges n ids into m items. It goes from the back, so that `into` and `items` may be the same block. total: the number of
 * items afterwards. */
static void merge(SORTED *into, const SORTED *items, uint32_t m, const uint32_t *ids, uint32_t n, uint32_t total)
{
    while (n > 0) {
        if (m > 0 && items[m - 1] > (SORTED)ids[n - 1]) {
            into[--total] = items[--m];
        } else {
            m -= m > 0 && items[m - 1] == (SORTED)ids[n - 1];
            into[--total] = (SORTED)ids[--n];
        }
    }
    if (into != items)
        memcpy(into, items, m * sizeof *items);
}

/* Removes the n ids from m items, in place; returns how many items are left. Items before the first of ids are skipped by a
 * binary search, those behind the last are moved as one piece. */
static uint32_t keep_others(SORTED *items, uint32_t m, const uint32_t *ids, uint32_t n)
{
    uint32_t i = first_not_below(items, 0, m, (SORTED)ids[0]), left = i;
    for (uint32_t j = 0; i < m; i++) {
        while (j < n && (SORTED)ids[j] < items[i])
            j++;
        if (j == n)
            break;
        if ((SORTED)ids[j] != items[i])
            items[left++] = items[i];
    }
    memmove(&items[left], &items[i], (m - i) * sizeof *items);
    return left + (m - i);
}
