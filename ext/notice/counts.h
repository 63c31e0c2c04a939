/* Counts of what happened to handles, by the name of their recorder and in all, for stats(). Drains count, and calls that make or
 * retire handles; CPython's callbacks do not. The names are in tally.pxi; a handle knows the number of its name.
 */
#ifndef DW_COUNTS_H
#define DW_COUNTS_H

#include <stdint.h>

#include "facet/facets.h"
#include "index/handles.h"

enum {
    MOST_NAMES = 1000,        /* that are counted apart, or a program that makes up names would fill the memory */
    TALLIES = MOST_NAMES + 2, /* 0: in all, and of handles that C code holds; the last: of all other names */
    CALLED = CAUSE_SATURATED + 1 /* instead of a Cause: retire(), invalidate() and the like */
};

typedef struct Counts {
    uint64_t committed, recompiled, invalidated, resumed;
    uint64_t refused[3]; /* Unwatchable, Unstable, Stale */
    uint64_t retired[CALLED + 1]; /* by cause */
    uint64_t lapsed; /* handles that broke or retired, and for which none was committed since */
} Counts;

extern Counts counts[TALLIES];

/* A handle has come to be in that state, which is not told yet. cause: why it is retired. */
void count_state(uint32_t handle, HandleState state, int cause);

#endif
