#include "action/handle_listeners.h"

#include <stdlib.h>

AddressMap heard_handles = {.slots = address_map_nothing};
AddressMap heard_facets = {.slots = address_map_nothing};

_Static_assert((int)DEPWATCH_VALID == HANDLE_VALID && (int)DEPWATCH_INVALID == HANDLE_INVALID &&
                   (int)DEPWATCH_RETIRED == HANDLE_GONE,
               "states have one set of numbers");

/* --- inside callbacks -------------------------------------------------------------------------------------------- */

void handle_listeners_hear(uint32_t handle, uint32_t facet)
{
    HeardHandle *heard = heard_handle(handle);
    HandleState state = handle_state(handle);
    if (state == heard->state || service.shutting_down)
        return;
    heard->state = (uint8_t)state;
    for (const Linked *each = heard->listeners; each != NULL; each = each->next) {
        const HandleListener *listener = (const HandleListener *)each;
        listener->call(listener->data, handle, (depwatch_state)state, facet);
    }
}

void facet_handles_hear(const Facet *facet)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(handle, walk, (const Dependents *)address_map_find(&heard_facets, facet))
        handle_listeners_hear(handle, facet->id);
}

/* --- safe points: what allocates --------------------------------------------------------------------------------- */

static bool facet_add(uint32_t id, uint32_t handle)
{
    Facet *facet = facet_at(id);
    Dependents *handles = address_map_find(&heard_facets, facet);
    if (handles != NULL)
        return dependents_add(handles, handle);
    handles = calloc(1, sizeof *handles);
    facet->heard = handles != NULL && dependents_add(handles, handle) &&
                   address_map_insert(&heard_facets, facet, handles);
    if (facet->heard)
        return true;
    if (handles != NULL)
        dependents_clear(handles);
    free(handles);
    return false;
}

static void facet_remove(uint32_t id, uint32_t handle)
{
    Facet *facet = facet_at(id);
    Dependents *handles = address_map_find(&heard_facets, facet);
    if (handles == NULL || !dependents_has(handles, handle))
        return; /* memory ran out before */
    dependents_remove(handles, handle);
    if (!dependents_empty(handles))
        return;
    address_map_remove(&heard_facets, facet);
    free(handles);
    facet->heard = false;
}

static void stop_listening(uint32_t id)
{
    Handle *handle = handle_at(id);
    HeardHandle *heard = heard_handle(id);
    for (FacetWalk walk = facet_list_walk(&handle->facets); facet_list_next(&walk);)
        facet_remove(walk.facet, id);
    address_map_remove(&heard_handles, handle);
    free(heard);
    handle->heard = false;
}

static HeardHandle *start_listening(uint32_t id)
{
    Handle *handle = handle_at(id);
    HeardHandle *heard = malloc(sizeof *heard);
    if (heard == NULL || !address_map_insert(&heard_handles, handle, heard)) {
        free(heard);
        return NULL;
    }
    *heard = (HeardHandle){.state = (uint8_t)handle_state(id)};
    handle->heard = true;
    for (FacetWalk walk = facet_list_walk(&handle->facets); facet_list_next(&walk);)
        if (!facet_add(walk.facet, id)) {
            stop_listening(id);
            return NULL;
        }
    return heard;
}

bool handle_listener_enter(HandleListener *listener)
{
    HeardHandle *heard = heard_handle(listener->handle);
    if (heard == NULL && (heard = start_listening(listener->handle)) == NULL)
        return false;
    linked_enter(&heard->listeners, &listener->linked);
    return true;
}

void handle_listener_leave(HandleListener *listener)
{
    if (linked_leave(&listener->linked) && heard_handle(listener->handle)->listeners == NULL)
        stop_listening(listener->handle);
}

void handle_listeners_leave(uint32_t handle)
{
    HeardHandle *heard = heard_handle(handle);
    if (heard == NULL)
        return;
    while (heard->listeners != NULL)
        linked_leave(heard->listeners);
    stop_listening(handle);
}

const char *handle_listeners_wrong(void)
{
    uint32_t n_handles = 0, n_facets = 0;
    DependentsWalk walk;
    for (uint32_t i = 0; i < handle_pool.used; i++)
        n_handles += handle_at(i)->heard;
    for (uint32_t i = 0; i < facet_pool.used; i++) {
        const Dependents *handles = facet_at(i)->heard ? address_map_find(&heard_facets, facet_at(i)) : NULL;
        n_facets += facet_at(i)->heard;
        if (facet_at(i)->heard && (handles == NULL || dependents_empty(handles)))
            return "a facet is heard, and no handle of it";
        if (handles == NULL)
            continue;
        FOR_EACH_DEPENDENT(handle, walk, handles)
            if (!handle_at(handle)->heard || !dependents_has(&facet_at(i)->handles, handle))
                return "a facet counts a handle as heard that is not, or that does not depend on it";
    }
    if (n_handles != heard_handles.count || n_facets != heard_facets.count)
        return "listeners are left of what is gone";
    return NULL;
}
