/* Walking a set of dependents; runs inside callbacks. */
#include "blocks.h"
#include "containers.h"
#include "dependents.h"

static bool next_of_containers(DependentsWalk *walk)
{
    const Containers *containers = containers_at((uint32_t)walk->next & NO_ID);
    walk->ids = walk->block;
    walk->count = 0;
    for (; walk->container < containers->count; walk->container++, walk->place = 0) {
        const Container *container = &containers->of[walk->container];
        uint32_t base = container_base(container);
        if (container_is_array(container)) {
            for (; walk->place < container_count(container); walk->place++) {
                if (walk->count == WALK_BLOCK)
                    return true;
                walk->block[walk->count++] = base | container_lows(container)[walk->place];
            }
            continue;
        }
        while (walk->place < 64 * CONTAINER_WORDS) {
            uint64_t word = container_words(container)[walk->place >> 6] >> (walk->place & 63);
            if (word == 0) {
                walk->place = (walk->place | 63) + 1;
                continue;
            }
            if (walk->count == WALK_BLOCK)
                return true;
            walk->place += (uint32_t)__builtin_ctzll(word);
            walk->block[walk->count++] = base | walk->place++;
        }
    }
    walk->next = 0;
    return walk->count != 0;
}

bool dependents_next_block(DependentsWalk *walk)
{
    uint64_t word = walk->next;
    if (word >> 62 != 1)
        return next_of_containers(walk);
    walk->ids = block_at((uint32_t)word & NO_ID);
    walk->count = (uint32_t)(word >> 32) & ((1u << 24) - 1);
    walk->next = 0;
    return true;
}
