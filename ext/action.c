#include "action.h"

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
        facet_flips(facet, false);
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
