/* Watcher slots: one of CPython's 8 for each kind, taken at the first use, never given back.
 *
 * All functions return -1 with an exception set (Unwatchable where CPython or the limit of 8 refuses).
 */
#ifndef DW_WATCH_H
#define DW_WATCH_H

#include <Python.h>

extern PyObject *Unwatchable_error, *Unstable_error; /* borrowed: from depwatch.errors, set at import */

int watch_dict(PyObject *dict);
void unwatch_dict(PyObject *dict);
int watch_type(PyTypeObject *type); /* the fallback where tp_subclasses cannot show a change of the MRO */
void unwatch_type(PyTypeObject *type);
int watch_functions(void);
int watch_codes(void);

/* Slots taken so far, one bit a kind: 1 dict, 2 type, 4 function, 8 code. */
unsigned watch_slots_taken(void);

#endif
