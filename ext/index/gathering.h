/* Gathering: makes the union of many sets of dependents and writes it in the portable Roaring format. No Python.h.
 *
 * It has one bit for each handle, and a flag for each line of 512 bits of which one was set. So it needs no sorting, and reads
 * and clears only the lines that a union wrote. Flags are only ever stored while sets are added, and IDs are counted once, at
 * the end: to count each would make it wait for the ID before it. The memory is kept for the next union.
 * Format: https://github.com/RoaringBitmap/RoaringFormatSpec (without run containers).
 */
#ifndef DW_GATHERING_H
#define DW_GATHERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/dependents.h"
#include "index/edges.h"

typedef struct Gathering {
    uint64_t *words;   /* owned; a bit for each handle; all 0 between two unions */
    uint8_t *touched;  /* owned; a flag for each line of 8 words; those of other lines are all 0 */
    uint32_t *counts;  /* owned; for gathering_write(): the number of IDs in each chunk of 2^16 handles */
    uint32_t n_chunks;
} Gathering;

/* Safe points only. Makes room for the IDs below n. False: out of memory. */
bool gathering_reserve(Gathering *gathering, uint32_t n);
void gathering_add_facets(Gathering *gathering, const DependentsOf *sets, const uint32_t *facets, uint32_t n);
/* The number of bytes that gathering_write() writes, which is called after it and also empties the union. */
size_t gathering_size(Gathering *gathering);
void gathering_write(Gathering *gathering, uint8_t *bytes);
void gathering_empty(Gathering *gathering);
void gathering_free(Gathering *gathering);

#endif
