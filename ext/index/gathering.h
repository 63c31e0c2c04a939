/* Gathering: the union of many sets of dependents, given out in the portable Roaring format. No Python.h.
 *
 * One bit for each handle, and one for each word that has a bit: so many small sets are gathered without sorting, and
 * what is read and cleared again is what was written. The memory stays for the next union.
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
    uint64_t *words;   /* owned; 1024 for each 2^16 handles, all 0 between two unions */
    uint64_t *touched; /* owned; a bit for each word */
    uint32_t *counts;  /* owned; of IDs, by 2^16 handles */
    uint32_t n_chunks;
} Gathering;

/* Safe points only. Room for the IDs below n. False: out of memory. */
bool gathering_reserve(Gathering *gathering, uint32_t n);
void gathering_add_facets(Gathering *gathering, const DependentsOf *sets, const uint32_t *facets, uint32_t n);
/* The bytes that the union takes, for gathering_write; that also empties it. */
size_t gathering_size(const Gathering *gathering);
void gathering_write(Gathering *gathering, uint8_t *bytes);
void gathering_empty(Gathering *gathering);
void gathering_free(Gathering *gathering);

#endif
