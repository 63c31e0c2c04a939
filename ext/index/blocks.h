/* Blocks: memory in size classes, without headers, named by 32-bit references. No Python.h.
 *
 * A block never moves. Its owner remembers its size, so a block needs no header, and a reference takes half the bytes of a
 * pointer. Freed blocks are kept for the next owner of the same size class; the system never gets the memory back.
 */
#ifndef DW_BLOCKS_H
#define DW_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t BlockRef; /* in units of 8 bytes, below 2^31; 0: none */

#define BLOCK_UNIT 8u          /* bytes */
#define BLOCK_CHUNK_BITS 18    /* units in a chunk: 2 MiB, a piece of pages.h */
#define BLOCK_CHUNKS (1u << (31 - BLOCK_CHUNK_BITS))
#define BLOCK_LARGEST 262144u  /* bytes */
#define BLOCK_CLASSES 56u

extern char *block_chunks[BLOCK_CHUNKS]; /* owned */

static inline void *block_at(BlockRef ref)
{
    return block_chunks[ref >> BLOCK_CHUNK_BITS] + (size_t)(ref & ((1u << BLOCK_CHUNK_BITS) - 1)) * BLOCK_UNIT;
}

/* The size class of a block of that many bytes, 1 to BLOCK_LARGEST. The classes have 8, 16, ... 64 bytes, then there are four
 * classes to each doubling, so at most a quarter of a block is unused. */
static inline unsigned block_class(size_t bytes)
{
    uint32_t units = (uint32_t)((bytes + BLOCK_UNIT - 1) / BLOCK_UNIT);
    if (units <= 8)
        return units - 1;
    unsigned log = 31 - (unsigned)__builtin_clz(units - 1); /* units - 1 is in [2^log, 2^(log+1)) */
    return 4 * log - 8 + ((units - 1) >> (log - 2));
}

static inline size_t block_size(unsigned class) /* bytes */
{
    if (class < 8)
        return (class + 1) * BLOCK_UNIT;
    return (size_t)(class % 4 + 5) * BLOCK_UNIT << (class / 4 - 1);
}

/* Takes a block of that class, not initialised; 0 when out of memory. This and all below: safe points only. */
BlockRef block_take(unsigned class);
void block_give(BlockRef ref, unsigned class);
/* Makes a block smaller without moving it; cannot fail. */
void block_shrink(BlockRef ref, unsigned class, unsigned smaller);

typedef struct BlockMemory {
    size_t taken; /* bytes in chunks */
    size_t free;  /* how many of these bytes are in no block */
} BlockMemory;

BlockMemory block_memory(void);

#endif
