/* Cells: patch points in memory. A value cell is a word that holds the facet's value now; a guard cell is a byte that
 * is 1 while the facet's recorded value holds. All handles that ask for the same cell share it.
 *
 * Addresses never move, and the memory is freed only when every handle that uses it is released and drained.
 */
#ifndef DW_CELLS_H
#define DW_CELLS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "action/labels.h"
#include "facet/values.h"

typedef enum CellKind { CELL_OBJECT, CELL_F64, CELL_I64, CELL_GUARD } CellKind;

typedef struct Cell {
    union {
        PyObject *object; /* borrowed from the provider: a reader takes a reference before anything can run Python */
        double f64;
        int64_t i64;
    } word;
    uint8_t guard;        /* 1 while word is current (value cell) or the recorded value holds (guard cell) */
    uint8_t kind;         /* CellKind */
    uint32_t facet;       /* NO_ID once the facet went on without it: the guard stays 0 */
    uint32_t users;       /* recorders and handles */
    struct Cell *next;    /* of the same facet */
    Label *labels;        /* guard cells: code that is patched with the guard */
} Cell;

/* The guard of a guard cell goes up or down, and its labels with it. Called inside CPython's callback. */
static inline void cell_set_guard(Cell *cell, bool holds)
{
    cell->guard = holds;
    for (const Label *label = cell->labels; label != NULL; label = label->next)
        label_patch(label, holds);
}

/* Whether value fits a cell of this kind; if so it is stored. Stores only: called inside CPython's callback. */
static inline bool cell_store(Cell *cell, PyObject *value)
{
    switch (cell->kind) {
    case CELL_OBJECT:
        cell->word.object = is_lazy_import(value) ? NULL : value;
        return cell->word.object != NULL;
    case CELL_F64:
        if (!PyFloat_CheckExact(value))
            return false;
        cell->word.f64 = PyFloat_AS_DOUBLE(value);
        return true;
    case CELL_I64: {
        if (!PyLong_CheckExact(value))
            return false;
        int overflow; /* an exact int: no Python, no exception, no allocation */
        long long i64 = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow)
            return false;
        cell->word.i64 = i64;
        return true;
    }
    default:
        return false;
    }
}

/* Safe points only. The cell of that kind of this facet, with one user added; NULL with an exception set. A value cell
 * starts with its guard at 0 where the value does not fit. A guard cell is made for the value recorded now. */
Cell *cell_use(uint32_t facet, CellKind kind);
/* A cell of no facet, whose guard stays 0. NULL with an exception set; or without, if the value does not fit. */
Cell *cell_of_nothing(CellKind kind, PyObject *value);
void cell_release(Cell *cell);

#endif
