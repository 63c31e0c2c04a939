/* Dense 32-bit IDs: objects, facets and handles are named by these, never by address. */
#ifndef DW_IDS_H
#define DW_IDS_H

#include <stdint.h>

#define NO_ID 0x7fffffffu /* IDs are below this: bit 31 is free for tags */

void ids_sort(uint32_t *ids, uint32_t n); /* ascending */

/* For the paths of an event: what is kept out of a function keeps its registers out of the shorter paths too. */
#if defined(__GNUC__)
#define NOT_INLINE __attribute__((noinline))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define NOT_INLINE
#define UNLIKELY(condition) (condition)
#define ALWAYS_INLINE inline
#endif

#endif
