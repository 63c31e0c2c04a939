/* Words: describes values, facets and changes in short, for messages and reasons. Pure C: it runs no code of the program, so no
 * __repr__ of its objects, and no signal handler. All functions return a new reference, or NULL with MemoryError set. Safe
 * points only.
 */
#ifndef DW_WORDS_H
#define DW_WORDS_H

#include <Python.h>

#include "facet/facets.h"

/* Describes the value in at most about 80 characters. */
PyObject *words_of_value(PyObject *value);
/* Describes what the facet is of which object: "'RATE' in module shop". */
PyObject *words_of_facet(uint32_t facet);
/* Describes a change: "0.19 -> 0.21, changed at shop.py:12". before and after: words of the values; NULL: unknown. filename:
 * NULL if no Python code made the change. */
PyObject *words_of_change(Change change, PyObject *before, PyObject *after, PyObject *filename, int line);
/* Says why a facet retired a handle: "'RATE' in module shop died: died at shop.py:12". change: words of the change, or NULL. */
PyObject *words_of_cause(uint32_t facet, Cause cause, PyObject *change);

/* By Cause: the predicate of a sentence whose subject is the facet. */
extern const char *const CAUSE_WORDS[];
extern const char *const CHANGE_WORDS[CHANGES];

#endif
