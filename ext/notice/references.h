/* References: decides how long depwatch keeps the recorded value of a broken facet, for which its dependents wait. Safe points
 * only. */
#ifndef DW_REFERENCES_H
#define DW_REFERENCES_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"
#include "notice/garbage.h"

/* Whether a handle, a recorder or a guard cell relies on the facet's recorded value. */
bool is_relied_on(const Facet *facet);
/* Whether the program no longer has the recorded value, so that it cannot put it back. (A value that dies unseen is never lost,
 * because an equal one counts as the same.) */
bool is_lost(const Facet *facet);
/* Retires the handles that wait for the recorded value, and gives the value to garbage: at most one item. */
void give_up_waiting(uint32_t facet, Garbage *garbage);
/* After the drain has looked at the facet: decides whether the recorded value is borrowed again, kept weakly, kept, or given
 * up. -1 with MemoryError set. */
int update_reference(uint32_t facet, Garbage *garbage);
/* Gives to garbage the kept values to which only depwatch still refers. A drain must look for them, because CPython does not
 * report when another reference to a value is dropped. -1 with MemoryError set: the next drain goes on. */
int let_go_of_lonely(Garbage *garbage);
/* Touches the facets whose recorded value was let go, here or inside CPython's callback. -1 with MemoryError set: the next
 * drain does it. */
int touch_waiting(void);

#endif
