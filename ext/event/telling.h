/* Telling: how an event reaches the listeners in C and the queue of details; shared by all callbacks. Called inside CPython's
 * updates: event.h says what code may do there. */
#ifndef DW_TELLING_H
#define DW_TELLING_H

#include "action/action.h"
#include "action/listeners.h"
#include "action/timing.h"
#include "event/queue.h"

/* Whether listeners in C listen to the facet. */
static inline bool has_native_listeners(const Facet *facet)
{
    return (facet->listeners & LISTENERS_IN_C) != 0;
}

/* Whether a subscription listens to the facet: then the details of events that break nothing are queued, too. */
static inline bool has_subscriptions(const Facet *facet)
{
    return (facet->listeners & LISTENERS_SUBSCRIBED) != 0;
}

/* The slow part of tell(), for a facet with listeners. */
void tell_listeners(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before, PyObject *value);

/* Calls listeners in C at once. Queues the details of the event if a subscription listens, or if the event broke the facet:
 * explain() shows what broke it. */
static ALWAYS_INLINE void tell(const Facet *facet, bool broke, uint32_t object, Change change, PyObject *before,
                               PyObject *value)
{
    if (UNLIKELY(facet->listeners != 0))
        tell_listeners(facet, broke, object, change, before, value);
    else if (broke)
        queue_break(facet, object, change, value);
}

/* The state of a facet before an event, from event_begins() to event_ends(). */
typedef struct Happening {
    PyObject *value;
    bool held;
    Timing timing;
} Happening;

static ALWAYS_INLINE Happening event_begins(Facet *facet)
{
    facet->changes++; /* tells a look-up that is under way to start again */
    return (Happening){facet_value(facet), facet_holds_now(facet), timing_begins(facet)};
}

/* The facet's state is new: reports the event. */
static ALWAYS_INLINE void event_ends(const Facet *facet, Happening before, uint32_t object, Change change, PyObject *value)
{
    tell(facet, before.held && !facet->holds, object, change, before.value, value);
    timing_ends(before.timing);
}

/* Reports that a function was made of this code object. code: its object ID. */
void tell_created(const Facet *facet, uint32_t code, PyObject *function);

/* "code", "defaults", "kwdefaults", by FacetKind: the keys of events of a whole function. Borrowed. */
extern PyObject *names_of_parts[FACET_KWDEFAULTS + 1];

/* An event of a facet that stands for a whole object. key: borrowed from the caller; NULL if the event names none. */
void whole_event(uint32_t facet, uint32_t object, Change change, PyObject *key, PyObject *value);

/* An event after which CPython reports no further change of the facet, so all that rely on it are retired. */
void give_up_event(uint32_t facet, uint32_t object, Change change, Cause cause);

#endif
