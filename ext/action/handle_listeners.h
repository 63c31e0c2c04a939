/* Listeners in C of what becomes of a handle: called at once, wherever its byte changes. Their contract is in
 * depwatch.h.
 *
 * Nobody pays for the listeners of others: a facet has a flag that says whether handles with a listener depend on it,
 * and only then a set of those, apart from that of all its dependents.
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
    void *data; /* the owner's */
    uint32_t handle;
} HandleListener;

typedef struct HeardHandle {
    uint8_t state; /* HandleState that its listeners have heard of last */
    Linked *listeners;
} HeardHandle;

extern AddressMap heard_handles; /* owned HeardHandle, by Handle */
extern AddressMap heard_facets;  /* owned Dependents, never empty, by Facet */

static inline HeardHandle *heard_handle(uint32_t handle) { return address_map_find(&heard_handles, handle_at(handle)); }

/* Safe points only. False: out of memory, it has not entered. */
bool handle_listener_enter(HandleListener *listener);
void handle_listener_leave(HandleListener *listener); /* idempotent */
/* All leave. Before the handle's edges are purged: from then on nothing becomes of it. */
void handle_listeners_leave(uint32_t handle);
/* What is wrong with the sets, or NULL. */
const char *handle_listeners_wrong(void);

/* Wherever bytes change, also inside CPython's callback: those whose handle is now in another state hear so.
 *
 * Of the handles of a facet that is heard. */
void facet_handles_hear(const Facet *facet);
/* Of a handle that is heard. facet: the ID of the one that did it, or NO_ID. */
void handle_listeners_hear(uint32_t handle, uint32_t facet);

#endif
