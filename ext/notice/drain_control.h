/* When a drain runs: by itself through one pending call, and how drains of a thread nest. Safe points only. */
#ifndef DW_DRAIN_CONTROL_H
#define DW_DRAIN_CONTROL_H

#include <Python.h>
#include <stdbool.h>

#include "event/queue.h"
#include "facet/service.h"

extern PyObject *drain_callable; /* owned: what the pending call runs; set at import */

int service_pending(void *unused); /* runs the drain, as a pending call */

/* Whether a drain has something to do that was not there when the last one ended. */
static inline bool service_has_news(void)
{
    return queue.count != 0 || service.first_touched != NO_ID || service.first_retired != NO_ID;
}

/* Whether a drain has something to do. */
static inline bool service_unsettled(void) { return service_has_news() || service.unfinished; }

/* Around a drain and what it delivers, for which there are calls left however deep the program has recursed. A drain by
 * itself waits until the main thread has ended its own: inside it, later events would be told first, and where callbacks
 * cause events, there would be no end of drains. */
void drain_begins(void);
void drain_ends(void);
/* In the child of a fork: its parent's pending call is gone, and so may be the drain that it waited for. */
void drain_after_fork(void);

#endif
