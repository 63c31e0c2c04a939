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

#include "ids.h"

#define POOL_BITS 10
#define POOL_MASK ((1u << POOL_BITS) - 1)

typedef struct Pool {
    char **chunks;       /* owned; each holds 2^POOL_BITS items */
    uint32_t n_chunks;
    uint32_t used;       /* IDs ever handed out: all IDs are below this */
    uint32_t live;       /* IDs handed out and not returned */
    uint32_t first_free; /* threaded through the items; NO_ID at the end */
    size_t item_size;    /* bytes; at least 4; a multiple of 64 starts each item on a cache line */
} Pool;

#define POOL_OF(type) {.first_free = NO_ID, .item_size = sizeof(type)}

static inline void *pool_at(const Pool *pool, uint32_t id)
{
    return pool->chunks[id >> POOL_BITS] + (size_t)(id & POOL_MASK) * pool->item_size;
}

uint32_t pool_take(Pool *pool); /* a zeroed item; NO_ID when out of memory */
void pool_give(Pool *pool, uint32_t id);
void pool_free(Pool *pool); /* all items; the pool can be used again */

#endif
