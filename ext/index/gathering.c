#include "index/gathering.h"

#include <stdlib.h>
#include <string.h>

#include "index/blocks.h"
#include "index/containers.h"

#define AHEAD 16            /* how many sets ahead the block of one is prefetched */
#define FAR_AHEAD 32        /* and its word before: a block's address is in it */
#define COOKIE 12346u       /* the format's number for a file without run containers */
#define LINE 8u             /* words */
#define LINES (CONTAINER_WORDS / LINE)

bool gathering_reserve(Gathering *gathering, uint32_t n)
{
    uint32_t n_chunks = (n >> 16) + 1;
    if (n_chunks <= gathering->n_chunks)
        return true;
    /* malloc and memset, not calloc: so the system gives the pages now and not in the middle of a union. */
    size_t bytes = n_chunks * CONTAINER_WORDS * sizeof(uint64_t);
    uint64_t *words = malloc(bytes);
    uint8_t *touched = calloc(n_chunks, LINES);
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

static inline uint64_t *words_of(const Gathering *gathering, uint32_t chunk)
{
    return &gathering->words[(size_t)chunk * CONTAINER_WORDS];
}

static inline uint8_t *touched_of(const Gathering *gathering, uint32_t chunk)
{
    return &gathering->touched[(size_t)chunk * LINES];
}

static inline void add_id(uint64_t *words, uint8_t *touched, uint32_t id)
{
    words[id >> 6] |= UINT64_C(1) << (id & 63);
    touched[id >> 9] = 1;
}

static void add_bitset(Gathering *gathering, uint32_t chunk, const uint64_t *words)
{
    uint64_t *into = words_of(gathering, chunk);
    for (uint32_t i = 0; i < CONTAINER_WORDS; i++)
        into[i] |= words[i];
    memset(touched_of(gathering, chunk), 1, LINES);
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
            add_id(gathering->words, gathering->touched, container_base(container) | container_lows(container)[j]);
    }
}

/* Adds a set that is not inline. */
static NOT_INLINE void add_block(Gathering *gathering, const Dependents *set)
{
    const Containers *containers = dependents_containers(set);
    if (containers != NULL) {
        add_containers(gathering, containers);
        return;
    }
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(id, walk, set)
        add_id(gathering->words, gathering->touched, id);
}

void gathering_add_facets(Gathering *gathering, const DependentsOf *sets, const uint32_t *facets, uint32_t n)
{
    uint64_t *words = gathering->words;
    uint8_t *touched = gathering->touched;
    const Dependents *soon[FAR_AHEAD]; /* the sets of the next facets: a ring */
    for (uint32_t i = 0; i < n && i < FAR_AHEAD; i++)
        __builtin_prefetch(soon[i] = dependents_of(sets, facets[i]));
    for (uint32_t i = 0; i < n; i++) {
        const Dependents *set = soon[i % FAR_AHEAD];
        if (i + FAR_AHEAD < n)
            __builtin_prefetch(soon[i % FAR_AHEAD] = dependents_of(sets, facets[i + FAR_AHEAD]));
        if (i + AHEAD < n)
            dependents_fetch_block(soon[(i + AHEAD) % FAR_AHEAD]);
        uint32_t few[DEPENDENTS_FEW], n_few = 2;
        if (!dependents_pair(set, few) && (n_few = dependents_inline(set, few)) == 0) {
            add_block(gathering, set);
            continue;
        }
        for (uint32_t j = 0; j < n_few; j++)
            add_id(words, touched, few[j]);
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static size_t bytes_of(uint32_t count)
{
    return count > CONTAINER_ARRAY_MOST ? CONTAINER_WORDS * sizeof(uint64_t) : count * sizeof(uint16_t);
}

/* The header has a cookie and the number of containers, then for each container its key, its count and its offset. */
static size_t header_size(uint32_t containers) { return 8 + (size_t)containers * 8; }

/* The first touched line of a chunk from there on; LINES: there is none. */
static inline uint32_t next_line(const uint8_t *touched, uint32_t line)
{
    while (line < LINES) {
        uint64_t eight;
        memcpy(&eight, &touched[line / 8 * 8], sizeof eight);
        if (eight == 0)
            line = line / 8 * 8 + 8;
        else if (touched[line] != 0)
            break;
        else
            line++;
    }
    return line;
}

#define FOR_EACH_LINE(line, touched)                                                                                  \
    for (uint32_t line = next_line(touched, 0); line < LINES; line = next_line(touched, line + 1))

static uint32_t count_chunk(const Gathering *gathering, uint32_t chunk)
{
    const uint64_t *words = words_of(gathering, chunk);
    uint32_t count = 0;
    FOR_EACH_LINE(line, touched_of(gathering, chunk))
        for (uint32_t i = 0; i < LINE; i++)
            count += count_bits(words[line * LINE + i]);
    return count;
}

size_t gathering_size(Gathering *gathering)
{
    size_t bytes = 0;
    uint32_t containers = 0;
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++) {
        uint32_t count = gathering->counts[chunk] = count_chunk(gathering, chunk);
        containers += count != 0;
        bytes += bytes_of(count);
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

static uint8_t *write_array(const uint64_t *words, const uint8_t *touched, uint8_t *to)
{
    FOR_EACH_LINE(line, touched)
        for (uint32_t at = line * LINE; at < (line + 1) * LINE; at++)
            for (uint64_t word = words[at]; word != 0; word &= word - 1)
                to = put16(to, at * 64 + (uint32_t)__builtin_ctzll(word));
    return to;
}

static void empty_chunk(Gathering *gathering, uint32_t chunk)
{
    FOR_EACH_LINE(line, touched_of(gathering, chunk))
        memset(&words_of(gathering, chunk)[line * LINE], 0, LINE * sizeof(uint64_t));
    memset(touched_of(gathering, chunk), 0, LINES);
}

/* Writes the IDs of a chunk as the format wants them, and empties the chunk. The format is little-endian; it is written byte by
 * byte, because an array in it may start at an odd address. */
static uint8_t *write_chunk(Gathering *gathering, uint32_t chunk, uint8_t *to)
{
    const uint64_t *words = words_of(gathering, chunk);
    if (gathering->counts[chunk] <= CONTAINER_ARRAY_MOST)
        to = write_array(words, touched_of(gathering, chunk), to);
    else
        for (uint32_t i = 0; i < CONTAINER_WORDS; i++)
            to = put32(put32(to, (uint32_t)words[i]), (uint32_t)(words[i] >> 32));
    empty_chunk(gathering, chunk);
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
    }
}

void gathering_empty(Gathering *gathering)
{
    for (uint32_t chunk = 0; chunk < gathering->n_chunks; chunk++)
        empty_chunk(gathering, chunk);
}

void gathering_free(Gathering *gathering)
{
    free(gathering->words);
    free(gathering->touched);
    free(gathering->counts);
    *gathering = (Gathering){0};
}
