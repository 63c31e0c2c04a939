/* Room action: what a change does to optimized code at once. It changes the bytes of handles, cells, jump labels and
 * entries, and calls listeners in C. CPython's callbacks call it, so it only stores and takes new references; a function
 * that allocates or frees says that it is for safe points only.
 */

/* Actions: what an event does at once to a facet and to everything that relies on the facet. CPython's callbacks call these
 * functions before the change takes effect, so they only store and take new references. The drain calls them too, after it
 * has looked the facet up again.
 */
#ifndef DW_ACTION_H
#define DW_ACTION_H

#include "action/cells.h"
#include "action/handle_listeners.h"
#include "action/timing.h"
#include "facet/facets.h"
#include "facet/values.h"
#include "index/handles.h"

/* Stores the facet's new value in its value cells. The guard of a cell becomes 1 if the value fits the cell's kind, else 0. */
static inline void cells_become(const Facet *facet, PyObject *value)
{
    for (Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next))
        if (cell->kind != CELL_GUARD)
            cell->guard = cell_store(cell, value);
}

static ALWAYS_INLINE void handles_flip(const Facet *facet, ByteChange change, bool timed)
{
    uint32_t only = dependents_only(&facet->handles);
    if (only != NO_ID)
        byte_change(handle_byte(only), change);
    else if (dependents_empty(&facet->handles))
        return;
    else if (timed)
        handles_change_timed(facet, change);
    else
        handles_change(&facet->handles, change);
}

/* Breaks the facet, or makes it hold again. The facet's own bit changes first, then the byte of each dependent handle, then
 * guard cells; listeners in C are called last, when all state is new. timed: this is an event that nobody times. */
static ALWAYS_INLINE void flips(Facet *facet, bool holds, bool timed)
{
    facet->holds = holds;
    if (holds) {
        service.needless += facet->conservative;
        facet->counted = false;
        facet->conservative = false;
        service.restores++;
        handles_flip(facet, BYTE_HOLDS, timed);
    } else {
        service.breaks++;
        service.disturbances++;
        facet->falls++;
        handles_flip(facet, BYTE_BREAKS, timed);
    }
    for (Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next))
        if (cell->kind == CELL_GUARD)
            cell_set_guard(cell, holds);
    if (facet->handles_have_listeners)
        call_listeners_of_dependents(facet);
    touch(facet);
}

static inline void facet_flips(Facet *facet, bool holds) { flips(facet, holds, false); }

/* Takes a reference of our own to the recorded value, because the provider (the dict or function that holds the value) may
 * drop it now. Without a reference the value could die and another object get its address, and then the facet would seem to
 * hold. Where depwatch may take no reference (the value is dying, it is an array, or the interpreter ends), the facet can
 * never hold again. */
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

/* Counts a break that happened only because the reader asked for identity: the new value equals the recorded one. */
void count_identity_break(const Facet *facet, PyObject *value);

/* The facet's provider (a dict or function) is about to store value (borrowed). Returns whether that broke the facet. timed: see
 * flips(). */
static ALWAYS_INLINE bool becomes(Facet *facet, PyObject *value, bool timed)
{
    bool recorded = facet->recorded != NULL;
    keep_recorded(facet);
    facet->current = value;
    facet->known = true;
    cells_become(facet, value);
    if (!recorded)
        return false;
    bool holds = is_recorded(facet, value);
    if (holds == facet->holds)
        return false;
    if (UNLIKELY(facet->identity) && !holds)
        count_identity_break(facet, value);
    flips(facet, holds, timed);
    return !holds;
}

static inline void facet_becomes(uint32_t id, PyObject *value) { (void)becomes(facet_at(id), value, false); }

void facet_becomes_missing(uint32_t id); /* the drain looked: no dict of the chain has the name */
void facet_becomes_unknown(uint32_t id); /* its value may have changed: it is broken until the drain has looked it up */
void facet_loses_place(Facet *facet);    /* the same value may be in another dict now: it holds, and the drain looks where */
/* Retires all handles and guard cells of the facet; also its value cells, if the facet can no longer be watched. */
void facet_retires(uint32_t id, Cause cause);
void facet_dies(uint32_t id);            /* its object died */

#endif
