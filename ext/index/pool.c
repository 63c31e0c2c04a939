#include "index/pool.h"

#include <stdlib.h>
#include <string.h>

#include "index/pages.h"

uint32_t pool_take(Pool *pool)
{
    uint32_t id = pool->first_free;
    if (id != NO_ID) {
        char *item = pool_at(pool, id);
        memcpy(&pool->first_free, item, sizeof pool->first_free);
        memset(item, 0, pool->item_size);
        pool->live++;
        return id;
    }
    if (pool->used == NO_ID)
        return NO_ID;
    if ((pool->used >> pool->bits) == pool->n_chunks) {
        /* The directory doubles: it is realloc'ed only when n_chunks is a power of two. */
        if ((pool->n_chunks & (pool->n_chunks - 1)) == 0) {
            size_t capacity = pool->n_chunks ? 2 * (size_t)pool->n_chunks : 1;
            char **chunks = realloc(pool->chunks, capacity * sizeof *chunks);
            if (chunks == NULL)
                return NO_ID;
            pool->chunks = chunks;
        }
        char *chunk = pages_take(pool->n_chunks != 0); /* the first chunk in small pages, so that few items take few of them */
        if (chunk == NULL)
            return NO_ID;
        pool->chunks[pool->n_chunks++] = chunk;
    }
    pool->live++;
    return pool->used++;
}

void pool_free(Pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks; i++)
        pages_give(pool->chunks[i]);
    free(pool->chunks);
    *pool = (Pool){.first_free = NO_ID, .bits = pool->bits, .item_size = pool->item_size};
}

void pool_give(Pool *pool, uint32_t id)
{
    memcpy(pool_at(pool, id), &pool->first_free, sizeof pool->first_free);
    pool->first_free = id;
    pool->live--;
}
