/* Dicts that are watched meanwhile: for provisional facets, until a drain has registered those where they belong. */
#ifndef DW_MEANWHILE_H
#define DW_MEANWHILE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

extern uint32_t meanwhile_dicts;  /* how many */
extern uint32_t meanwhile_needed; /* facets that count on them: while there are any, no dict's events are given up */

/* Both called inside callbacks. False: not to be watched, or too many. */
bool meanwhile_watch(PyObject *dict);
void meanwhile_forget(const PyObject *dict); /* it died */

/* Safe points only. Nobody else needs the dict's events any more: true if it stays watched all the same. */
bool meanwhile_keeps(PyObject *dict);
PyObject *meanwhile_take(void); /* one that need not be watched for this any more (borrowed), or NULL */

#endif
