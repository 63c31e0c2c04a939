/* Dependents: an exact set of IDs in 8 bytes, the reverse side of the index. No Python.h.
 *
 * Most facets have none or one dependent, a few have nearly all handles:
 *   word == 0          nobody
 *   bit 63 set         one or two IDs inline (low half, high half; NO_ID = no second one)
 *   otherwise          pointer to a sorted array
 * Walking one (DependentsWalk) never allocates and yields blocks of sorted IDs, so that a tier can be added without a
 * change to any caller.
 */
#ifndef DW_DEPENDENTS_H
#define DW_DEPENDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ids.h"

typedef struct Dependents {
    uint64_t word;
} Dependents;

typedef struct SortedIds {
    uint32_t count;
    uint32_t capacity; /* IDs */
    uint32_t ids[];
} SortedIds;

#define DEPENDENTS_INLINE (UINT64_C(1) << 63)

static inline bool dependents_empty(const Dependents *set) { return set->word == 0; }

/* The ID if there is exactly one, else NO_ID: the common case without a walk. */
static inline uint32_t dependents_only(const Dependents *set)
{
    return (uint32_t)(set->word >> 32) == ((DEPENDENTS_INLINE >> 32) | NO_ID) ? (uint32_t)set->word : NO_ID;
}

typedef struct DependentsWalk {
    const uint32_t *ids; /* the current block; borrowed from the set or from pair */
    uint32_t count;
    uint32_t pair[2];
    uint64_t next; /* word still to be walked; 0 at the end */
} DependentsWalk;

static inline DependentsWalk dependents_walk(const Dependents *set)
{
    return (DependentsWalk){.next = set->word};
}

/* The next block, or false. The set must not change during a walk. */
static inline bool dependents_next(DependentsWalk *walk)
{
    uint64_t word = walk->next;
    if (word == 0)
        return false;
    walk->next = 0;
    if (word & DEPENDENTS_INLINE) {
        walk->pair[0] = (uint32_t)word;
        walk->pair[1] = (uint32_t)(word >> 32) & NO_ID;
        walk->ids = walk->pair;
        walk->count = walk->pair[1] == NO_ID ? 1 : 2;
    } else {
        const SortedIds *array = (const SortedIds *)(uintptr_t)word;
        walk->ids = array->ids;
        walk->count = array->count;
    }
    return true;
}

/* Safe points only from here on. add returns false when out of memory; the set is then as it was. */
bool dependents_add(Dependents *set, uint32_t id);
void dependents_remove(Dependents *set, uint32_t id);
void dependents_clear(Dependents *set);
uint32_t dependents_count(const Dependents *set);
/* A malloc'ed copy of all IDs (*count of them), for loops that change the set; NULL when empty or out of memory. */
uint32_t *dependents_copy(const Dependents *set, uint32_t *count);

#endif
