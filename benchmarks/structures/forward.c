#include <stdlib.h>
#include <string.h>

#include "forward.h"

enum { BLOCK = 1 << 14 }; /* words */

bool forward_init(Forward *forward, uint32_t n_handles)
{
    *forward = (Forward){.of = calloc(n_handles, sizeof *forward->of), .n_handles = n_handles, .used = BLOCK};
    return forward->of != NULL;
}

static bool new_block(Forward *forward)
{
    /* The table of blocks doubles when their number is a power of two. */
    if ((forward->n_blocks & (forward->n_blocks - 1)) == 0) {
        size_t room = forward->n_blocks == 0 ? 1 : 2 * (size_t)forward->n_blocks;
        uint32_t **blocks = realloc(forward->blocks, room * sizeof *blocks);
        if (blocks == NULL)
            return false;
        forward->blocks = blocks;
    }
    uint32_t *block = malloc(BLOCK * sizeof *block);
    if (block == NULL)
        return false;
    forward->blocks[forward->n_blocks++] = block;
    forward->used = 0;
    return true;
}

bool forward_put(Forward *forward, uint32_t handle, const uint32_t *facets, uint32_t n)
{
    if (n >= BLOCK)
        return false;
    if (forward->used + n + 1 > BLOCK && !new_block(forward))
        return false;
    uint32_t *kept = forward->blocks[forward->n_blocks - 1] + forward->used;
    kept[0] = n;
    memcpy(kept + 1, facets, n * sizeof *facets);
    forward->of[handle] = kept;
    forward->used += n + 1;
    return true;
}

size_t forward_memory(const Forward *forward)
{
    size_t bytes = taken(forward->of) + taken(forward->blocks);
    for (uint32_t i = 0; i < forward->n_blocks; i++)
        bytes += taken(forward->blocks[i]);
    return bytes;
}

void forward_free(Forward *forward)
{
    for (uint32_t i = 0; i < forward->n_blocks; i++)
        free(forward->blocks[i]);
    free(forward->blocks);
    free(forward->of);
}
