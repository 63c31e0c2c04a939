/* Pauses: a drain that has many handles to look at lets other threads have the GIL in between. Safe points only.
 *
 * During a pause, other threads may cause events, commit, release and drain. So a step pauses only where all state is
 * consistent, and what it knew of a set or a list before the pause it finds out again.
 */
#ifndef DW_PAUSES_H
#define DW_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

#define PAUSE_AFTER 8192u /* handles: from one to a few milliseconds of work */

typedef struct Pauses {
    uint32_t done; /* how many handles were worked on since the last pause */
    uint32_t left; /* how many pauses may still be made: busy threads must not keep a drain going for ever */
} Pauses;

Pauses pauses_of_drain(void);
/* Called after work on n more handles. Returns whether there was a pause. */
bool pause_after(Pauses *pauses, uint32_t n);

#endif
