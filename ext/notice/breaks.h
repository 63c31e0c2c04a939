/* Breaks: what a drain finds where events touched facets. Safe points only. */
#ifndef DW_BREAKS_H
#define DW_BREAKS_H

#include <Python.h>
#include <stdint.h>

#include "notice/garbage.h"

/* Touches the facets whose last change was not made yet when a drain looked. */
void take_unfinished(void);
/* Looks at a touched facet, counts its break, gives up what is unstable or can no longer be watched. -1 with MemoryError. */
int look_again(uint32_t facet, Garbage *garbage);

#endif
