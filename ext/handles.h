/* Handles: one piece of optimized code each. No Python.h.
 *
 * The byte of a handle counts its broken assumptions: 0 = may run, 255 = retired. Bytes lie dense in chunks of 2^16
 * that never move, because native code holds their addresses. The forward side of the index (handle -> facets) is
 * here too.
 */
#ifndef DW_HANDLES_H
#define DW_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#include "dependents.h"
#include "ids.h"
#include "pool.h"

#define HANDLE_CHUNK_BITS 16
#define HANDLE_RETIRED 255

typedef enum HandleState { HANDLE_VALID, HANDLE_INVALID, HANDLE_GONE } HandleState;

typedef struct Handle {
    uint32_t *facets;        /* owned: the facets it depends on, ascending */
    uint32_t n_facets;
    uint32_t next_retired;   /* list of handles whose edges wait to be purged */
    uint16_t unstable_after; /* breaks of one facet after which this handle gives it up */
    uint8_t told;            /* HandleState last delivered to Python */
    bool released;
    bool queued;             /* is on the retired list */
} Handle;

extern Pool handle_pool;
extern uint8_t *handle_bytes[1u << (31 - HANDLE_CHUNK_BITS)]; /* owned chunks */
extern uint64_t dependency_count;

static inline Handle *handle_at(uint32_t id) { return pool_at(&handle_pool, id); }

static inline uint8_t *handle_byte(uint32_t id)
{
    return &handle_bytes[id >> HANDLE_CHUNK_BITS][id & ((1u << HANDLE_CHUNK_BITS) - 1)];
}

static inline HandleState handle_state(uint32_t id)
{
    uint8_t byte = *handle_byte(id);
    return byte == 0 ? HANDLE_VALID : byte == HANDLE_RETIRED ? HANDLE_GONE : HANDLE_INVALID;
}

/* What an event does to all dependents at once: stores only. A retired byte stays retired. */
static inline void byte_break(uint8_t *byte) { *byte += *byte != HANDLE_RETIRED; }
static inline void byte_mend(uint8_t *byte) { *byte -= *byte != HANDLE_RETIRED; }
static inline void byte_retire(uint8_t *byte) { *byte = HANDLE_RETIRED; }

static inline void for_each_byte(const Dependents *handles, void (*change)(uint8_t *))
{
    uint32_t only = dependents_only(handles);
    if (only != NO_ID) {
        change(handle_byte(only));
        return;
    }
    for (DependentsWalk walk = dependents_walk(handles); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            change(handle_byte(walk.ids[i]));
}

static inline void handles_break(const Dependents *handles) { for_each_byte(handles, byte_break); }
static inline void handles_mend(const Dependents *handles) { for_each_byte(handles, byte_mend); }
static inline void handles_retire(const Dependents *handles) { for_each_byte(handles, byte_retire); }

/* A new valid handle without dependencies; NO_ID when out of memory. Safe points only. */
uint32_t handle_new(uint16_t unstable_after);
/* Its ID may be given out again. Only once its edges are purged and it is released. */
void handle_free(uint32_t id);

#endif
