/* What the steps of a drain append to: lists of notices, and of references that are dropped when no state is in the making. */
#ifndef DW_GARBAGE_H
#define DW_GARBAGE_H

#include <Python.h>

/* Appends and drops the reference to item. */
static inline int append(PyObject *list, PyObject *item)
{
    int result = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return result;
}

/* Keeps an owned reference until no state is in the making any more: its destructor may run Python. */
static inline void let_go(PyObject *garbage, PyObject *owned)
{
    if (owned != NULL && append(garbage, owned) < 0)
        PyErr_Clear(); /* append has dropped it: early, but dropped */
}

#endif
