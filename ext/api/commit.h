/* Committing: a compilation's assumptions become the dependencies of handles. Safe points only. */
#ifndef DW_COMMIT_H
#define DW_COMMIT_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "index/edges.h"

typedef struct Assumption {
    uint32_t facet;
    uint32_t generation; /* of the recording that was read: see facet_read */
} Assumption;

/* A valid handle that depends on all n facets. NO_ID: either *witness < n is the first that is no longer as it was
 * read, or an exception is set. */
uint32_t handle_commit(const Assumption *assumptions, uint32_t n, uint16_t unstable_after, uint32_t *witness);
/* Many handles at once, handles[0] to handles[n - 1], ascending: the i-th depends on the facets of
 * assumptions[reads[offsets[i]]] to assumptions[reads[offsets[i + 1] - 1]], in any order. generations: of the service,
 * before the first was read. None is made when false: either *witness != NO_ID is one that is no longer as it was read,
 * or an exception is set. */
bool handles_commit(const Assumption *assumptions, uint64_t generations, uint32_t n, const uint64_t *offsets,
                    const uint32_t *reads, uint16_t unstable_after, uint32_t *handles, uint32_t *witness);
/* The facets of n handles: fills offsets (n + 1) and returns the facets, malloc'ed; or NULL. */
uint32_t *handles_facets(const uint32_t *handles, uint32_t n, uint64_t *offsets);
/* What is wrong with the index of facets and handles, or NULL. Cost: looks up every dependency. */
const char *index_wrong(void);

#endif
