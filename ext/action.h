/* Actions: what an event does to a facet and to all that rely on it, at once. Called inside CPython's callback, before
 * the change takes effect: stores and new references only. The drain calls them too, when it has looked again.
 */
#ifndef DW_ACTION_H
#define DW_ACTION_H

#include "facets.h"

void facet_touch(uint32_t id);                          /* the drain must look at it */
void facet_becomes(uint32_t id, PyObject *value);       /* the provider is about to hold value (borrowed) */
void facet_becomes_missing(uint32_t id);                /* nobody provides it now: seen by the drain */
void facet_becomes_unknown(uint32_t id);                /* it may have changed: broken until the drain has looked */
void facet_retires_handles(uint32_t id, Cause cause);   /* for good: all that rely on it */
void facet_dies(uint32_t id);                           /* with its object */
void facet_drops_guards(Facet *facet);                  /* guard cells of a value that nobody waits for any more */

#endif
