/* Dicts watched only until the next drain: for provisional facets, until it has registered those where they belong. */
#ifndef DW_EXTRA_DICTS_H
#define DW_EXTRA_DICTS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

extern uint32_t extra_dicts;  /* how many */
extern uint32_t extra_dicts_needed; /* facets that count on them: while there are any, no dict's events are given up */

/* Both called inside callbacks. False: not to be watched, or too many. */
bool extra_dicts_watch(PyObject *dict);
void extra_dicts_forget(const PyObject *dict); /* it died */

/* Safe points only. Nobody else needs the dict's events any more: true if it stays watched all the same. */
bool extra_dicts_keeps(PyObject *dict);
PyObject *extra_dicts_take(void); /* one that need not be watched for this any more (borrowed), or NULL */

#endif
