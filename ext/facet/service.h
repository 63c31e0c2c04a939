/* The one service of this interpreter: its words, lists and counters. */
#ifndef DW_SERVICE_H
#define DW_SERVICE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#define DEPWATCH_CORE
#include "depwatch.h"
#include "index/ids.h"

typedef depwatch_change Change;
enum { CHANGES = DEPWATCH_CLASS + 1 }; /* how many there are */

typedef struct Service {
    uint32_t first_touched;    /* facets that the drain must look at: list through Facet.next_touched */
    uint32_t first_retired;    /* handles whose edges wait to be purged: list through Handle.next_retired */
    uint32_t function_interest; /* code objects whose new functions somebody listens for; more with a lifecycle_callback, and
                                  for each listener in C */
    uint32_t settling;         /* drains at work */
    bool scheduled;            /* a pending call is outstanding */
    bool unfinished;           /* the last drain left something to do: facets whose change was not made yet, or memory ran out */
    bool shutting_down;        /* the interpreter ends: no reference is taken any more */
    int (*pending)(void *);    /* runs the drain, as a pending call: notice gives it */
    PyObject *lifecycle_callback;          /* owned or NULL: who hears of every function of the process */
    uint16_t unstable_after;   /* the smallest of all handles ever */
    uint64_t generations;      /* changes of the generation of facets that had readers */
    uint64_t events;           /* events that concerned a facet, once for each facet */
    uint64_t breaks;           /* facets that stopped to hold */
    uint64_t restores;         /* facets that hold again */
    uint64_t conservative;     /* breaks at an event that does not tell the new value */
    uint64_t needless;         /* of these, found to hold by the drain */
    uint64_t identity_breaks;  /* by a value that is equal to the recorded one, which was asked for by identity */
} Service;

extern Service service;

/* One outstanding pending call at most. If CPython's list is full, the next event tries again. */
static inline void service_schedule(void)
{
    if (!service.scheduled && !service.settling && !service.shutting_down && Py_AddPendingCall(service.pending, NULL) == 0)
        service.scheduled = true;
}

#endif
