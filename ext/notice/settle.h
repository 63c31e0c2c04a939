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

typedef enum NoticeKind {
    NOTICE_DETAIL, /* (kind, facet, object, change, broke, key, old, new, filename, line) */
    NOTICE_HANDLE, /* (kind, handle, HandleState, facet, Cause): it is now in this state, because of that facet */
    NOTICE_RETIRED, /* (kind, handle): its edges are gone */
    NOTICE_RELEASED, /* (kind, bytes of uint32): the edges and the IDs of these handles are gone */
    NOTICE_LIFE    /* (kind, hearer, change, function, FunctionAttribute, new value); function is (id, qualname, code) of
                      a dead one */
} NoticeKind;

typedef struct LookedAt {
    uint32_t *facets; /* owned, each pinned: looking at one can run Python, and that another drain */
    uint32_t n, capacity;
} LookedAt;

/* Appends tuples as above to notices (a list), in the order in which things happened. Values that are let go are
 * appended to garbage: dropping that list may run destructors. Every facet that was looked at is added to looked_at and
 * stays until settle_end. -1 with an exception set: what is left comes next time. */
int settle(PyObject *notices, PyObject *garbage, LookedAt *looked_at);
/* Frees those facets that nobody needs, once their notices are read. The first *n facets are then the freed ones. Values that
 * nobody else has any more go to garbage. */
void settle_end(LookedAt *looked_at, PyObject *garbage);
/* The interpreter ends: from now on nothing is queued, scheduled or kept, and what depwatch owns of the program goes to
 * garbage (a list). Bytes and guards go on working until the process ends. */
void service_shut_down(PyObject *garbage);

#endif
