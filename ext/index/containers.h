/* Containers: the third tier of a set of dependents, for facets on which many handles rely. No Python.h.
 *
 * IDs with the same upper 16 bits lie in one container: up to 4096 of them as a sorted array of their lower halves, more as a
 * bitset. Source: Chambi, Lemire, Kaser, Godin, "Better bitmap performance with Roaring bitmaps" (2016).
 */
#ifndef DW_CONTAINERS_H
#define DW_CONTAINERS_H

#include <stdbool.h>
#include <stdint.h>

#include "index/blocks.h"

#define CONTAINER_ARRAY_MOST 4096u /* IDs in an array */
#define CONTAINER_WORDS 1024u      /* 64-bit words in a bitset */

typedef struct Container {
    uint16_t key;  /* the upper half of its IDs */
    uint16_t last; /* the number of its IDs, less one */
    BlockRef lows; /* owned: uint16_t[last + 1], ascending; or uint64_t[CONTAINER_WORDS] */
} Container;

typedef struct Containers {
    uint32_t ids; /* the number of IDs in all containers */
    uint32_t count;
    Container of[]; /* ascending by key */
} Containers;

/* Counts bits without the instruction popcnt, which not every x86-64 CPU has. */
static inline uint32_t count_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

static inline uint32_t container_count(const Container *container) { return container->last + 1u; }
static inline bool container_is_array(const Container *container)
{
    return container_count(container) <= CONTAINER_ARRAY_MOST;
}
static inline const uint16_t *container_lows(const Container *container) { return block_at(container->lows); }
static inline const uint64_t *container_words(const Container *container) { return block_at(container->lows); }
static inline uint32_t container_base(const Container *container) { return (uint32_t)container->key << 16; }

static inline Containers *containers_at(BlockRef ref) { return block_at(ref); }

/* Safe points only. Makes the containers of n ascending, distinct IDs. 0: out of memory. */
BlockRef containers_of(const uint32_t *ids, uint32_t n);
/* Add or remove n ascending, distinct IDs. The containers may move: *ref is their new reference. If adding runs out of memory,
 * *ref is still good, and some of the IDs were added. Removing needs no memory. */
bool containers_add(BlockRef *ref, const uint32_t *ids, uint32_t n);
void containers_remove(BlockRef *ref, const uint32_t *ids, uint32_t n);
void containers_free(BlockRef ref);
bool containers_have(const Containers *containers, uint32_t id);
size_t containers_memory(const Containers *containers); /* bytes */
/* Where in the container a walk goes on after the ID with this lower half: an index into the array, or a bit of the bitset. */
uint32_t container_place_after(const Container *container, uint16_t low);
/* Writes all IDs into ids, ascending. */
void containers_read(const Containers *containers, uint32_t *ids);
/* Checks the containers: describes the first error, or returns NULL. */
const char *containers_wrong(BlockRef ref);

#endif
