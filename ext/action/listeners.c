#include "action/listeners.h"

#define BUCKETS 256u

Linked *function_listeners;
static Linked *facet_listeners[BUCKETS]; /* lists of the listeners of facets, by facet ID modulo BUCKETS */

static Linked **list_of(uint32_t facet)
{
    return facet == NO_ID ? &function_listeners : &facet_listeners[facet % BUCKETS];
}

/* --- safe points --------------------------------------------------------------------------------------------------- */

static bool has_listener(uint32_t facet)
{
    for (const Linked *each = *list_of(facet); each != NULL; each = each->next)
        if (((const Listener *)each)->facet == facet)
            return true;
    return false;
}

void listener_enter(Listener *listener)
{
    linked_enter(list_of(listener->facet), &listener->linked);
    if (listener->facet == NO_ID)
        service.function_interest++;
    else
        facet_at(listener->facet)->listeners |= LISTENERS_IN_C; /* not 0: the facet's events do not take the short path */
}

void listener_leave(Listener *listener)
{
    if (!linked_leave(&listener->linked))
        return;
    if (listener->facet == NO_ID)
        service.function_interest--;
    else if (!has_listener(listener->facet))
        facet_at(listener->facet)->listeners &= (uint8_t)~LISTENERS_IN_C;
}

/* --- inside callbacks ---------------------------------------------------------------------------------------------- */

void call_facet_listeners(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *old_value,
                          PyObject *new_value)
{
    depwatch_event event = {facet, object, change, key, old_value, new_value};
    if (service.shutting_down)
        return;
    for (const Linked *each = *list_of(facet); each != NULL; each = each->next) {
        const Listener *listener = (const Listener *)each;
        if (listener->facet == facet)
            listener->call.of_facet(listener->data, &event);
    }
}

void call_function_listeners(Change change, PyFunctionObject *function, depwatch_part part, PyObject *value)
{
    if (service.shutting_down)
        return;
    for (const Linked *each = function_listeners; each != NULL; each = each->next) {
        const Listener *listener = (const Listener *)each;
        listener->call.of_functions(listener->data, change, (PyObject *)function, part, value);
    }
}
