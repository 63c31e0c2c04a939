/* Cells: patch points in memory. A value cell is a word that holds the facet's present value; a guard cell is a byte that
 * is 1 while the facet's recorded value holds. All handles that ask for the same cell of a facet share it.
 *
 * A cell never moves. Its memory is freed when every handle that uses it was released, at the drain after that.
 */
#ifndef DW_CELLS_H
#define DW_CELLS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "action/labels.h"
#include "facet/values.h"
#include "index/blocks.h"

typedef enum CellKind { CELL_OBJECT, CELL_F64, CELL_I64, CELL_BOOL, CELL_GUARD } CellKind;

typedef struct Cell {
    union {
        PyObject *object; /* borrowed from the provider: a reader takes a reference before anything can run Python */
        double f64;
        int64_t i64; /* of a bool: 1 or 0 */
    } word;
    uint8_t guard;        /* 1 while word is current (value cell) or the recorded value holds (guard cell) */
    uint8_t kind;         /* CellKind */
    BlockRef ref;         /* its own memory */
    uint32_t facet;       /* NO_ID once the facet dropped this cell: then the guard stays 0 */
    uint32_t users;       /* recorders and handles that have this cell */
    BlockRef next;        /* the next cell of the same facet */
    Label *labels;        /* guard cells: the jump labels that are patched when the guard changes */
} Cell;

static inline Cell *cell_at(BlockRef ref) { return ref == 0 ? NULL : block_at(ref); }

/* Sets the guard byte of a guard cell to 1 or 0, and patches its jump labels. Called inside CPython's callback. */
static inline void cell_set_guard(Cell *cell, bool holds)
{
    cell->guard = holds;
    for (const Label *label = cell->labels; label != NULL; label = label->next)
        label_patch(label, holds);
}

/* Stores value in the cell if it fits the cell's kind; returns whether it fits. Called inside CPython's callback. */
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
        int overflow; /* converting an exact int runs no Python, raises nothing and allocates nothing */
        long long i64 = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow)
            return false;
        cell->word.i64 = i64;
        return true;
    }
    case CELL_BOOL:
        if (!PyBool_Check(value))
            return false;
        cell->word.i64 = value == Py_True;
        return true;
    default:
        return false;
    }
}

/* Safe points only. Returns the facet's cell of that kind, with one user added; NULL with an exception set. The guard of a
 * new value cell is 0 if the present value does not fit. A new guard cell guards the value that is recorded now. */
Cell *cell_use(uint32_t facet, CellKind kind);
/* Returns a cell without a facet, for a process where depwatch is switched off: its guard stays 0. NULL with an exception
 * set; or NULL without one, if the value does not fit the kind. */
Cell *cell_of_nothing(CellKind kind, PyObject *value);
void cell_release(Cell *cell);

#endif
