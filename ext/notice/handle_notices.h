/* What is told of handles: that their state is another, and that they are gone. Safe points only. */
#ifndef DW_HANDLE_NOTICES_H
#define DW_HANDLE_NOTICES_H

#include <stdint.h>

/* Tells of each handle of the facet whose state is not the one last told. -1 with MemoryError set: the rest later. */
int tell_handles(uint32_t facet);
/* Takes all retired handles out of the index, and tells of that. -1 with MemoryError set: later. */
int purge_retired(void);

#endif
