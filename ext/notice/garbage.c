#include "notice/garbage.h"

#include <stdlib.h>
#include <string.h>

static PyObject **items_of(Garbage *garbage) { return garbage->items == NULL ? garbage->few : garbage->items; }

int garbage_reserve(Garbage *garbage, uint32_t n)
{
    uint32_t capacity = garbage->items == NULL ? GARBAGE_FEW : garbage->capacity;
    if (garbage->n + n <= capacity)
        return 0;
    while (capacity < garbage->n + n)
        capacity *= 2;
    PyObject **items = realloc(garbage->items, capacity * sizeof(PyObject *));
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (garbage->items == NULL)
        memcpy(items, garbage->few, garbage->n * sizeof *items);
    garbage->items = items;
    garbage->capacity = capacity;
    return 0;
}

void garbage_make_room(Garbage *garbage, uint32_t n)
{
    if (garbage_reserve(garbage, n) < 0) {
        PyErr_Clear();
        garbage_drop(garbage);
    }
}

void let_go(Garbage *garbage, PyObject *owned)
{
    if (owned != NULL)
        items_of(garbage)[garbage->n++] = owned;
}

void garbage_drop(Garbage *garbage)
{
    while (garbage->n > 0) {
        PyObject *owned = items_of(garbage)[--garbage->n];
        Py_DECREF(owned);
    }
    free(garbage->items);
    *garbage = garbage_none();
}
