/* Looking: finds the present value of a facet by ordinary look-ups. Safe points only, because comparing keys can run Python. */
#ifndef DW_LOOK_H
#define DW_LOOK_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"

/* A look starts again if the dict changed meanwhile, but gives up after so many times: the __eq__ or __hash__ of a key can
 * change the dict at every look-up. */
#define MAX_LOOKS 100

/* Finds the facet's value, and registers the facet at every object whose events concern it. -1 with an exception set. */
int facet_look(uint32_t id);
/* Whether an event announced a change that is not made yet, so that a look would find the old value. This happens if another
 * extension's watcher runs Python inside CPython's update, and that Python code drains or reads. */
bool facet_is_awaited(const Facet *facet);

#endif
