#include "action.h"

#include "handles.h"
#include "service.h"
#include "values.h"

void facet_touch(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (!facet->touched) {
        facet->touched = true;
        facet->next_touched = service.first_touched;
        service.first_touched = id;
    }
    service_schedule();
}

/* The bit changes first, then the dependents are told: one store a handle. */
static void flip(uint32_t id, bool holds)
{
    Facet *facet = facet_at(id);
    facet->holds = holds;
    if (holds) {
        service.needless += facet->conservative;
        facet->counted = false;
        facet->conservative = false;
        service.restores++;
        handles_mend(&facet->handles);
    } else {
        service.breaks++;
        handles_break(&facet->handles);
    }
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind == CELL_GUARD)
            cell->guard = holds;
    facet_touch(id);
}

/* The provider lets go of the recorded value: from now on we keep it, or its address could come to mean another
 * object. At the end of the interpreter we keep nothing, and the facet can never hold again. */
static void keep_recorded(Facet *facet)
{
    if (facet->recorded == NULL || facet->reference != REFERENCE_BORROWED)
        return;
    if (service.shutting_down) {
        facet->recorded = NULL;
        return;
    }
    Py_INCREF(facet->recorded);
    facet->reference = REFERENCE_STRONG;
}

void facet_becomes(uint32_t id, PyObject *value)
{
    Facet *facet = facet_at(id);
    bool recorded = facet->recorded != NULL;
    keep_recorded(facet);
    facet->current = value;
    facet->known = true;
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind != CELL_GUARD)
            cell->guard = cell_store(cell, value);
    if (!recorded)
        return;
    PyObject *assumed = facet_recorded(facet);
    bool holds = assumed != NULL && same_value(assumed, value);
    if (holds != facet->holds)
        flip(id, holds);
}

static void lose_value(uint32_t id)
{
    Facet *facet = facet_at(id);
    bool recorded = facet->recorded != NULL;
    keep_recorded(facet);
    facet->current = NULL;
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next) {
        cell->guard = 0;
        cell->word.i64 = 0;
    }
    if (recorded && facet->holds)
        flip(id, false);
}

void facet_becomes_missing(uint32_t id)
{
    lose_value(id);
    facet_at(id)->known = true;
    facet_at(id)->provider = NO_ID;
}

void facet_becomes_unknown(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    bool held = facet->recorded != NULL && facet->holds;
    lose_value(id);
    facet->known = false;
    facet->provider = NO_ID;
    if (held) {
        facet->conservative = true;
        service.conservative++;
    }
    facet_touch(id);
}

void facet_retires_handles(uint32_t id, Cause cause)
{
    Facet *facet = facet_at(id);
    facet->generation++;
    if (dependents_empty(&facet->handles))
        return;
    facet->cause = (uint8_t)cause;
    handles_retire(&facet->handles);
    facet_touch(id);
}

void facet_drops_guards(Facet *facet)
{
    for (Cell **link = &facet->cells; *link != NULL;) {
        Cell *cell = *link;
        if (cell->kind != CELL_GUARD) {
            link = &cell->next;
            continue;
        }
        *link = cell->next;
        cell->guard = 0;
        cell->facet = NO_ID;
        cell->next = NULL;
    }
}

void facet_dies(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    facet->dead = true;
    facet->known = true;
    facet->holds = false;
    facet->current = NULL;
    facet->provider = NO_ID;
    if (facet->reference == REFERENCE_BORROWED)
        facet->recorded = NULL;
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next) {
        cell->guard = 0;
        cell->word.i64 = 0;
    }
    facet->cause = CAUSE_DIED;
    handles_retire(&facet->handles);
    facet_touch(id);
}
