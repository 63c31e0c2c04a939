/* Pool: items of one size with dense IDs and addresses that never move. No Python.h.
 *
 * Items live in chunks, so a pointer into a pool stays good while the pool grows: code at a safe point may keep one
 * across a call that runs Python. A returned ID is reused last in, first out; its owner returns it only when nothing
 * names it any more.
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
    uint32_t first_free; /* threaded through the items; NO_ID at the end */
    uint32_t bits;       /* a chunk holds 2^bits items */
    size_t item_size;    /* bytes; 4 to 256; a multiple of 64 starts each item on a cache line */
} Pool;

#define POOL_OF(type) {.first_free = NO_ID, .bits = POOL_BITS(sizeof(type)), .item_size = sizeof(type)}

static inline void *pool_at(const Pool *pool, uint32_t id)
{
    return pool->chunks[id >> pool->bits] + (id & ((UINT32_C(1) << pool->bits) - 1)) * pool->item_size;
}

/* The same where the type is known: without a multiplication. */
#define POOL_AT(type, pool, id)                                                                                       \
    ((type *)(pool)->chunks[(id) >> POOL_BITS(sizeof(type))] + ((id) & ((1u << POOL_BITS(sizeof(type))) - 1)))

uint32_t pool_take(Pool *pool); /* a zeroed item; NO_ID when out of memory */
void pool_give(Pool *pool, uint32_t id);
void pool_free(Pool *pool); /* all items; the pool can be used again */

#endif
