/* The price of nothing: an event that finds nobody, called the way that the others are. */
#include <stdlib.h>

#include "structure.h"

static void *create(uint32_t n_facets, uint32_t n_handles) { return malloc(1); }

static bool add(void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets)
{
    return true;
}

static bool remove_handles(void *self, const uint32_t *handles, uint32_t n) { return true; }

static void on_event(void *self, uint32_t facet) {}

static uint8_t *unite(void *self, const uint32_t *facets, uint32_t n, size_t *size)
{
    *size = 0;
    return malloc(1);
}

static uint8_t byte(const void *self, uint32_t handle) { return 0; }

static void memory(const void *self, size_t *reverse, size_t *forward) { *reverse = *forward = 0; }

const Structure nothing = {
    .name = "nothing",
    .create = create,
    .destroy = free,
    .add = add,
    .remove = remove_handles,
    .break_facet = on_event,
    .mend_facet = on_event,
    .unite = unite,
    .byte = byte,
    .memory = memory,
};
