/* Guards: what a callable looks at before each call. Guarded: a callable that runs one callable while a handle is valid and its
 * cells' guards are up, and another one otherwise. GuardedBuiltin, in ext/api, has the same guards. */
#ifndef DW_GUARDED_H
#define DW_GUARDED_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "action/linked.h"

typedef struct Guards {
    Linked of_handle;       /* in the handle's list of those that look at its byte */
    const uint8_t *broken;  /* the handle's byte */
    const uint8_t **cells;  /* owned: the guard bytes of n cells, read only while *broken is 0 */
    uint32_t n;
} Guards;

static inline bool cells_are_up(const Guards *guards)
{
    for (uint32_t i = 0; i < guards->n; i++)
        if (*guards->cells[i] == 0)
            return false;
    return true;
}

static inline bool guards_hold(const Guards *guards) { return *guards->broken == 0 && cells_are_up(guards); }

/* Whether each closure cell has what the cell after it in the tuple has. */
static inline bool variables_hold(PyObject *variables)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(variables); i += 2)
        if (PyCell_GET(PyTuple_GET_ITEM(variables, i)) != PyCell_GET(PyTuple_GET_ITEM(variables, i + 1)))
            return false;
    return true;
}

/* Looks at this byte from now on, and enters *list, which the handle owns. */
void guards_look_at(Guards *guards, const uint8_t *broken, Linked **list);
void guards_give_up(Guards *guards); /* looks at a byte that is never 0 */
void guards_free(Guards *guards);    /* whoever has the guards dies */

/* What changed(result) gives. Steals the result. Not inline, so that the way of most calls is short. */
PyObject *guarded_hand_on(PyObject *changed, PyObject *result);

extern PyTypeObject guarded_type; /* made ready at import */

/* A new callable. Steals guards->cells; enters *list, which the handle owns; ignores guards->of_handle. NULL with an exception
 * set. */
PyObject *guarded_new(PyObject *fast, PyObject *slow, PyObject *handle, const Guards *guards, Linked **list);
/* The handle is released, and its byte and cells are about to be given up: all that look at them run their slow callable. */
void guarded_end(Linked **list);

#endif
