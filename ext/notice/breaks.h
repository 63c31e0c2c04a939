/* Breaks: the drain looks again at the facets that events touched. Safe points only. */
#ifndef DW_BREAKS_H
#define DW_BREAKS_H

#include <Python.h>
#include <stdint.h>

#include "notice/garbage.h"
#include "notice/pauses.h"

/* Touches the facets whose last change was not made yet when an earlier drain looked, so that this drain looks again. */
void take_unfinished(void);
/* What contradicts the set of those facets, in words, or NULL. */
const char *unfinished_wrong(void);
/* Looks at a touched facet, counts its break, and retires its handles if it is unstable or can no longer be watched. -1 with
 * MemoryError set. */
int look_again(uint32_t facet, Garbage *garbage, Pauses *pauses);

#endif
