/* Decides when a drain runs by itself, through one pending call, and how drains nest in a thread. Safe points only. */
#ifndef DW_DRAIN_CONTROL_H
#define DW_DRAIN_CONTROL_H

#include <Python.h>
#include <stdbool.h>

#include "event/queue.h"
#include "facet/service.h"

extern PyObject *drain_callable; /* owned: the Python function drain(), which the pending call runs; set at import */

int service_pending(void *unused); /* the pending call: runs the drain */

/* Whether there are events that no drain has looked at. */
static inline bool service_has_news_of_events(void) { return queue.count != 0 || service.first_touched != NO_ID; }

/* Whether anything happened since the last drain ended. */
static inline bool service_has_news(void) { return service_has_news_of_events() || service.first_retired != NO_ID; }

/* Whether a drain has something to do, including work that the last one left. */
static inline bool service_unsettled(void) { return service_has_news() || service.unfinished; }

/* Called before and after a drain, including the callbacks that it makes. In between, the thread may call 100 deep, however
 * close to the recursion limit the program is. A drain that would begin by itself waits until the main thread's present drain
 * has ended. If it ran inside, later events would be reported before earlier ones, and callbacks that cause events would make
 * drains nest without end. */
bool drain_begins(void); /* whether no other drain of this thread is going on */
void drain_ends(void);
/* In the child of a fork: forgets the parent's pending call, which the child does not have, and the drain that it waited for,
 * whose thread the child may not have. */
void drain_after_fork(void);

#endif
