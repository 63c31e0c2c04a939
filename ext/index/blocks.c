#include "index/blocks.h"

#include <string.h>

#include "index/pages.h"

char *block_chunks[BLOCK_CHUNKS];

static struct {
    BlockRef first_free[BLOCK_CLASSES]; /* lists through the first 4 bytes of each free block; 0 at the end */
    BlockRef fresh, end;                /* the part of the last chunk that was never in a block */
    uint32_t n_chunks;
    size_t in_use; /* bytes in blocks that have an owner */
} blocks;

_Static_assert((BLOCK_UNIT << BLOCK_CHUNK_BITS) == PAGES_PIECE && BLOCK_LARGEST <= PAGES_PIECE, "a block lies in a piece");

static void put_on_list(BlockRef ref, unsigned class)
{
    memcpy(block_at(ref), &blocks.first_free[class], sizeof(BlockRef));
    blocks.first_free[class] = ref;
}

/* Cuts that many units into free blocks, the largest first. */
static void put_units(BlockRef ref, uint32_t units)
{
    while (units > 0) {
        unsigned class = units >= BLOCK_LARGEST / BLOCK_UNIT ? BLOCK_CLASSES - 1 : block_class((size_t)units * BLOCK_UNIT);
        if (block_size(class) > (size_t)units * BLOCK_UNIT)
            class--;
        uint32_t taken = (uint32_t)(block_size(class) / BLOCK_UNIT);
        put_on_list(ref, class);
        ref += taken;
        units -= taken;
    }
}

static bool add_chunk(void)
{
    char *chunk = blocks.n_chunks == BLOCK_CHUNKS ? NULL : pages_take(blocks.n_chunks != 0);
    if (chunk == NULL)
        return false;
    put_units(blocks.fresh, blocks.end - blocks.fresh);
    blocks.fresh = blocks.n_chunks << BLOCK_CHUNK_BITS;
    blocks.end = blocks.fresh + (1u << BLOCK_CHUNK_BITS);
    block_chunks[blocks.n_chunks++] = chunk;
    if (blocks.fresh == 0)
        blocks.fresh = 64 / BLOCK_UNIT; /* leaves out reference 0, and lets large blocks start on a cache line */
    return true;
}

BlockRef block_take(unsigned class)
{
    BlockRef ref = blocks.first_free[class];
    uint32_t units = (uint32_t)(block_size(class) / BLOCK_UNIT);
    if (ref != 0) {
        memcpy(&blocks.first_free[class], block_at(ref), sizeof(BlockRef));
    } else {
        if (blocks.end - blocks.fresh < units && !add_chunk())
            return 0;
        ref = blocks.fresh;
        blocks.fresh += units;
    }
    blocks.in_use += block_size(class);
    return ref;
}

void block_give(BlockRef ref, unsigned class)
{
    put_on_list(ref, class);
    blocks.in_use -= block_size(class);
}

void block_shrink(BlockRef ref, unsigned class, unsigned smaller)
{
    uint32_t before = (uint32_t)(block_size(class) / BLOCK_UNIT), after = (uint32_t)(block_size(smaller) / BLOCK_UNIT);
    blocks.in_use -= block_size(class) - block_size(smaller);
    put_units(ref + after, before - after);
}

BlockMemory block_memory(void)
{
    size_t taken = ((size_t)BLOCK_UNIT << BLOCK_CHUNK_BITS) * blocks.n_chunks;
    return (BlockMemory){.taken = taken, .free = taken - blocks.in_use};
}
