/* Committing: a compilation's assumptions become the dependencies of a handle. Safe points only. */
#ifndef DW_COMMIT_H
#define DW_COMMIT_H

#include <Python.h>
#include <stdint.h>

typedef struct Assumption {
    uint32_t facet;
    uint32_t generation; /* of the recording that was read: see facet_read */
} Assumption;

/* A valid handle that depends on all n facets. NO_ID: either *witness < n is the first that is no longer as it was
 * read, or an exception is set. */
uint32_t handle_commit(const Assumption *assumptions, uint32_t n, uint16_t unstable_after, uint32_t *witness);
/* Retired for good, at once; its edges are purged at the drain. */
void handle_retire(uint32_t handle);
/* Also gives up the handle itself: its ID is free again after the drain. */
void handle_release(uint32_t handle);
/* Takes the handle out of every facet. */
void handle_purge(uint32_t handle);

#endif
