/* The service: the state that there is once in the process (lists, flags and counters). */
#ifndef DW_SERVICE_H
#define DW_SERVICE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#define DEPWATCH_CORE
#include "depwatch.h"
#include "index/ids.h"

typedef depwatch_change Change;
enum { CHANGES = DEPWATCH_CLASS + 1 }; /* the number of kinds of changes */

typedef struct Service {
    uint32_t first_touched;    /* facets that the drain must look at: a list through Facet.next_touched */
    uint32_t first_retired;    /* handles whose edges wait to be purged: a list through Handle.next_retired, the oldest first */
    uint32_t last_retired;     /* its end; meaningless if it is empty */
    uint32_t function_interest; /* 0: events of functions concern only watched functions. Counts the code objects whose new
                                   functions have listeners, the listeners of all functions in C, and the lifecycle callback */
    uint32_t settling;         /* number of drains that are settling */
    bool scheduled;            /* CPython has our pending call, which will run the drain */
    bool unfinished;           /* the last drain left work: a change was not made yet, or memory ran out */
    bool shutting_down;        /* the interpreter ends: depwatch takes no more references */
    int (*pending)(void *);    /* the pending call that runs the drain; set by the room notice */
    PyObject *lifecycle_callback; /* owned or NULL: called by the drain for every function of the process */
    uint16_t unstable_after;   /* the smallest limit that any handle so far has had */
    uint64_t generations;      /* counts the changes of Facet.generation in facets that had readers */
    uint64_t breaks;           /* how often facets broke */
    uint64_t restores;         /* how often facets held again */
    uint64_t disturbances;     /* breaks, and facets that retired all that relied on them: the word that native code compares */
    uint64_t conservative;     /* breaks by an event that does not name the new value */
    uint64_t needless;         /* how many of the conservative breaks were needless: the drain found the recorded value */
    uint64_t event_ns;         /* how long events took, as far as they count in service_events() */
    uint64_t timed_at;         /* the number of events at which the clock is read next */
    int64_t until_timed;       /* minus how many events there are until then. See action/timing.h, service_events() */
    uint64_t identity_breaks;  /* breaks by a value that equals the recorded one, where a reader asked for identity */
} Service;

extern Service service;

/* How many events concerned a facet, counted once for each facet. */
static inline uint64_t service_events(void) { return service.timed_at + (uint64_t)service.until_timed; }

/* Asks CPython for a pending call that runs the drain, unless one is outstanding. If CPython's list of pending calls is full,
 * the next event tries again. */
static inline void service_schedule(void)
{
    if (!service.scheduled && !service.settling && !service.shutting_down && Py_AddPendingCall(service.pending, NULL) == 0)
        service.scheduled = true;
}

#endif
