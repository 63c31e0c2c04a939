/* Looking: what a facet is now, found by ordinary look-ups. Safe points only: comparing keys can run Python. */
#ifndef DW_LOOK_H
#define DW_LOOK_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"

/* A look gives up after so many in a row: a dict whose keys' __hash__ changes it at every look-up never comes to rest. */
#define MAX_LOOKS 100

/* Finds the facet's value, and registers it with every object whose events concern it. -1 with an exception set. */
int facet_look(uint32_t id);
/* Whether an event told of a change that is not made yet: what would be found now is what was there before. A watcher of
 * somebody else runs Python, inside CPython's update, and that looks here. */
bool facet_is_awaited(const Facet *facet);

#endif
