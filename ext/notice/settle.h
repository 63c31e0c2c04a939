/* Room notice: the drain. In come touched facets, queued details and retired handles; out go notices for Python. It may run
 * Python, and so runs at safe points only.
 */

/* Settling: the first half of a drain. Looks again at every facet that was touched, counts its breaks, lets old values
 * go, and reports to Python what became of the handles. Safe points only; callbacks run in the second half, notice.
 */
#ifndef DW_SETTLE_H
#define DW_SETTLE_H

#include <Python.h>
#include <stdint.h>

#include "notice/garbage.h"

typedef struct LookedAt {
    uint32_t *facets; /* owned, each pinned: looking at one can run Python, and that another drain */
    uint32_t n, capacity;
} LookedAt;

/* Tells what happened, in that order, through notice_makers. What is let go goes to garbage:
 * dropping it may run destructors. Every facet that was looked at is added to looked_at and stays until settle_end. -1 with
 * an exception set: what is left comes next time. */
int settle(Garbage *garbage, LookedAt *looked_at);
/* After garbage was dropped: frees those facets that nobody needs, and that nothing queued is about. */
void settle_end(LookedAt *looked_at);
/* In the child of a fork: what drains of other threads were at is for its next drain. */
void settle_after_fork(void);
/* The interpreter ends: from now on nothing is queued, scheduled or kept, and what depwatch owns of the program goes to
 * garbage, or is dropped at once where memory is short. Bytes and guards go on working until the process ends. */
void service_shut_down(Garbage *garbage);

#endif
