/* Listeners in C: called inside CPython's callback, at once. Their contract is in depwatch.h.
 *
 * A listener is part of the Python object that its owner holds; entering and leaving need no memory.
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
    void *data;             /* the owner's */
    uint32_t facet;         /* NO_ID: of functions */
} Listener;

extern Linked *function_listeners;

/* Safe points only; a listener of functions needs their watcher: see watch_functions. */
void listener_enter(Listener *listener);
void listener_leave(Listener *listener); /* idempotent */

/* Inside CPython's callback. All values are borrowed. */
void facet_listeners_hear(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *old_value,
                          PyObject *new_value);
void function_listeners_hear(Change change, PyFunctionObject *function, depwatch_part part, PyObject *value);

#endif
