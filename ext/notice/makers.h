/* Makers of notices: given by api, called by the steps of a drain for what Python is to be told. Each enters its notice
 * in the queue of what is to be delivered, or fails with MemoryError and changes nothing. None runs code of the program.
 */
#ifndef DW_MAKERS_H
#define DW_MAKERS_H

#include <Python.h>

#include "event/queue.h"
#include "facet/facets.h"
#include "index/handles.h"

typedef struct NoticeMakers {
    /* Values are borrowed; NULL: not told, or gone. */
    int (*detail)(const Detail *detail, PyObject *old_value, PyObject *new_value, PyObject *filename, int line);
    int (*life)(const Detail *detail, PyObject *function, const Detail *end, PyObject *value); /* function: NULL: it is dead */
    int (*state)(uint32_t handle, HandleState state, uint32_t facet, Cause cause); /* it is now in this state */
    int (*retired)(uint32_t handle);                                             /* its edges are about to be purged */
    /* These cannot fail: what they return says nothing. */
    uint64_t (*mark)(void);                           /* before a step that must tell all or nothing */
    int (*take_back)(uint64_t mark);                 /* what was entered since */
    int (*gone)(uint32_t handle, int released);      /* its edges are purged, and, if released, its ID is about to be free */
    int (*died)(uint32_t facet);                     /* its object did, and all details of it are told */
    int (*freed)(uint32_t facet);                    /* its number is about to mean another one */
} NoticeMakers;

extern NoticeMakers notice_makers; /* filled at import */

#endif
