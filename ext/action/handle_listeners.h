/* Listeners in C of a handle's state: called at once, wherever the handle's byte changes. Their contract is in depwatch.h.
 *
 * A handle without listeners costs nothing here. A facet has a flag that says whether any dependent handle has listeners;
 * only then it has a second set, of those dependents alone, so an event need not visit the others.
 */
#ifndef DW_HANDLE_LISTENERS_H
#define DW_HANDLE_LISTENERS_H

#include <Python.h>
#include <stdbool.h>

#include "action/linked.h"
#include "facet/facets.h"
#include "index/address_map.h"
#include "index/handles.h"

typedef struct HandleListener {
    Linked linked;
    depwatch_handle_listener call;
    void *data; /* given by the owner, passed to call */
    uint32_t handle;
} HandleListener;

typedef struct HandleListeners {
    uint8_t state; /* the HandleState that the listeners were last called with */
    Linked *listeners;
} HandleListeners;

extern AddressMap listeners_by_handle; /* owned HandleListeners, by Handle */
extern AddressMap dependents_with_listeners; /* owned Dependents, never empty, by Facet */

/* NULL: the handle has no listeners. */
static inline HandleListeners *handle_listeners_of(uint32_t handle)
{
    return address_map_find(&listeners_by_handle, handle_at(handle));
}

/* Safe points only. False: out of memory, and the listener was not entered. */
bool handle_listener_enter(HandleListener *listener);
void handle_listener_leave(HandleListener *listener); /* idempotent */
/* Takes out all listeners of a retired handle. Called before the handle's edges are purged: its state changes no more. */
void handle_listeners_leave(uint32_t handle);
/* Checks the flags, maps and sets of this file against each other: describes the first error, or returns NULL. */
const char *handle_listeners_wrong(void);

/* Called wherever bytes change, also inside CPython's callback. Both functions call the listeners of a handle only if its
 * state is another than the one they were last called with.
 *
 * For all handles with listeners that depend on the facet, which must have the flag handles_have_listeners. */
void call_listeners_of_dependents(const Facet *facet);
/* For one handle, which must have listeners. facet: the ID of the facet that changed the handle's byte, or NO_ID. */
void call_handle_listeners(uint32_t handle, uint32_t facet);

#endif
