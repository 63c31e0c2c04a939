#include "event.h"

#include "telling.h"

void tell_listeners(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before, PyObject *value)
{
    bool subscribed = has_subscriptions(facet);
    if (has_native_listeners(facet))
        facet_listeners_hear(facet->id, object, change, NULL, before, value);
    if (!broke && !subscribed)
        return;
    queue_detail(facet->id, object, change, broke, NULL, subscribed ? before : NULL, value);
    if (!broke)
        service_schedule(); /* a break has done that */
}

/* A dict of keyword defaults that the function had in between: neither in use nor waited for. */
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
    /* ANY, or KWDEFAULTS whose dict changed in place: nothing is recorded that could be found again. */
    bool relied_on = !dependents_empty(&facet->handles);
    service.events++;
    facet->changes++;
    facet_retires_handles(id, CAUSE_CHANGED);
    if (has_native_listeners(facet))
        facet_listeners_hear(id, object, change, key, NULL, value);
    if (relied_on || has_subscriptions(facet)) {
        queue_detail(id, object, change, relied_on, key, NULL, value);
        service_schedule();
    }
}

/* --- death ---------------------------------------------------------------------------------------------------------- */

static void end_facet(uint32_t id, uint32_t object)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    if (facet->owner == object || facet->fallback == object) {
        facet_dies(id);
        /* No value goes with it: a new reference to what is dying would bring it back to life. */
        if (has_native_listeners(facet))
            facet_listeners_hear(id, object, CHANGE_DESTROYED, NULL, NULL, NULL);
        queue_detail(id, object, CHANGE_DESTROYED, !dependents_empty(&facet->handles), NULL, NULL, NULL);
    } else if (facet->known && facet->provider != object) {
        facet_touch(id); /* the value is not from there; the drain leaves it out */
    } else {
        facet_becomes_unknown(id);
    }
}

static void end_facets(const Dependents *facets, uint32_t object)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(facet, walk, facets)
        end_facet(facet, object);
}

void object_dies(uint32_t id)
{
    Object *object = object_at(id);
    address_map_remove(&objects_by_address, object->address);
    object->address = NULL;
    for (uint32_t facet = object->first_facet; facet != NO_ID; facet = facet_at(facet)->next_of_owner)
        end_facet(facet, id);
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        end_facets(&object->keys.slots[i].facets, id);
    end_facets(&object->whole, id);
}
