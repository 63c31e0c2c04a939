#include "action/action.h"

void count_identity_break(const Facet *facet, PyObject *value)
{
    PyObject *recorded = facet_recorded(facet);
    service.identity_breaks += recorded != NULL && same_value(recorded, value);
}

static void lose_value(Facet *facet)
{
    keep_recorded(facet);
    if (facet->known) { /* else these 8 bytes say what the facet awaits */
        facet->current = NULL;
        facet->awaits = facet->awaits_too = AWAITS_NOTHING;
    }
    for (Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next)) {
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
    facet->current = NULL;
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
    for (BlockRef *link = &facet->cells; *link != 0;) {
        Cell *cell = cell_at(*link);
        if (cell->kind != CELL_GUARD && !values_too) {
            link = &cell->next;
            continue;
        }
        *link = cell->next;
        cell_set_guard(cell, false);
        cell->facet = NO_ID;
        cell->next = 0;
    }
}

void facet_retires(uint32_t id, Cause cause)
{
    Facet *facet = facet_at(id);
    facet_outdate(id);
    service.disturbances++;
    if (ends_watching(cause))
        facet_becomes_unknown(id);
    drop_cells(facet, ends_watching(cause));
    if (dependents_empty(&facet->handles))
        return;
    facet->cause = cause & 0xfu;
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
    for (Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next)) {
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
