/* Words: values, facets and changes in short, for messages and reasons. Pure C: no code of the program runs, no signal
 * handler, no repr of its objects. All functions return a new reference, or NULL with MemoryError set. Safe points only.
 */
#ifndef DW_WORDS_H
#define DW_WORDS_H

#include <Python.h>

#include "facet/facets.h"

/* The value in at most about 80 characters. */
PyObject *words_of_value(PyObject *value);
/* "'RATE' in module shop": what of which object. */
PyObject *words_of_facet(uint32_t facet);
/* "0.19 -> 0.21, changed at shop.py:12". before and after: words of values, or NULL: not told. filename: NULL where no
 * Python code made the change. */
PyObject *words_of_change(Change change, PyObject *before, PyObject *after, PyObject *filename, int line);
/* Why a facet retired a handle: "'RATE' in module shop died: died at shop.py:12". change: words, or NULL. */
PyObject *words_of_cause(uint32_t facet, Cause cause, PyObject *change);

/* After the name of a facet, by Cause. */
extern const char *const CAUSE_WORDS[];
extern const char *const CHANGE_WORDS[CHANGES];

#endif
