/* Room index: which handles rely on which facets, stored in both directions, and the memory for that. It knows only IDs, and
 * does not include Python.h. What callbacks read and change (dependents, bytes) allocates nothing; all else is for safe
 * points.
 */

/* Dependents: an exact set of IDs in 8 bytes. The sets of handles that rely on each facet are the reverse side of the index. No
 * Python.h.
 *
 * Most facets have no dependent or one, a few have nearly all handles. So a set is one word, in one of three tiers:
 *
 *   0                   empty
 *   bit 63              inline: the first ID in bits 0-30, and
 *                         bit 31 clear:          the second in bits 32-62 (NO_ID: there is none)
 *                         bit 31 set, 62 clear:  three IDs, two gaps of 15 bits from bit 32 on
 *                         bit 31 set, 62 set:    four IDs, three gaps of 10 bits
 *                       (a gap is the difference to the ID before, less one; handles of one module have close IDs)
 *   bit 62, not 63      a sorted array: block in bits 0-30, number of IDs in bits 32-55
 *   bit 61, not 62, 63  containers: block in bits 0-30
 *
 * A callback walks a set with dependents_next(), which never allocates and yields blocks of ascending IDs.
 */
#ifndef DW_DEPENDENTS_H
#define DW_DEPENDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/blocks.h"
#include "index/ids.h"

typedef struct Dependents {
    uint64_t word;
} Dependents;

#define DEPENDENTS_INLINE (UINT64_C(1) << 63)
#define DEPENDENTS_ARRAY (UINT64_C(1) << 62)
#define DEPENDENTS_CONTAINERS (UINT64_C(1) << 61)
#define DEPENDENTS_GAPS (UINT64_C(1) << 31) /* inline: more than two IDs */
#define DEPENDENTS_FEW 4u                   /* the most that fit inline */

static inline bool dependents_empty(const Dependents *set) { return set->word == 0; }

/* The set's ID if it has exactly one, else NO_ID. For the common case, without a walk. */
static inline uint32_t dependents_only(const Dependents *set)
{
    return (uint32_t)(set->word >> 32) == ((DEPENDENTS_INLINE >> 32) | NO_ID) ? (uint32_t)set->word : NO_ID;
}

/* Whether the set is in the last tier, which has some 64 IDs or more. */
static inline bool dependents_many(const Dependents *set) { return set->word >> 61 == 1; }

/* Writes the IDs of an inline word into few, ascending; returns how many there are. */
static inline uint32_t dependents_few(uint64_t word, uint32_t few[DEPENDENTS_FEW])
{
    few[0] = (uint32_t)word & NO_ID;
    if (!(word & DEPENDENTS_GAPS)) {
        few[1] = (uint32_t)(word >> 32) & NO_ID;
        return few[1] == NO_ID ? 1 : 2;
    }
    unsigned bits = word & DEPENDENTS_ARRAY ? 10 : 15, n = word & DEPENDENTS_ARRAY ? 4 : 3;
    for (unsigned i = 1; i < n; i++)
        few[i] = few[i - 1] + 1 + ((uint32_t)(word >> (32 + bits * (i - 1))) & ((1u << bits) - 1));
    return n;
}

/* The same for a set; 0 if the set is empty or not inline. */
static inline uint32_t dependents_inline(const Dependents *set, uint32_t few[DEPENDENTS_FEW])
{
    return set->word & DEPENDENTS_INLINE ? dependents_few(set->word, few) : 0;
}

/* Whether the set is inline with one ID or two, which it writes into few: one alone twice, because the caller, who cannot
 * foresee which it is, then needs no branch. */
static inline bool dependents_pair(const Dependents *set, uint32_t few[2])
{
    uint32_t second = (uint32_t)(set->word >> 32) & NO_ID;
    few[0] = (uint32_t)set->word & NO_ID;
    few[1] = second == NO_ID ? few[0] : second;
    return (set->word & (DEPENDENTS_INLINE | DEPENDENTS_GAPS)) == DEPENDENTS_INLINE;
}

/* For loops over many sets: prefetches the block of a set that is soon read; its word must have been prefetched before. Of an
 * array it also prefetches the end, where new handles are added. */
static inline void dependents_fetch_block(const Dependents *set)
{
    if (set->word == 0 || set->word & DEPENDENTS_INLINE)
        return;
    const char *block = block_at((uint32_t)set->word & NO_ID);
    __builtin_prefetch(block, 1);
    if (set->word & DEPENDENTS_ARRAY)
        __builtin_prefetch(block + ((uint32_t)(set->word >> 32) & ((1u << 24) - 1)) * sizeof(uint32_t), 1);
}

struct Containers;
/* The set's containers, borrowed from the set; NULL: the set is in a smaller tier. */
const struct Containers *dependents_containers(const Dependents *set);

#define WALK_BLOCK 64u /* IDs */

typedef struct DependentsWalk {
    const uint32_t *ids; /* the current block; borrowed from the set, or in block */
    uint32_t count;
    uint32_t container;  /* index of the container at which the walk goes on */
    uint32_t place;      /* place in that container (an index into its array, or a bit of its bitset), or in the set's array */
    uint64_t next;       /* word still to be walked; 0 at the end */
    uint32_t block[WALK_BLOCK];
} DependentsWalk;

static inline void dependents_walk(DependentsWalk *walk, const Dependents *set)
{
    walk->next = set->word;
    walk->container = walk->place = 0;
}

bool dependents_next_block(DependentsWalk *walk); /* dependents_next() for a set that is not inline */

/* Goes on to the next block of IDs; false at the end. The set must not change during a walk. */
static inline bool dependents_next(DependentsWalk *walk)
{
    uint64_t word = walk->next;
    if (word == 0)
        return false;
    if (!(word & DEPENDENTS_INLINE))
        return dependents_next_block(walk);
    walk->next = 0;
    walk->ids = walk->block;
    walk->count = dependents_few(word, walk->block);
    return true;
}

/* Goes on with a walk after the set may have changed: at the first ID above this one, or a little before. */
void dependents_walk_after(DependentsWalk *walk, const Dependents *set, uint32_t id);

/* Runs the statement after it once for each ID of the set, as `id`. Declare the DependentsWalk before. */
#define FOR_EACH_DEPENDENT(id, walk, set)                                                                             \
    for (dependents_walk(&(walk), (set)); dependents_next(&(walk));)                                                  \
        for (uint32_t id##_i = 0, id; id##_i < (walk).count && (id = (walk).ids[id##_i], true); id##_i++)

/* Safe points only from here on. dependents_add returns false when out of memory; the set is then as it was. */
bool dependents_add(Dependents *set, uint32_t id);
void dependents_remove(Dependents *set, uint32_t id);
/* The same for n ascending, distinct IDs. If adding runs out of memory, some of them are in the set. */
bool dependents_add_many(Dependents *set, const uint32_t *ids, uint32_t n);
void dependents_remove_many(Dependents *set, const uint32_t *ids, uint32_t n);
void dependents_clear(Dependents *set);
uint32_t dependents_count(const Dependents *set);
bool dependents_has(const Dependents *set, uint32_t id);
size_t dependents_memory(const Dependents *set); /* bytes that the set owns, beside its word */
/* A malloc'ed copy of all IDs (*count of them), for loops that change the set; NULL if the set is empty, or out of memory. */
uint32_t *dependents_copy(const Dependents *set, uint32_t *count);
/* Checks the set: describes the first error, or returns NULL. */
const char *dependents_wrong(const Dependents *set);

#endif
