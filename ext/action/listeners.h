/* Listeners in C of facets, and of all functions: called at once, inside CPython's callback. Their contract is in depwatch.h.
 *
 * A listener is a part of the Python object that its owner holds, so entering and leaving a list need no memory.
 */
#ifndef DW_LISTENERS_H
#define DW_LISTENERS_H

#include <Python.h>
#include <stdbool.h>

#include "action/linked.h"
#include "facet/facets.h"

typedef struct Listener {
    Linked linked;
    union {
        depwatch_listener of_facet;
        depwatch_function_listener of_functions;
    } call;
    void *data;             /* given by the owner, passed to call */
    uint32_t facet;         /* NO_ID: a listener of all functions */
} Listener;

extern Linked *function_listeners;

/* Safe points only. Call watch_functions() before a listener of functions enters. */
void listener_enter(Listener *listener);
void listener_leave(Listener *listener); /* idempotent */

/* Inside CPython's callback: call the listeners of the facet, or of functions. All values are borrowed. */
void call_facet_listeners(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *old_value,
                          PyObject *new_value);
void call_function_listeners(Change change, PyFunctionObject *function, depwatch_part part, PyObject *value);

#endif
