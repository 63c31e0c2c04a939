/* References: how long depwatch keeps the value that a broken facet's dependents wait for. Safe points only. */
#ifndef DW_REFERENCES_H
#define DW_REFERENCES_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"
#include "notice/garbage.h"

/* Whether a handle, a recorder or a guard waits for the value that is recorded. */
bool is_relied_on(const Facet *facet);
/* Nobody but depwatch has this value, so nobody can put it back; what dies unseen can come back as an equal one. */
bool is_lost(const Facet *facet);
/* Retires those that wait for the value, which goes to garbage: one item. */
void give_up_waiting(uint32_t facet, Garbage *garbage);
/* After the drain has looked at the facet: its value is borrowed, kept weakly, kept, or given up. -1 with MemoryError set. */
int update_reference(uint32_t facet, Garbage *garbage);
/* What only depwatch still has goes to garbage: nothing tells when the last other reference to a value goes. -1 with
 * MemoryError set: what is left goes next time. */
int let_go_of_lonely(Garbage *garbage);
/* Touches the facets whose recorded value was let go, here or inside CPython's callback. -1 with MemoryError set: next time. */
int touch_waiting(void);

#endif
