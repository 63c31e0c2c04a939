#include "notice/breaks.h"

#include "action/action.h"
#include "action/handle_listeners.h"
#include "facet/facets.h"
#include "index/handles.h"
#include "notice/drain_control.h"
#include "notice/look.h"
#include "notice/references.h"

/* Counts the present break of a facet, once. A change in place counts too, although the facet has no other value then. */
static void count_break(uint32_t id)
{
    Facet *facet = facet_at(id);
    bool broke = facet->cause == CAUSE_CHANGED || (facet_has_value(facet) && !facet->holds);
    if (!broke || facet->counted || facet->dead || !is_relied_on(facet))
        return;
    facet->counted = true;
    facet->breaks += facet->breaks < UINT16_MAX - 1; /* never UINT16_MAX, the limit of handles that have none */
}

/* Retires the handles whose limit of breaks this facet has reached. */
static void give_up_unstable(uint32_t id, Pauses *pauses)
{
    Facet *facet = facet_at(id);
    if (facet->breaks < service.unstable_after || dependents_empty(&facet->handles))
        return;
    DependentsWalk walk;
    dependents_walk(&walk, &facet->handles);
    while (dependents_next(&walk)) {
        uint32_t last = walk.ids[walk.count - 1];
        for (uint32_t i = 0; i < walk.count; i++) {
            uint32_t handle = walk.ids[i];
            if (handle_at(handle)->unstable_after > facet->breaks)
                continue;
            *handle_byte(handle) = BYTE_RETIRED;
            if (handle_at(handle)->has_listeners)
                call_handle_listeners(handle, id);
            facet->cause = facet->cause == CAUSE_NONE ? CAUSE_UNSTABLE : facet->cause; /* a cause: it retired them before */
        }
        if (pause_after(pauses, walk.count))
            dependents_walk_after(&walk, &facet->handles, last);
    }
}

/* Retires all that rely on a facet that can no longer be watched. Only once, because this touches the facet, so that the drain
 * comes here again. */
static void give_up_unwatchable(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->dead || facet->cause == CAUSE_UNWATCHABLE)
        return;
    facet_retires(id, CAUSE_UNWATCHABLE);
    facet->cause = CAUSE_UNWATCHABLE; /* facet_retires() sets it only if there are handles */
}

/* The facets whose last change was not made yet when a drain looked: the next drain looks again. */
static Dependents unfinished;

void take_unfinished(void)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(facet, walk, &unfinished) {
        facet_at(facet)->touched = false;
        facet_touch(facet);
    }
    dependents_clear(&unfinished);
    service.unfinished = false;
}

const char *unfinished_wrong(void)
{
    return dependents_empty(&unfinished) || service.unfinished ? NULL : "facets wait for the next drain, and no drain would come";
}

int look_again(uint32_t id, Garbage *garbage, Pauses *pauses)
{
    Facet *facet = facet_at(id);
    if (facet->dead && facet->kept) {
        facet->kept = false;
        rest_of(facet)->pins--;
    }
    bool unclear = facet->awaits == AWAITS_CLARITY;
    if (!facet->known && !facet->dead && !unclear && facet_look(id) < 0) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError))
            return -1;
        PyErr_Clear(); /* e.g. a class has no version tags left: handles that rely on the facet must not run any more */
        give_up_unwatchable(id);
        for (uint32_t part = object_at(rest_of(facet)->owner)->first_facet; facet->kind == FACET_MRO && part != NO_ID;
             part = facet_at(part)->next_of_owner)
            give_up_unwatchable(part);
    }
    if (!facet->known && !facet->dead && !unclear && facet->awaits != AWAITS_NOTHING) {
        if (!dependents_add(&unfinished, id)) {
            PyErr_NoMemory();
            return -1;
        }
        facet->touched = true; /* a touched facet is not freed before the next drain */
        service.unfinished = true;
        return 0;
    }
    count_break(id);
    give_up_unstable(id, pauses);
    return update_reference(id, garbage);
}
