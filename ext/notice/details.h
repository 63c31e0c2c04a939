/* Details: what is told of the events themselves. Safe points only. */
#ifndef DW_DETAILS_H
#define DW_DETAILS_H

#include <Python.h>

#include "notice/garbage.h"

/* Tells all that is queued, and takes it off. Runs no Python, so nothing is added meanwhile. -1 with MemoryError set: what is
 * left stays queued. */
int take_details(Garbage *garbage);
/* All go to garbage, untold; dropped at once where memory is short, as no state is in the making. */
void details_drop(Garbage *garbage);
/* Who hears of every function from now on (NULL: nobody). Returns who did, for the caller to DECREF, or NULL. */
PyObject *service_set_lifecycle_callback(PyObject *lifecycle_callback);

#endif
