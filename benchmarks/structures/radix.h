/* Sorting 32-bit numbers, and pairs by their upper half, in time that grows with their number only. */
#ifndef RADIX_H
#define RADIX_H

#include "structure.h"

/* Sorts n pairs (upper half: key below `keys`; lower half: payload), keeping the order of equal keys. */
bool sort_pairs(uint64_t *pairs, size_t n, uint32_t keys); /* false: out of memory */

#endif
