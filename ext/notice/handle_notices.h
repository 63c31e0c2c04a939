/* Makes the notices of handles that were invalidated, resumed or retired. Safe points only. */
#ifndef DW_HANDLE_NOTICES_H
#define DW_HANDLE_NOTICES_H

#include <stdint.h>

/* Makes a notice for each dependent of the facet whose state is not the one last reported. -1 with MemoryError set: a later
 * drain makes the remaining ones. */
int tell_handles(uint32_t facet);
/* Makes the notices of all retired handles and takes them out of the index. -1 with MemoryError set: a later drain does it. */
int purge_retired(void);

#endif
