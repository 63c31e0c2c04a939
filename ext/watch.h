/* Watcher slots: one of CPython's 8 for each kind, taken at the first use, never given back.
 *
 * All functions return -1 with an exception set (Unwatchable where CPython or the limit of 8 refuses).
 */
#ifndef DW_WATCH_H
#define DW_WATCH_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

extern PyObject *Unwatchable_error, *Unstable_error; /* borrowed: from depwatch.errors, set at import */

extern int dict_slot; /* depwatch's watcher of dicts; -1 before the first use */

/* 3.13.0 sends no event when an attribute is stored through the object while its dict has its values inside the object
 * (gh-125608): the third byte of ma_values says so there. */
static inline bool misses_events(PyObject *dict)
{
    const uint8_t *values = (const uint8_t *)((PyDictObject *)dict)->ma_values;
    return Py_Version >= 0x030d0000 && Py_Version < 0x030d01f0 && values != NULL && values[2] != 0;
}

int watch_dict(PyObject *dict);
void unwatch_dict(PyObject *dict);
int watch_type(PyTypeObject *type); /* the fallback where tp_subclasses cannot show a change of the MRO */
void unwatch_type(PyTypeObject *type);
int watch_functions(void);
int watch_codes(void);

/* Slots taken so far, one bit a kind: 1 dict, 2 type, 4 function, 8 code. */
unsigned watch_slots_taken(void);

#endif
