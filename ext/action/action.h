/* Room action: what a change does to code, at once: bytes, cells, labels, entries, listeners in C. Called inside CPython's
 * callback: stores and new references only; what allocates or frees says that it is for safe points.
 */

/* Actions: what an event does to a facet and to all that rely on it, at once. Called inside CPython's callback, before
 * the change takes effect: stores and new references only. The drain calls them too, when it has looked again.
 */
#ifndef DW_ACTION_H
#define DW_ACTION_H

#include "action/cells.h"
#include "action/handle_listeners.h"
#include "facet/facets.h"
#include "facet/values.h"
#include "index/handles.h"

/* The words of value cells, and whether they are current. */
static inline void cells_become(Cell *cells, PyObject *value)
{
    for (Cell *cell = cells; cell != NULL; cell = cell->next)
        if (cell->kind != CELL_GUARD)
            cell->guard = cell_store(cell, value);
}

/* The bit changes first, then the dependents are told: one store a handle; and listeners when all is changed. */
static inline void facet_flips(Facet *facet, bool holds)
{
    facet->holds = holds;
    if (holds) {
        service.needless += facet->conservative;
        facet->counted = false;
        facet->conservative = false;
        service.restores++;
        handles_change(&facet->handles, BYTE_MENDS);
    } else {
        service.breaks++;
        handles_change(&facet->handles, BYTE_BREAKS);
    }
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind == CELL_GUARD)
            cell_set_guard(cell, holds);
    if (facet->heard)
        facet_handles_hear(facet);
    touch(facet);
}

/* The provider is no longer known to keep the recorded value: from now on we do, or its address could come to mean
 * another object. Where that may not be (it is dying, it is an array, the interpreter ends) the facet can never hold
 * again. */
static inline void keep_recorded(Facet *facet)
{
    PyObject *value = facet->recorded;
    if (value == NULL || facet->reference != REFERENCE_BORROWED)
        return;
    if (dies_unseen(value) && !service.shutting_down) {
        Py_INCREF(value);
        facet->reference = REFERENCE_STRONG;
        return;
    }
    facet->recorded = (PyObject *)keep(value);
    facet->reference = facet->recorded == NULL ? REFERENCE_BORROWED : REFERENCE_KEPT;
}

/* Counts the break of a facet if the value that is stored equals the recorded one: then only identity broke it. */
void count_identity_break(const Facet *facet, PyObject *value);

/* The provider is about to hold value (borrowed). Returns whether that broke the facet. */
static ALWAYS_INLINE bool becomes(Facet *facet, PyObject *value)
{
    bool recorded = facet->recorded != NULL;
    keep_recorded(facet);
    facet->current = value;
    facet->known = true;
    cells_become(facet->cells, value);
    if (!recorded)
        return false;
    bool holds = is_recorded(facet, value);
    if (holds == facet->holds)
        return false;
    if (UNLIKELY(facet->identity) && !holds)
        count_identity_break(facet, value);
    facet_flips(facet, holds);
    return !holds;
}

static inline void facet_becomes(uint32_t id, PyObject *value) { (void)becomes(facet_at(id), value); }

void facet_becomes_missing(uint32_t id);                /* nobody provides it now: seen by the drain */
void facet_becomes_unknown(uint32_t id);                /* it may have changed: broken until the drain has looked */
void facet_loses_place(Facet *facet);                   /* the same value, the drain finds where: what held holds on */
/* All that rely on it end for good: handles and guards, and value cells where it can no longer be watched. */
void facet_retires(uint32_t id, Cause cause);
void facet_dies(uint32_t id);                           /* with its object */

#endif
