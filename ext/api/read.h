/* Reading is recording: finds a facet, and records its present value as what the reader assumes. Safe points only. */
#ifndef DW_READ_H
#define DW_READ_H

#include <Python.h>

#include "facet/facets.h"

/* The facet of that description, with one pin added; made and looked up if there is none. NO_ID with an exception set. */
uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name);
/* Records the facet's present value as what the reader assumes, and returns a new reference to it. *generation identifies the
 * recording. Adds one reader to the facet; facet_unread() takes it away. NULL without an exception: the name is missing. NULL
 * with one: Unstable, Unwatchable or MemoryError. identity: as long as this value is recorded, an equal one breaks the facet.
 * */
PyObject *facet_read(uint32_t id, unsigned unstable_after, bool identity, uint32_t *generation);
/* Returns -1 with Unwatchable set if the facet's value is a lazy import that is not made yet (PEP 810). */
int refuse_lazy_import(uint32_t id);

#endif
