/* Listeners in C: called inside CPython's callback, at once. Their contract is in depwatch.h.
 *
 * A listener is part of the Python object that its owner holds; entering and leaving need no memory.
 */
#ifndef DW_LISTENERS_H
#define DW_LISTENERS_H

#include <Python.h>
#include <stdbool.h>

#define DEPWATCH_CORE
#include "depwatch.h"
#include "facet/facets.h"

typedef struct Listener {
    union {
        depwatch_listener of_facet;
        depwatch_function_listener of_functions;
    } call;
    void *data;             /* the owner's */
    uint32_t facet;         /* NO_ID: of functions */
    struct Listener *next;
    struct Listener **link; /* what points here; NULL: has not entered, or has left */
} Listener;

extern Listener *function_listeners; /* list */

/* Safe points only; a listener of functions needs their watcher: see watch_functions. */
void listener_enter(Listener *listener);
void listener_leave(Listener *listener); /* idempotent */

/* Inside CPython's callback. All values are borrowed. */
void facet_listeners_hear(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *old_value,
                          PyObject *new_value);
void function_listeners_hear(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value);

#endif
