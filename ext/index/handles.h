/* Handles: one piece of optimized code each. No Python.h.
 *
 * The byte of a handle counts its broken assumptions: see bytes.h. A retired handle is in quarantine: its ID means
 * nobody else until its edges are purged and it is released.
 */
#ifndef DW_HANDLES_H
#define DW_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#include "index/bytes.h"
#include "index/dependents.h"
#include "index/facet_list.h"
#include "index/ids.h"
#include "index/pool.h"

typedef enum HandleState { HANDLE_VALID, HANDLE_INVALID, HANDLE_RETIRED } HandleState;

typedef struct Handle {
    uint32_t next_retired;   /* first, because Pool threads its free list through these 4 bytes: list of handles whose
                                edges wait to be purged */
    uint16_t unstable_after; /* breaks of one facet after which this handle gives it up */
    uint8_t told : 5;        /* HandleState last delivered to Python */
    bool released : 1;
    bool queued : 1;         /* is on the retired list */
    bool has_listeners : 1;  /* in C: see handle_listeners.h */
    FacetList facets;        /* that it depends on */
} Handle;

_Static_assert(sizeof(Handle) == 16, "four handles to a cache line");

extern Pool handle_pool;
extern uint8_t *handle_bytes[BYTE_CHUNKS]; /* owned chunks */
extern uint64_t dependency_count;

/* Its facets, as edges.h asks for them. */
FacetList *handle_list(uint32_t id, void *context);

static inline Handle *handle_at(uint32_t id) { return POOL_AT(Handle, &handle_pool, id); }
static inline uint8_t *handle_byte(uint32_t id) { return byte_at(handle_bytes, id); }

static inline HandleState handle_state(uint32_t id)
{
    uint8_t byte = *handle_byte(id);
    return byte == 0 ? HANDLE_VALID : byte == BYTE_RETIRED ? HANDLE_RETIRED : HANDLE_INVALID;
}

/* What an event does to all dependents at once. */
static ALWAYS_INLINE void handles_change(const Dependents *handles, ByteChange change)
{
    bytes_change(handle_bytes, handles, change);
}

/* A new valid handle without dependencies; NO_ID when out of memory. Safe points only. */
uint32_t handle_new(uint16_t unstable_after);
/* Its ID may be given out again. Only once its edges are purged and it is released. */
void handle_free(uint32_t id);

#endif
