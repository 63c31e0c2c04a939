#include "action/action.h"

void count_identity_break(const Facet *facet, PyObject *value)
{
    PyObject *recorded = facet_recorded(facet);
    service.identity_breaks += recorded != NULL && same_value(recorded, value);
}

static void lose_value(Facet *facet)
{
    keep_recorded(facet);
    facet->current = NULL;
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next) {
        if (cell->kind == CELL_GUARD)
            continue;
        cell->guard = 0;
        cell->word.i64 = 0;
    }
}

void facet_becomes_missing(uint32_t id)
{
    Facet *facet = facet_at(id);
    bool held = facet_holds_now(facet), absence = facet->recorded == ABSENT;
    lose_value(facet);
    if (absence ? !facet->holds : held)
        facet_flips(facet, absence);
    facet->known = true;
    facet->provider = NO_ID;
}

void facet_loses_place(Facet *facet)
{
    bool held = facet_holds_now(facet);
    lose_value(facet);
    if (held && facet->recorded == NULL) /* no reference to the value could be kept, so no look can recognise it again */
        facet_flips(facet, false);
    facet->known = false;
    facet->provider = NO_ID;
    touch(facet);
}

void facet_becomes_unknown(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    bool held = facet_holds_now(facet);
    facet_loses_place(facet);
    if (!held)
        return;
    if (facet->holds)
        facet_flips(facet, false);
    facet->conservative = true;
    service.conservative++;
}

/* Whether, after this cause, no event reports the facet's changes any more, so that its value cells cannot be kept current. */
static bool ends_watching(Cause cause)
{
    return cause == CAUSE_UNWATCHABLE || cause == CAUSE_AMBIGUOUS || cause == CAUSE_CLASS || cause == CAUSE_BASES;
}

/* Takes the guard cells (and value cells too, if asked) from the facet for good, with their guards at 0. */
static void drop_cells(Facet *facet, bool values_too)
{
    for (Cell **link = &facet->cells; *link != NULL;) {
        Cell *cell = *link;
        if (cell->kind != CELL_GUARD && !values_too) {
            link = &cell->next;
            continue;
        }
        *link = cell->next;
        cell_set_guard(cell, false);
        cell->facet = NO_ID;
        cell->next = NULL;
    }
}

void facet_retires(uint32_t id, Cause cause)
{
    Facet *facet = facet_at(id);
    facet->generation++;
    service.disturbances++;
    service.generations += facet->readers != 0; /* without readers, no recorder knows the earlier generation */
    if (ends_watching(cause))
        facet_becomes_unknown(id);
    drop_cells(facet, ends_watching(cause));
    if (dependents_empty(&facet->handles))
        return;
    facet->cause = (uint8_t)cause;
    handles_change(&facet->handles, BYTE_RETIRES);
    if (facet->handles_have_listeners)
        call_listeners_of_dependents(facet);
    facet_touch(id);
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
        cell_set_guard(cell, false);
        cell->word.i64 = 0;
    }
    facet->cause = CAUSE_DIED;
    service.disturbances++;
    handles_change(&facet->handles, BYTE_RETIRES);
    if (facet->handles_have_listeners)
        call_listeners_of_dependents(facet);
    facet_touch(id);
}
