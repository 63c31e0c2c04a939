#include "handle_listeners.h"

void handle_listeners_hear(uint32_t handle, uint32_t facet)
{
    HeardHandle *heard = heard_handle(handle);
    HandleState state = handle_state(handle);
    if (state == heard->told || service.shutting_down)
        return;
    heard->told = (uint8_t)state;
    for (const HandleListener *each = heard->first; each != NULL; each = each->next)
        each->call(each->data, handle, (depwatch_state)state, facet);
}

void facet_handles_hear(const Facet *facet)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(handle, walk, (const Dependents *)address_map_find(&heard_facets, facet))
        handle_listeners_hear(handle, facet->id);
}
