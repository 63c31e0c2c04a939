#include "action/listeners.h"

#define BUCKETS 256u

Listener *function_listeners;
static Listener *facet_listeners[BUCKETS]; /* lists, by facet ID */

_Static_assert((int)DEPWATCH_ADDED == CHANGE_ADDED && (int)DEPWATCH_CLEARED == CHANGE_CLEARED &&
                   (int)DEPWATCH_CREATED == CHANGE_CREATED && (int)DEPWATCH_CLASS == CHANGE_CLASS,
               "changes have one set of numbers");

static Listener **list_of(uint32_t facet)
{
    return facet == NO_ID ? &function_listeners : &facet_listeners[facet % BUCKETS];
}

/* --- safe points --------------------------------------------------------------------------------------------------- */

static void count(uint32_t facet, int delta)
{
    if (facet == NO_ID) {
        service.function_interest += (uint32_t)delta;
    } else {
        facet_at(facet)->listeners += (uint32_t)delta; /* so that its events take no short path */
        facet_at(facet)->native_listeners += (uint32_t)delta;
    }
}

void listener_enter(Listener *listener)
{
    Listener **link = list_of(listener->facet);
    while (*link != NULL)
        link = &(*link)->next; /* the first to enter is the first to hear */
    listener->link = link;
    listener->next = NULL;
    *link = listener;
    count(listener->facet, 1);
}

void listener_leave(Listener *listener)
{
    if (listener->link == NULL)
        return;
    *listener->link = listener->next;
    if (listener->next != NULL)
        listener->next->link = listener->link;
    listener->link = NULL;
    count(listener->facet, -1);
}

/* --- inside callbacks ---------------------------------------------------------------------------------------------- */

void facet_listeners_hear(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *old_value,
                          PyObject *new_value)
{
    depwatch_event event = {facet, object, (depwatch_change)change, key, old_value, new_value};
    if (service.shutting_down)
        return;
    for (const Listener *each = *list_of(facet); each != NULL; each = each->next)
        if (each->facet == facet)
            each->call.of_facet(each->data, &event);
}

void function_listeners_hear(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    depwatch_change change = DEPWATCH_MODIFIED;
    depwatch_part attribute = DEPWATCH_NOT_APPLICABLE;
    switch (event) {
    case PyFunction_EVENT_CREATE:
        change = DEPWATCH_CREATED;
        break;
    case PyFunction_EVENT_DESTROY:
        change = DEPWATCH_DESTROYED;
        break;
    case PyFunction_EVENT_MODIFY_CODE:
        attribute = DEPWATCH_CODE;
        break;
    case PyFunction_EVENT_MODIFY_DEFAULTS:
        attribute = DEPWATCH_DEFAULTS;
        break;
    case PyFunction_EVENT_MODIFY_KWDEFAULTS:
        attribute = DEPWATCH_KWDEFAULTS;
        break;
    default:
        return; /* __qualname__, which only 3.15 reports, is not in the proposal */
    }
    if (service.shutting_down)
        return;
    for (const Listener *each = function_listeners; each != NULL; each = each->next)
        each->call.of_functions(each->data, change, (PyObject *)function, attribute, value);
}
