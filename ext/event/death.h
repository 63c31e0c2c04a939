/* What happens when a watched object dies. Called inside CPython's callbacks: see event.h. */
#ifndef DW_DEATH_H
#define DW_DEATH_H

#include <stdint.h>

void object_dies(uint32_t object); /* an object ID */

#endif
