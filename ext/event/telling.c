#include "event/telling.h"

PyObject *names_of_parts[FACET_KWDEFAULTS + 1];

void tell_listeners(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before, PyObject *value)
{
    bool subscribed = has_subscriptions(facet);
    if (has_native_listeners(facet))
        call_facet_listeners(facet->id, object, change, NULL, before, value);
    if (!broke && !subscribed)
        return;
    queue_detail(facet->id, object, change, broke, NULL, subscribed ? before : NULL, value);
    if (!broke)
        service_schedule(); /* where the event broke the facet, the break has scheduled the drain */
}

void tell_created(const Facet *facet, uint32_t code, PyObject *function)
{
    if (has_native_listeners(facet))
        call_facet_listeners(facet->id, code, DEPWATCH_CREATED, NULL, NULL, function);
    if (!has_subscriptions(facet))
        return;
    Detail *detail = queue_detail(facet->id, code, DEPWATCH_CREATED, false, NULL, NULL, NULL);
    if (detail != NULL) {
        detail->new_value = (PyObject *)keep_address(function);
        detail->new = detail->new_value == NULL ? HAS_REFERENCE : HAS_KEPT;
    }
    service_schedule();
}

/* Whether the object is a former dict of keyword defaults: neither the function's current dict nor the recorded one, so its
 * events concern no handle. */
static bool is_other_dict(const Facet *facet, uint32_t object)
{
    const PyObject *dict = object_at(object)->address;
    return facet->kind == FACET_KWDEFAULTS && facet->known && dict != facet->current && dict != facet_recorded(facet);
}

void whole_event(uint32_t id, uint32_t object, Change change, PyObject *key, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (facet->dead || is_other_dict(facet, object))
        return;
    /* ANY, or KWDEFAULTS whose dict changed in place: no recorded value could hold again, so the handles are retired. */
    bool relied_on = !dependents_empty(&facet->handles);
    facet->changes++;
    Timing timing = timing_begins(facet);
    facet_retires(id, CAUSE_CHANGED);
    if (object_at(rest_of(facet)->owner)->kind == OBJECT_FUNCTION && object != rest_of(facet)->owner)
        key = names_of_parts[FACET_KWDEFAULTS]; /* the part that changed; the dict's own key names no part of a function */
    if (has_native_listeners(facet))
        call_facet_listeners(id, object, change, key, NULL, value);
    if (relied_on || has_subscriptions(facet)) {
        queue_detail(id, object, change, relied_on, key, NULL, value);
        service_schedule();
    }
    timing_ends(timing);
}

void give_up_event(uint32_t id, uint32_t object, Change change, Cause cause)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    Happening before = event_begins(facet);
    facet_retires(id, cause);
    event_ends(facet, before, object, change, NULL);
}
