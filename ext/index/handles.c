#include "index/handles.h"

Pool handle_pool = POOL_OF(Handle);
uint8_t *handle_bytes[BYTE_CHUNKS];
uint64_t dependency_count;

FacetList *handle_list(uint32_t id, void *context)
{
    (void)context;
    return &handle_at(id)->facets;
}

uint32_t handle_new(uint16_t unstable_after)
{
    uint32_t id = pool_take(&handle_pool);
    if (id == NO_ID)
        return NO_ID;
    uint8_t **chunk = &handle_bytes[id >> BYTE_CHUNK_BITS];
    if (*chunk == NULL && (*chunk = bytes_take()) == NULL) {
        pool_give(&handle_pool, id);
        return NO_ID;
    }
    *handle_byte(id) = 0;
    *handle_at(id) = (Handle){.unstable_after = unstable_after, .told = HANDLE_VALID, .next_retired = NO_ID};
    return id;
}

void handle_free(uint32_t id)
{
    facet_list_clear(&handle_at(id)->facets);
    pool_give(&handle_pool, id);
}
