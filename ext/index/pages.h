/* Pages: memory straight from the system, in pieces that never move. No Python.h.
 *
 * A million sets or facets lie far apart, and an event that finds one cold waits for the page table as long as for the
 * memory: in huge pages it does not. A small program pays for the pages that it touches only.
 */
#ifndef DW_PAGES_H
#define DW_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define PAGES_PIECE ((size_t)1 << 21) /* bytes: one huge page */

/* A zeroed piece, aligned to its size; NULL when out of memory. huge: in one page, where the system has such. */
void *pages_take(bool huge);
void pages_give(void *piece);

#endif
