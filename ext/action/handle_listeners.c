#include "action/handle_listeners.h"

#include <stdlib.h>

AddressMap listeners_by_handle = {.slots = address_map_nothing};
AddressMap dependents_with_listeners = {.slots = address_map_nothing};

_Static_assert((int)DEPWATCH_VALID == HANDLE_VALID && (int)DEPWATCH_INVALID == HANDLE_INVALID &&
                   (int)DEPWATCH_RETIRED == HANDLE_RETIRED,
               "depwatch_state and HandleState have the same numbers");

/* --- inside callbacks -------------------------------------------------------------------------------------------- */

void call_handle_listeners(uint32_t handle, uint32_t facet)
{
    HandleListeners *listening = handle_listeners_of(handle);
    HandleState state = handle_state(handle);
    if (state == listening->state || service.shutting_down)
        return;
    listening->state = (uint8_t)state;
    for (const Linked *each = listening->listeners; each != NULL; each = each->next) {
        const HandleListener *listener = (const HandleListener *)each;
        listener->call(listener->data, handle, (depwatch_state)state, facet);
    }
}

void call_listeners_of_dependents(const Facet *facet)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(handle, walk, (const Dependents *)address_map_find(&dependents_with_listeners, facet))
        call_handle_listeners(handle, facet->id);
}

/* --- safe points: what allocates --------------------------------------------------------------------------------- */

static bool facet_add(uint32_t id, uint32_t handle)
{
    Facet *facet = facet_at(id);
    Dependents *handles = address_map_find(&dependents_with_listeners, facet);
    if (handles != NULL)
        return dependents_add(handles, handle);
    handles = calloc(1, sizeof *handles);
    facet->handles_have_listeners = handles != NULL && dependents_add(handles, handle) &&
                                    address_map_insert(&dependents_with_listeners, facet, handles);
    if (facet->handles_have_listeners)
        return true;
    if (handles != NULL)
        dependents_clear(handles);
    free(handles);
    return false;
}

static void facet_remove(uint32_t id, uint32_t handle)
{
    Facet *facet = facet_at(id);
    Dependents *handles = address_map_find(&dependents_with_listeners, facet);
    if (handles == NULL || !dependents_has(handles, handle))
        return; /* start_listening() ran out of memory before it added this facet */
    dependents_remove(handles, handle);
    if (!dependents_empty(handles))
        return;
    address_map_remove(&dependents_with_listeners, facet);
    free(handles);
    facet->handles_have_listeners = false;
}

static void stop_listening(uint32_t id)
{
    Handle *handle = handle_at(id);
    HandleListeners *listening = handle_listeners_of(id);
    for (FacetWalk walk = facet_list_walk(&handle->facets); facet_list_next(&walk);)
        facet_remove(walk.facet, id);
    address_map_remove(&listeners_by_handle, handle);
    free(listening);
    handle->has_listeners = false;
}

static HandleListeners *start_listening(uint32_t id)
{
    Handle *handle = handle_at(id);
    HandleListeners *listening = malloc(sizeof *listening);
    if (listening == NULL || !address_map_insert(&listeners_by_handle, handle, listening)) {
        free(listening);
        return NULL;
    }
    *listening = (HandleListeners){.state = (uint8_t)handle_state(id)};
    handle->has_listeners = true;
    for (FacetWalk walk = facet_list_walk(&handle->facets); facet_list_next(&walk);)
        if (!facet_add(walk.facet, id)) {
            stop_listening(id);
            return NULL;
        }
    return listening;
}

bool handle_listener_enter(HandleListener *listener)
{
    HandleListeners *listening = handle_listeners_of(listener->handle);
    if (listening == NULL && (listening = start_listening(listener->handle)) == NULL)
        return false;
    linked_enter(&listening->listeners, &listener->linked);
    return true;
}

void handle_listener_leave(HandleListener *listener)
{
    if (linked_leave(&listener->linked) && handle_listeners_of(listener->handle)->listeners == NULL)
        stop_listening(listener->handle);
}

void handle_listeners_leave(uint32_t handle)
{
    HandleListeners *listening = handle_listeners_of(handle);
    if (listening == NULL)
        return;
    while (listening->listeners != NULL)
        linked_leave(listening->listeners);
    stop_listening(handle);
}

const char *handle_listeners_wrong(void)
{
    uint32_t n_handles = 0, n_facets = 0;
    DependentsWalk walk;
    for (uint32_t i = 0; i < handle_pool.used; i++)
        n_handles += handle_at(i)->has_listeners;
    for (uint32_t i = 0; i < facet_pool.used; i++) {
        const Dependents *handles =
            facet_at(i)->handles_have_listeners ? address_map_find(&dependents_with_listeners, facet_at(i)) : NULL;
        n_facets += facet_at(i)->handles_have_listeners;
        if (facet_at(i)->handles_have_listeners && (handles == NULL || dependents_empty(handles)))
            return "a facet has the flag handles_have_listeners, but no dependent handle with listeners";
        if (handles == NULL)
            continue;
        FOR_EACH_DEPENDENT(handle, walk, handles)
            if (!handle_at(handle)->has_listeners || !dependents_has(&facet_at(i)->handles, handle))
                return "a facet's set of dependents with listeners has a handle without listeners, or no dependent";
    }
    if (n_handles != listeners_by_handle.count || n_facets != dependents_with_listeners.count)
        return "listeners are left of a facet or handle that is gone";
    return NULL;
}
