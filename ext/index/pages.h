/* Pages: memory taken directly from the system, in pieces that never move. No Python.h.
 *
 * A million sets or facets take much memory. An event that reads one of them for the first time waits for the page table as
 * long as for the memory itself; in huge pages it does not wait for the page table. In a small program, a piece takes only the
 * small pages that were used.
 *
 * Pieces lie side by side in few mappings, each of which has twice as many as the one before it. Mapped one by one, each piece
 * left a gap of its own size: then an event among ten million handles took 1.5 times as long, because addresses that are
 * multiples of 4 MiB share half of the places where a processor keeps what it knows of pages.
 */
#ifndef DW_PAGES_H
#define DW_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define PAGES_PIECE ((size_t)1 << 21) /* bytes: one huge page */

/* Takes a zeroed piece, aligned to its size; NULL when out of memory. huge: asks the system for one huge page. */
void *pages_take(bool huge);
void pages_give(void *piece);

#endif
