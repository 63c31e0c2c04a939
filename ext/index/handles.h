/* Handles: a handle stands for one piece of optimized code. No Python.h.
 *
 * The byte of a handle counts its broken assumptions: see bytes.h. The ID of a retired handle is not used for another one until
 * the handle's edges are purged and its owner has released it.
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
    uint32_t next_retired;   /* in the list of handles whose edges wait to be purged. The first field, because Pool threads
                                its free list through these 4 bytes */
    uint16_t unstable_after; /* the handle is retired when one of its facets has broken so often */
    uint16_t told : 2;       /* HandleState last delivered to Python */
    bool released : 1;
    bool queued : 1;         /* is in the list of retired handles */
    bool has_listeners : 1;  /* in C: see handle_listeners.h */
    bool heard : 1;          /* its holder has a callback for when it is invalidated, or resumed */
    uint16_t tally : 10;     /* the number of its recorder's name: see counts.h */
    FacetList facets;        /* the facets that it depends on */
} Handle;

_Static_assert(sizeof(Handle) == 16, "four handles to a cache line");

extern Pool handle_pool;
extern uint8_t *handle_bytes[BYTE_CHUNKS]; /* owned chunks */
extern uint64_t dependency_count;

/* The list of a handle's facets: a ListOf for edges.h. */
FacetList *handle_list(uint32_t id, void *context);

static inline Handle *handle_at(uint32_t id) { return POOL_AT(Handle, &handle_pool, id); }
static inline uint8_t *handle_byte(uint32_t id) { return byte_at(handle_bytes, id); }

static inline HandleState handle_state(uint32_t id)
{
    uint8_t byte = *handle_byte(id);
    return byte == 0 ? HANDLE_VALID : byte == BYTE_RETIRED ? HANDLE_RETIRED : HANDLE_INVALID;
}

/* Changes the bytes of all dependents of a facet. */
static ALWAYS_INLINE void handles_change(const Dependents *handles, ByteChange change)
{
    bytes_change(handle_bytes, handles, change);
}

/* Makes a valid handle without dependencies; NO_ID when out of memory. Safe points only. */
uint32_t handle_new(uint16_t unstable_after);
/* Frees the handle's ID for a new one. Only for a handle that is released and whose edges are purged. */
void handle_free(uint32_t id);

#endif
