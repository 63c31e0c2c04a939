#include "event/death.h"

#include "event/telling.h"

static void end_facet(uint32_t id, uint32_t object)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    if (rest_of(facet)->owner == object || facet_fallback(facet) == object) {
        Timing timing = is_always_timed(facet) ? timing_now(facet) : (Timing){0};
        facet_dies(id);
        /* The event carries no value: a new reference to the dying object would resurrect it. */
        if (has_native_listeners(facet))
            call_facet_listeners(id, object, DEPWATCH_DESTROYED, NULL, NULL, NULL);
        queue_detail(id, object, DEPWATCH_DESTROYED, !dependents_empty(&facet->handles), NULL, NULL, NULL);
        timing_ends(timing);
    } else if (facet->known && facet->provider != object) {
        facet_touch(id); /* the value is in another dict of the chain; the drain takes the dead dict out of the chain */
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
    PyObject *address = object->address;
    address_map_remove(&objects_by_address, address);
    object->address = NULL;
    for (uint32_t facet = object->first_facet; facet != NO_ID; facet = facet_at(facet)->next_of_owner)
        end_facet(facet, id);
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        end_facets(&object->keys.slots[i].facets, id);
    end_facets(&object->whole, id);
    if (object->kind == OBJECT_DICT)
        drop_items(address); /* a dying dict drops all its values, like one that is cleared */
}
