/* Retiring: the end of handles. Safe points only. */
#ifndef DW_RETIRE_H
#define DW_RETIRE_H

#include <stdint.h>

/* Retired for good, at once; its edges are purged at the drain. */
void handle_retire(uint32_t handle);
/* Also gives up the handle itself: its ID is free again after the drain. */
void handle_release(uint32_t handle);
/* Takes n handles out of every facet; sorts them. */
void handles_purge(uint32_t *handles, uint32_t n);

#endif
