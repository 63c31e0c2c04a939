/* Makes the notices of handles that were invalidated, resumed or retired. Safe points only. */
#ifndef DW_HANDLE_NOTICES_H
#define DW_HANDLE_NOTICES_H

#include <stdint.h>

#include "notice/pauses.h"

/* Makes a notice for each dependent of the facet whose state is not the one last reported. Returns 1; or 0 if events came in a
 * pause: the caller first makes the notices of these, then tells all handles again, of which most are told already. -1 with
 * MemoryError set: a later drain makes the remaining ones. */
int tell_handles(uint32_t facet, Pauses *pauses);
/* Makes the notices of the handles that were retired first, PAUSE_AFTER of them, and takes them out of the index. -1 with
 * MemoryError set: a later drain does it. */
int purge_retired(void);

#endif
