/* The forward map, for structures that need one to remove a handle: the facets of each handle, one after the other in
 * large blocks, so that growing copies nothing and wastes at most a block. */
#ifndef FORWARD_H
#define FORWARD_H

#include "structure.h"

typedef struct Forward {
    uint32_t **of;      /* owned: n_handles entries; of[h] is borrowed from a block: the number of facets, then these */
    uint32_t **blocks;  /* owned, as is each block */
    uint32_t n_handles, n_blocks;
    uint32_t used;      /* words of the last block */
} Forward;

bool forward_init(Forward *forward, uint32_t n_handles);
bool forward_put(Forward *forward, uint32_t handle, const uint32_t *facets, uint32_t n); /* false: out of memory */
size_t forward_memory(const Forward *forward);
void forward_free(Forward *forward);

#endif
