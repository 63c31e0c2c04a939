/* Guarded: a callable that runs one callable while a handle is valid and its cells' guards are up, and another one otherwise. */
#ifndef DW_GUARDED_H
#define DW_GUARDED_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "action/linked.h"

/* What a Guarded looks at before each call. */
typedef struct Guards {
    Linked of_handle;       /* in the handle's list of those that look at its byte */
    const uint8_t *broken;  /* the handle's byte */
    const uint8_t **cells;  /* owned: the guard bytes of n cells, read only while *broken is 0 */
    uint32_t n;
} Guards;

extern PyTypeObject guarded_type; /* made ready at import */

/* A new callable. Steals guards->cells; enters *list, which the handle owns. NULL with an exception set. */
PyObject *guarded_new(PyObject *fast, PyObject *slow, PyObject *handle, const Guards *guards, Linked **list);
/* The handle is released, and its byte and cells are about to be given up: all that look at them run their slow callable. */
void guarded_end(Linked **list);

#endif
