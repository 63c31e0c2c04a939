/* Bytes: changes the bytes of all dependents of a facet at once. Only stores, because events call this inside CPython's
 * callbacks. No Python.h.
 *
 * A byte counts the broken assumptions of one handle: 0 = may run, 255 = retired for good. The bytes lie side by side in chunks
 * of 2^16 that never move, because native code has their addresses. A chunk has the bytes of the IDs of one container.
 */
#ifndef DW_BYTES_H
#define DW_BYTES_H

#include <stdint.h>

#include "index/dependents.h"

#define BYTE_CHUNK_BITS 16
#define BYTE_CHUNKS (1u << (31 - BYTE_CHUNK_BITS))
#define BYTE_RETIRED 255

/* An assumption of the dependents breaks; a broken one holds again; the dependents are retired. */
typedef enum ByteChange { BYTE_BREAKS, BYTE_HOLDS, BYTE_RETIRES } ByteChange;

static ALWAYS_INLINE uint8_t *byte_at(uint8_t *const *chunks, uint32_t id)
{
    return &chunks[id >> BYTE_CHUNK_BITS][id & ((1u << BYTE_CHUNK_BITS) - 1)];
}

static ALWAYS_INLINE void byte_change(uint8_t *byte, ByteChange change)
{
    if (change == BYTE_RETIRES)
        *byte = BYTE_RETIRED;
    else if (change == BYTE_BREAKS)
        *byte += *byte != BYTE_RETIRED;
    else
        *byte -= *byte != BYTE_RETIRED;
}

/* Safe points only. Takes a chunk for the bytes of 2^16 IDs, all 0; NULL when out of memory. */
uint8_t *bytes_take(void);
void bytes_give(uint8_t *chunk); /* gives it back, once no native code has an address in it */

/* Chooses whether dense sets are changed 32 bytes at a time; by default they are if the CPU has AVX2. Returns whether they are.
 * Safe points only. */
bool bytes_use_avx2(bool use);

void bytes_change_all(uint8_t *const *chunks, const Dependents *set, ByteChange change);

/* Changes the bytes of all IDs in the set. chunks: by ID / 2^16. */
static ALWAYS_INLINE void bytes_change(uint8_t *const *chunks, const Dependents *set, ByteChange change)
{
    uint32_t only = dependents_only(set);
    if (only != NO_ID)
        byte_change(byte_at(chunks, only), change);
    else if (!dependents_empty(set))
        bytes_change_all(chunks, set, change);
}

#endif
