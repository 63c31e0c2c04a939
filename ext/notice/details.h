/* Details: reports the queued events to subscriptions and to the lifecycle callback. Safe points only. */
#ifndef DW_DETAILS_H
#define DW_DETAILS_H

#include <Python.h>

#include "notice/garbage.h"

/* Makes the notices of all queued details, and takes them off the queue. It runs no Python, so no event comes in between. -1
 * with MemoryError set: the remaining details stay queued. */
int take_details(Garbage *garbage);
/* Empties the queue without notices. References go to garbage, or are dropped at once if memory is short: all state is
 * consistent here. */
void details_drop(Garbage *garbage);
/* Sets the callback that gets the life of every function (NULL: none). Returns the earlier one, for the caller to DECREF, or
 * NULL. */
PyObject *service_set_lifecycle_callback(PyObject *lifecycle_callback);

#endif
