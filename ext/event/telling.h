/* Telling: what the callbacks share. Called inside CPython's updates: see event.h for what they may do. */
#ifndef DW_TELLING_H
#define DW_TELLING_H

#include "action/action.h"
#include "action/listeners.h"
#include "event/queue.h"

/* Mostly there is nobody, and the first cache line says so. */
static inline bool has_native_listeners(const Facet *facet)
{
    return facet->listeners != 0 && facet->native_listeners != 0;
}

/* Whether details of what breaks nothing are to be queued. */
static inline bool has_subscriptions(const Facet *facet)
{
    return facet->listeners != 0 && facet->listeners != facet->native_listeners;
}

/* Out of the way of the events that nobody listens to. */
void tell_listeners(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before, PyObject *value);

/* Tells listeners in C, at once. Queues the details where somebody wants them: a subscription, or explain() because the
 * facet just broke. */
static ALWAYS_INLINE void tell(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before,
                               PyObject *value)
{
    if (UNLIKELY(facet->listeners != 0))
        tell_listeners(facet, broke, object, change, before, value);
    else if (broke)
        queue_break(facet, object, change, value);
}

/* A facet before an event of it, from event_begins() to event_ends(). */
typedef struct Happening {
    PyObject *value;
    bool held;
} Happening;

static ALWAYS_INLINE Happening event_begins(Facet *facet)
{
    service.events++;
    facet->changes++; /* a look-up that is under way sees by this that it must look again */
    return (Happening){facet->current, facet_holds_now(facet)};
}

/* What had to become of the facet has become of it. */
static ALWAYS_INLINE void event_ends(const Facet *facet, Happening before, uint32_t object, Change change, PyObject *value)
{
    tell(facet, before.held && !facet->holds, object, change, before.value, value);
}

/* A function was made of this code object. */
void tell_created(const Facet *facet, uint32_t code, PyObject *function);

/* "code", "defaults", "kwdefaults", by FacetKind: what an event of a function as a whole names. Borrowed. */
extern PyObject *names_of_parts[FACET_KWDEFAULTS + 1];

/* An event of an object as a whole. key: owned by the caller, NULL if it names none. */
void whole_event(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *value);

/* An event after which nothing tells what the facet is. */
void give_up_event(uint32_t facet, uint32_t object, Change change, Cause cause);

#endif
