/* Settling: the first half of a drain. Looks again at every facet that was touched, counts its breaks, lets old values
 * go, and reports to Python what became of the handles. Safe points only; callbacks run in the second half, notice.
 */
#ifndef DW_SETTLE_H
#define DW_SETTLE_H

#include <Python.h>
#include <stdbool.h>

#include "queue.h"
#include "service.h"

extern PyObject *Unknown_value;  /* borrowed: depwatch.UNKNOWN, set at import */
extern PyObject *drain_callable; /* borrowed: what the pending call runs */

typedef enum NoticeKind {
    NOTICE_DETAIL, /* (kind, facet, object, change, broke, key, old, new, filename, line) */
    NOTICE_HANDLE, /* (kind, handle, HandleState, facet, Cause): it is now in this state, because of that facet */
    NOTICE_RETIRED, /* (kind, handle): its edges are gone */
    NOTICE_RELEASED, /* (kind, bytes of uint32): the edges and the IDs of these handles are gone */
    NOTICE_LIFE    /* (kind, hearer, change, function, FunctionAttribute, new value); function is (id, qualname, code) of
                      a dead one */
} NoticeKind;

/* Whether a drain has something to do that was not there when the last one ended. */
static inline bool service_has_news(void)
{
    return queue.count != 0 || service.first_touched != NO_ID || service.first_retired != NO_ID;
}

/* Whether a drain has something to do. */
static inline bool service_unsettled(void) { return service_has_news() || service.unfinished; }

/* Appends tuples as above to notices (a list), in the order in which things happened. Values that are let go are
 * appended to garbage: dropping that list may run destructors. Every facet that was looked at is added to looked_at and
 * stays until settle_end. -1 with an exception set: what is left comes next time. */
typedef struct LookedAt {
    uint32_t *facets; /* owned, each pinned: looking at one can run Python, and that another drain */
    uint32_t n, capacity;
} LookedAt;

/* Who hears of every function from now on (NULL: nobody). Returns who did, for the caller to DECREF, or NULL. */
PyObject *hear_functions(PyObject *hearer);

/* Around a drain and what it delivers, for which there are calls left however deep the program has recursed. A drain by itself waits until the main thread has ended its own: inside it, later
 * events would be told first, and where callbacks cause events, there would be no end of drains. */
void drain_begins(void);
void drain_ends(void);
/* The exception that is set is of a signal handler, which came while we were at work: it waits. */
void drain_interrupted(void);
/* Sets the exception that waited, if there is one and this thread is in no drain any more: then -1. */
int drain_raises(void);

int settle(PyObject *notices, PyObject *garbage, LookedAt *looked_at);
/* Frees those facets that nobody needs, once their notices are read. The first *n facets are then the freed ones. */
void settle_end(LookedAt *looked_at);
/* The interpreter ends: from now on nothing is queued, scheduled or kept, and what depwatch owns of the program goes to
 * garbage (a list). Bytes and guards go on working until the process ends. */
void settle_for_ever(PyObject *garbage);

#endif
