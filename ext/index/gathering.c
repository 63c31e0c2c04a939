#include "index/gathering.h"

#include <stdlib.h>
#include <string.h>

#include "index/blocks.h"
#include "index/containers.h"

#define AHEAD 16            /* how many sets ahead are prefetched */
#define COOKIE 12346u       /* the format's number for a file without run containers */
#define TOUCHED_WORDS (CONTAINER_WORDS / 64)

bool gathering_reserve(Gathering *gathering, uint32_t n)
{
    uint32_t n_chunks = (n >> 16) + 1;
    if (n_chunks <= gathering->n_chunks)
        return true;
    /* malloc and memset, not calloc: so the system gives the pages now and not in the middle of a union. */
    size_t bytes = n_chunks * CONTAINER_WORDS * sizeof(uint64_t);
    uint64_t *words = malloc(bytes);
    uint64_t *touched = calloc(n_chunks, TOUCHED_WORDS * sizeof *touched);
    uint32_t *counts = calloc(n_chunks, sizeof *counts);
    if (words == NULL || touched == NULL || counts == NULL) {
        free(words);
        free(touched);
        free(counts);
        return false;
    }
    memset(words, 0, bytes);
    gathering_free(gathering); /* between two unions it is empty, so there is nothing to copy */
    *gathering = (Gathering){.words = words, .touched = touched, .counts = counts, .n_chunks = n_chunks};
    return true;
}

static inline void add_id(Gathering *gathering, uint32_t id)
{
    uint64_t *word = &gathering->words[id >> 6], old = *word;
    *word |= UINT64_C(1) << (id & 63);
    gathering->counts[id >> 16] += *word != old;
    gathering->touched[id >> 12] |= UINT64_C(1) << (id >> 6 & 63);
}

static void add_bitset(Gathering *gathering, uint32_t chunk, const uint64_t *words)
{
    uint64_t *into = &gathering->words[(size_t)chunk * CONTAINER_WORDS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < CONTAINER_WORDS; i++) {
        into[i] |= words[i];
        count += count_bits(into[i]);
    }
    gathering->counts[chunk] = count;
    memset(&gathering->touched[(size_t)chunk * TOUCHED_WORDS], 0xff, TOUCHED_WORDS * sizeof(uint64_t));
}

static void add_containers(Gathering *gathering, const Containers *containers)
{
    for (uint32_t i = 0; i < containers->count; i++) {
        const Container *container = &containers->of[i];
        if (!container_is_array(container)) {
            add_bitset(gathering, container->key, container_words(container));
            continue;
        }
        for (uint32_t j = 0; j < container_count(container); j++)
            add_id(gathering, container_base(container) | container_lows(container)[j]);
    }
}

/* Adds a set that is an array or containers. */
static NOT_INLINE void add_block(Gathering *gathering, const Dependents *set)
{
    const Containers *containers = dependents_containers(set);
    if (containers != NULL) {
        add_containers(gathering, containers);
        return;
    }
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(id, walk, set)
        add_id(gathering, id);
}

static inline void add_set(Gathering *gathering, const Dependents *set)
{
    uint32_t few[DEPENDENTS_FEW], n = dependents_inline(set, few);
    for (uint32_t i = 0; i < n; i++)
        add_id(gathering, few[i]);
    if (n == 0 && !dependents_empty(set))
        add_block(gathering, set);
}

void gathering_add_facets(Gathering *gathering, const DependentsOf *sets, const uint32_t *facets, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < 2 * AHEAD; i++)
        __builtin_prefetch(dependents_of(sets, facets[i]));
    for (uint32_t i = 0; i < n; i++) {
        if (i + 2 * AHEAD < n)
            __builtin_prefetch(dependents_of(sets, facets[i + 2 * AHEAD]));
        if (i + AHEAD < n)
            dependents_fetch_block(dependents_of(sets, facets[i + AHEAD]));
        add_set(gathering, dependents_of(sets, facets[i]));
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static size_t bytes_of(uint32_t count)
{
    return count > CONTAINER_ARRAY_MOST ? CONTAINER_WORDS * sizeof(uint64_t) : count * sizeof(uint16_t);
}

/* The header has a cookie and the number of containers, then for each container its key, its count and its offset. */
static size_t header_size(uint32_t containers) { return 8 + (size_t)containers * 8; }

size_t gathering_size(const Gathering *gathering)
{
    size_t bytes = 0;
    uint32_t containers = 0;
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++) {
        containers += gathering->counts[chunk] != 0;
        bytes += bytes_of(gathering->counts[chunk]);
    }
    return header_size(containers) + bytes;
}

static uint8_t *put16(uint8_t *to, uint32_t number)
{
    to[0] = (uint8_t)number;
    to[1] = (uint8_t)(number >> 8);
    return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t number) { return put16(put16(to, number), number >> 16); }

/* Writes the IDs of a chunk as the format wants them, and empties the chunk. The format is little-endian; it is written byte by
 * byte, because an array in it may start at an odd address. */
static uint8_t *write_chunk(Gathering *gathering, uint32_t chunk, uint8_t *to)
{
    uint64_t *touched = &gathering->touched[(size_t)chunk * TOUCHED_WORDS];
    uint64_t *words = &gathering->words[(size_t)chunk * CONTAINER_WORDS];
    bool dense = gathering->counts[chunk] > CONTAINER_ARRAY_MOST;
    for (uint32_t i = 0; i < CONTAINER_WORDS && dense; i++)
        to = put32(put32(to, (uint32_t)words[i]), (uint32_t)(words[i] >> 32));
    for (uint32_t i = 0; i < TOUCHED_WORDS; touched[i++] = 0)
        for (uint64_t left = touched[i]; left != 0; left &= left - 1) {
            uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(left);
            for (uint64_t word = dense ? 0 : words[at]; word != 0; word &= word - 1)
                to = put16(to, at * 64 + (uint32_t)__builtin_ctzll(word));
            words[at] = 0;
        }
    return to;
}

void gathering_write(Gathering *gathering, uint8_t *bytes)
{
    uint32_t containers = 0;
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++)
        containers += gathering->counts[chunk] != 0;
    uint8_t *key = put32(put32(bytes, COOKIE), containers), *offset = key + (size_t)containers * 4;
    uint8_t *to = bytes + header_size(containers);
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++) {
        uint32_t count = gathering->counts[chunk];
        if (count == 0)
            continue;
        key = put16(put16(key, chunk), count - 1);
        offset = put32(offset, (uint32_t)(to - bytes));
        to = write_chunk(gathering, chunk, to);
        gathering->counts[chunk] = 0;
    }
}

void gathering_empty(Gathering *gathering)
{
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++) {
        if (gathering->counts[chunk] == 0)
            continue;
        memset(&gathering->words[(size_t)chunk * CONTAINER_WORDS], 0, CONTAINER_WORDS * sizeof(uint64_t));
        memset(&gathering->touched[(size_t)chunk * TOUCHED_WORDS], 0, TOUCHED_WORDS * sizeof(uint64_t));
        gathering->counts[chunk] = 0;
    }
}

void gathering_free(Gathering *gathering)
{
    free(gathering->words);
    free(gathering->touched);
    free(gathering->counts);
    *gathering = (Gathering){0};
}
