/* Dense 32-bit IDs: objects, facets and handles are named by these, never by address. */
#ifndef DW_IDS_H
#define DW_IDS_H

#include <stdint.h>

#define NO_ID 0x7fffffffu /* IDs are below this: bit 31 is free for tags */

#endif
