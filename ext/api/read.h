/* Reading is recording: finding a facet, and its value as what a reader assumes. Safe points only. */
#ifndef DW_READ_H
#define DW_READ_H

#include <Python.h>

#include "facet/facets.h"

/* The facet of that description, made and looked up if need be, with one pin added; NO_ID with an exception set. */
uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name);
/* The facet's value now (a new reference), recorded as what the reader assumes: *generation names the recording, and
 * the facet has one reader more (facet_unread takes it back). NULL without an exception: it is missing. NULL with one:
 * Unstable, Unwatchable. identity: from now on, and as long as that is recorded, an equal value is another one. */
PyObject *facet_read(uint32_t id, unsigned unstable_after, bool identity, uint32_t *generation);
/* -1 with Unwatchable set while the facet's value stands for an import that is not made yet. */
int refuse_lazy_import(uint32_t id);

#endif
