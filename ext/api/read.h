/* Reading is recording: finds a facet, and records its present value as what the reader assumes. Safe points only. */
#ifndef DW_READ_H
#define DW_READ_H

#include <Python.h>

#include "api/commit.h"
#include "facet/facets.h"

/* The facet of that description, with one pin added; made and looked up if there is none. NO_ID with an exception set. */
uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name);
/* How to read. identity: as long as the value is recorded, an equal one breaks the facet. absence: a name that is missing is
 * recorded, too. */
typedef struct Reading {
    unsigned unstable_after; /* the limit of breaks */
    bool identity;
    bool absence;
} Reading;

/* Records the facet's present value as what the reader assumes, fills in the assumption, and returns a new reference to the
 * value, or ABSENT. Adds one reader to the facet; facet_unread() takes it away. NULL without an exception: the name is missing,
 * and that is not recorded. NULL with one: Unstable, Unwatchable or MemoryError. */
PyObject *facet_read(uint32_t id, Reading reading, Assumption *assumption);
/* Returns -1 with Unwatchable set if the facet's value is a lazy import that is not made yet (PEP 810). */
int refuse_lazy_import(uint32_t id);

#endif
