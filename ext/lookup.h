/* Looking: what a facet is now, found by ordinary look-ups. Safe points only: comparing keys can run Python. */
#ifndef DW_LOOKUP_H
#define DW_LOOKUP_H

#include <Python.h>

#include "facets.h"

/* The facet of that description, made and looked up if need be, with one pin added; NO_ID with an exception set. */
uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name);
/* Finds the facet's value, and registers it with every object whose events concern it. -1 with an exception set. */
int facet_look(uint32_t id);
/* The facet's value now (a new reference), recorded as what the reader assumes: *generation names the recording, and
 * the facet has one reader more (facet_unread takes it back). NULL without an exception: it is missing. NULL with one:
 * Unstable, Unwatchable. */
PyObject *facet_read(uint32_t id, unsigned unstable_after, uint32_t *generation);

#endif
