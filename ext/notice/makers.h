/* Makers of notices: functions that the room api gives, and that the steps of a drain call for whatever Python is to learn.
 * Each enters a notice in the queue of calls that are due, or fails with MemoryError and changes nothing. None runs code of the
 * program.
 */
#ifndef DW_MAKERS_H
#define DW_MAKERS_H

#include <Python.h>
#include <stdbool.h>

#include "event/queue.h"
#include "facet/facets.h"
#include "index/handles.h"

typedef struct NoticeMakers {
    /* All objects are borrowed. Values may be NULL: unknown, or gone. */
    int (*detail)(const Detail *detail, PyObject *old_value, PyObject *new_value, PyObject *filename, int line);
    /* function is NULL if it is dead; then end is the detail of its death, or NULL if that was dropped. */
    int (*life)(const Detail *detail, PyObject *function, const Detail *end, PyObject *value);
    /* The facet brought the handle to state. Called if that is HANDLE_RETIRED, or somebody hears of it: see below. */
    int (*state)(uint32_t handle, HandleState state, uint32_t facet, Cause cause);
    int (*retired)(uint32_t handle);            /* the handle was retired, and its edges are about to be purged */
    /* These cannot fail: their result means nothing. */
    uint64_t (*mark)(void);                     /* called before a step that must enter all its notices or none */
    int (*take_back)(uint64_t mark);            /* removes the notices that were entered since mark() */
    int (*gone)(uint32_t handle, int released); /* the handle's edges are purged; if released, its ID is about to be free */
    int (*died)(uint32_t facet);                /* the facet's object died, and all details of the facet are delivered */
    int (*freed)(uint32_t facet);               /* the facet's ID is about to mean another facet */
    bool all_heard;                             /* somebody listens to all handles, not only those that are `heard` */
} NoticeMakers;

extern NoticeMakers notice_makers; /* filled at import */

#endif
