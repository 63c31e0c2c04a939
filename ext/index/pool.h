/* Pool: items of one size with dense IDs and addresses that never move. No Python.h.
 *
 * Items lie in chunks, so a pointer to an item stays good while the pool grows: code at a safe point may keep it across a call
 * that runs Python. The ID that was returned last is reused first. The owner of an ID returns it only when nothing refers to it
 * any more.
 */
#ifndef DW_POOL_H
#define DW_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/ids.h"

/* Items in a chunk, as a power of two: as many as fit into 2 MiB, a piece of pages.h. */
#define POOL_BITS(size)                                                                                               \
    ((size) <= 8 ? 18u : (size) <= 16 ? 17u : (size) <= 32 ? 16u : (size) <= 64 ? 15u : (size) <= 128 ? 14u : 13u)

typedef struct Pool {
    char **chunks;       /* owned */
    uint32_t n_chunks;
    uint32_t used;       /* IDs ever handed out: all IDs are below this */
    uint32_t live;       /* IDs handed out and not returned */
    uint32_t first_free; /* list of free items through the first 4 bytes of each; NO_ID at the end */
    uint32_t bits;       /* a chunk holds 2^bits items */
    size_t item_size;    /* bytes; 4 to 256; a multiple of 64 starts each item on a cache line */
} Pool;

#define POOL_OF(type) {.first_free = NO_ID, .bits = POOL_BITS(sizeof(type)), .item_size = sizeof(type)}

static inline void *pool_at(const Pool *pool, uint32_t id)
{
    return pool->chunks[id >> pool->bits] + (id & ((UINT32_C(1) << pool->bits) - 1)) * pool->item_size;
}

/* pool_at() for a type that is known when compiling: needs no multiplication. */
#define POOL_AT(type, pool, id)                                                                                       \
    ((type *)(pool)->chunks[(id) >> POOL_BITS(sizeof(type))] + ((id) & ((1u << POOL_BITS(sizeof(type))) - 1)))

uint32_t pool_take(Pool *pool); /* takes a zeroed item; NO_ID when out of memory */
void pool_give(Pool *pool, uint32_t id);
void pool_free(Pool *pool); /* frees all items; the pool can be used again */

#endif
