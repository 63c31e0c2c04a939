/* Retiring and releasing handles. Safe points only. */
#ifndef DW_RETIRE_H
#define DW_RETIRE_H

#include <stdint.h>

/* Retires the handle for good: its byte is 255 at once, its edges are purged at the next drain. */
void handle_retire(uint32_t handle);
/* Retires the handle and gives up its ID, which may be reused after the next drain. */
void handle_release(uint32_t handle);
/* Takes n handles out of the dependents of every facet. Sorts the array. */
void handles_purge(uint32_t *handles, uint32_t n);

#endif
