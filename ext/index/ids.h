/* Dense 32-bit IDs: objects, facets and handles are named by IDs, never by addresses. */
#ifndef DW_IDS_H
#define DW_IDS_H

#include <stdint.h>

#define NO_ID 0x7fffffffu /* no ID: all IDs are below it, so bit 31 is free for tags */

void ids_sort(uint32_t *ids, uint32_t n); /* ascending */

/* For the short paths of an event: a slow path that is not inlined does not make the short one save registers. */
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
