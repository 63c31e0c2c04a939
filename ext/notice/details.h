/* Details: what is told of the events themselves. Safe points only. */
#ifndef DW_DETAILS_H
#define DW_DETAILS_H

#include <Python.h>

extern PyObject *Unknown_value; /* owned for the life of the process: depwatch.UNKNOWN, set at import */

/* Takes the oldest detail off the queue: appends its notice. -1 with an exception set: it is lost. */
int take_detail(PyObject *notices, PyObject *garbage);
/* All go to garbage, untold. */
void details_drop(PyObject *garbage);
/* Who hears of every function from now on (NULL: nobody). Returns who did, for the caller to DECREF, or NULL. */
PyObject *hear_functions(PyObject *hearer);

#endif
