/* Changes of MROs, which the events of other objects reveal. Called inside CPython's callbacks: see event.h. */
#ifndef DW_TYPE_EVENT_H
#define DW_TYPE_EVENT_H

#include "facet/objects.h"

/* Called when the MRO of this type, or of a type that inherits from it, may have been replaced. Changes the facets of each
 * type whose MRO was. */
void check_mros(const Object *type);

#endif
