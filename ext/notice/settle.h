/* Room notice: the drain. It takes touched facets, queued details and retired handles, and makes notices for Python of them. It
 * may run Python, and so runs at safe points only.
 */

/* Settling: the first half of a drain. It looks again at every touched facet, counts breaks, lets old values go, and makes the
 * notices of events and handles. Safe points only. The second half (drain.pxi) delivers the notices by calling the program's
 * callbacks.
 */
#ifndef DW_SETTLE_H
#define DW_SETTLE_H

#include <Python.h>
#include <stdint.h>

#include "notice/garbage.h"

typedef struct LookedAt {
    uint32_t *facets; /* owned array of facets, each with a pin: a look can run Python, and another drain, which frees facets */
    uint32_t n, capacity;
} LookedAt;

/* Makes the notices of all that happened, in that order, through notice_makers. References that it gives up go to garbage,
 * because dropping them may run destructors. Every facet that it looked at is added to looked_at, and stays until settle_end().
 * -1 with an exception set: the next drain does the rest. */
int settle(Garbage *garbage, LookedAt *looked_at);
/* Called after the garbage was dropped: frees the facets that are unused and of which no detail is queued. */
void settle_end(LookedAt *looked_at);
/* In the child of a fork: leaves the facets that drains of other threads had taken to the child's next drain. */
void settle_after_fork(void);
/* Called when the interpreter ends. From now on depwatch queues, schedules and keeps nothing. Its references to objects of the
 * program go to garbage, or are dropped at once if memory is short. Bytes and guards go on working until the process ends. */
void service_shut_down(Garbage *garbage);

#endif
