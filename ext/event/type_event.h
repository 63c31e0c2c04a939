/* What other events tell of types. Called inside CPython's callbacks: see event.h. */
#ifndef DW_TYPE_EVENT_H
#define DW_TYPE_EVENT_H

#include "facet/objects.h"

/* The MRO of this type may have been replaced, or of one that inherits from it: tells the facets of those where it was. */
void check_mros(const Object *type);

#endif
