#include "index/containers.h"

#include <string.h>

#define SORTED uint16_t
#include "index/sorted.h"

#define LOW(id) ((uint16_t)(id))
#define BITSET_CLASS block_class(CONTAINER_WORDS * sizeof(uint64_t))

/* The most containers that fit into a block: enough for 2^31 handles, less the last 65536. */
#define CONTAINERS_MOST ((BLOCK_LARGEST - sizeof(Containers)) / sizeof(Container))

static unsigned array_class(uint32_t n) { return block_class(n * sizeof(uint16_t)); }

static unsigned containers_class(uint32_t count) { return block_class(sizeof(Containers) + count * sizeof(Container)); }

static unsigned lows_class(uint32_t n) { return n <= CONTAINER_ARRAY_MOST ? array_class(n) : BITSET_CLASS; }

static bool has_bit(const uint64_t *words, uint16_t low) { return words[low >> 6] >> (low & 63) & 1; }

/* How many of the IDs, from the first one on, have the same upper half. */
static uint32_t run_length(const uint32_t *ids, uint32_t n)
{
    uint32_t key = ids[0] >> 16, i = 1;
    if (ids[n - 1] >> 16 == key)
        return n;
    while (ids[i] >> 16 == key)
        i++;
    return i;
}

/* --- one container ------------------------------------------------------------------------------------------------- */

static void set_bits(uint64_t *words, const uint32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        words[LOW(ids[i]) >> 6] |= UINT64_C(1) << (ids[i] & 63);
}

/* Makes a block of the lower halves of n IDs, which have the same upper half. 0: out of memory. */
static BlockRef new_lows(const uint32_t *ids, uint32_t n)
{
    BlockRef ref = block_take(lows_class(n));
    if (ref == 0)
        return 0;
    if (n > CONTAINER_ARRAY_MOST) {
        memset(block_at(ref), 0, CONTAINER_WORDS * sizeof(uint64_t));
        set_bits(block_at(ref), ids, n);
    } else {
        uint16_t *lows = block_at(ref);
        for (uint32_t i = 0; i < n; i++)
            lows[i] = LOW(ids[i]);
    }
    return ref;
}

static bool array_add(Container *container, const uint32_t *ids, uint32_t n)
{
    uint32_t m = container_count(container), total = m + count_missing(container_lows(container), m, ids, n);
    unsigned class = array_class(m), needed = lows_class(total);
    bool in_place = needed == class && total <= CONTAINER_ARRAY_MOST; /* a bitset would overwrite the array it is made from */
    BlockRef ref = in_place ? container->lows : block_take(needed);
    if (ref == 0)
        return false;
    const uint16_t *lows = container_lows(container);
    if (total > CONTAINER_ARRAY_MOST) {
        uint64_t *words = memset(block_at(ref), 0, CONTAINER_WORDS * sizeof(uint64_t));
        for (uint32_t i = 0; i < m; i++)
            words[lows[i] >> 6] |= UINT64_C(1) << (lows[i] & 63);
        set_bits(words, ids, n);
    } else {
        merge(block_at(ref), lows, m, ids, n, total);
    }
    if (!in_place)
        block_give(container->lows, class);
    container->lows = ref;
    container->last = (uint16_t)(total - 1);
    return true;
}

static bool container_add(Container *container, const uint32_t *ids, uint32_t n)
{
    if (container_is_array(container))
        return array_add(container, ids, n);
    uint64_t *words = block_at(container->lows);
    uint32_t added = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t *word = &words[LOW(ids[i]) >> 6], bit = UINT64_C(1) << (ids[i] & 63);
        added += !(*word & bit);
        *word |= bit;
    }
    container->last = (uint16_t)(container->last + added);
    return true;
}

/* Moves the first n bytes of a block into a new block of the smaller class. Where there is no memory for one, it makes the
 * block smaller in place. Returns the block that has the bytes. */
static BlockRef fit(BlockRef ref, unsigned class, unsigned smaller, size_t n)
{
    if (class == smaller)
        return ref;
    BlockRef moved = block_take(smaller);
    if (moved == 0) {
        block_shrink(ref, class, smaller);
        return ref;
    }
    memcpy(block_at(moved), block_at(ref), n);
    block_give(ref, class);
    return moved;
}

static uint32_t read_bits(const uint64_t *words, uint16_t *lows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < CONTAINER_WORDS; i++)
        for (uint64_t word = words[i]; word != 0; word &= word - 1)
            lows[n++] = (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(word));
    return n;
}

/* Removes IDs from one container. Returns how many are left; if none is, the container's block was given back. */
static uint32_t container_remove(Container *container, const uint32_t *ids, uint32_t n)
{
    uint32_t before = container_count(container), left = 0;
    if (container_is_array(container)) {
        left = keep_others(block_at(container->lows), before, ids, n);
    } else {
        uint64_t *words = block_at(container->lows);
        uint16_t lows[CONTAINER_ARRAY_MOST];
        left = before;
        for (uint32_t i = 0; i < n; i++) {
            left -= has_bit(words, LOW(ids[i]));
            words[LOW(ids[i]) >> 6] &= ~(UINT64_C(1) << (ids[i] & 63));
        }
        if (left <= CONTAINER_ARRAY_MOST) {
            read_bits(words, lows);
            memcpy(words, lows, left * sizeof *lows);
        }
    }
    if (left == 0)
        block_give(container->lows, lows_class(before));
    else
        container->lows = fit(container->lows, lows_class(before), lows_class(left), left * sizeof(uint16_t));
    container->last = (uint16_t)(left - 1);
    return left;
}

/* --- all of a set -------------------------------------------------------------------------------------------------- */

static uint32_t find_key(const Containers *containers, uint32_t key)
{
    uint32_t low = 0, high = containers->count;
    if (high != 0 && containers->of[high - 1].key < key)
        return high; /* the common case: a new handle has a higher number than all before */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (containers->of[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Inserts a new container at index `at`. */
static bool insert(BlockRef *ref, uint32_t at, const uint32_t *ids, uint32_t n)
{
    Containers *containers = containers_at(*ref);
    uint32_t count = containers->count;
    if (count == CONTAINERS_MOST)
        return false;
    unsigned class = containers_class(count), needed = containers_class(count + 1);
    BlockRef lows = new_lows(ids, n), moved = lows == 0 || needed == class ? *ref : block_take(needed);
    if (lows == 0 || moved == 0) {
        if (lows != 0)
            block_give(lows, lows_class(n));
        return false;
    }
    if (moved != *ref) {
        memcpy(block_at(moved), containers, sizeof *containers + count * sizeof(Container));
        block_give(*ref, class);
        *ref = moved;
        containers = containers_at(moved);
    }
    memmove(&containers->of[at + 1], &containers->of[at], (count - at) * sizeof(Container));
    containers->of[at] = (Container){.key = (uint16_t)(ids[0] >> 16), .last = (uint16_t)(n - 1), .lows = lows};
    containers->count++;
    containers->ids += n;
    return true;
}

BlockRef containers_of(const uint32_t *ids, uint32_t n)
{
    BlockRef ref = block_take(containers_class(0));
    if (ref == 0)
        return 0;
    *containers_at(ref) = (Containers){0};
    if (containers_add(&ref, ids, n))
        return ref;
    containers_free(ref);
    return 0;
}

bool containers_add(BlockRef *ref, const uint32_t *ids, uint32_t n)
{
    for (uint32_t run; n > 0; ids += run, n -= run) {
        Containers *containers = containers_at(*ref);
        uint32_t key = ids[0] >> 16, at = find_key(containers, key);
        run = run_length(ids, n);
        if (at == containers->count || containers->of[at].key != key) {
            if (!insert(ref, at, ids, run))
                return false;
            continue;
        }
        uint32_t before = containers->of[at].last;
        if (!container_add(&containers->of[at], ids, run))
            return false;
        containers->ids += containers->of[at].last - before;
    }
    return true;
}

void containers_remove(BlockRef *ref, const uint32_t *ids, uint32_t n)
{
    Containers *containers = containers_at(*ref);
    uint32_t count = containers->count;
    for (uint32_t run; n > 0; ids += run, n -= run) {
        uint32_t key = ids[0] >> 16, at = find_key(containers, key);
        run = run_length(ids, n);
        if (at == containers->count || containers->of[at].key != key)
            continue;
        uint32_t before = container_count(&containers->of[at]), left = container_remove(&containers->of[at], ids, run);
        containers->ids -= before - left;
        if (left == 0) {
            containers->count--;
            memmove(&containers->of[at], &containers->of[at + 1], (containers->count - at) * sizeof(Container));
        }
    }
    *ref = fit(*ref, containers_class(count), containers_class(containers->count),
               sizeof *containers + containers->count * sizeof(Container));
}

bool containers_have(const Containers *containers, uint32_t id)
{
    uint32_t at = find_key(containers, id >> 16);
    if (at == containers->count || containers->of[at].key != id >> 16)
        return false;
    const Container *container = &containers->of[at];
    if (!container_is_array(container))
        return has_bit(container_words(container), LOW(id));
    return count_missing(container_lows(container), container_count(container), &id, 1) == 0;
}

size_t containers_memory(const Containers *containers)
{
    size_t bytes = block_size(containers_class(containers->count));
    for (uint32_t i = 0; i < containers->count; i++)
        bytes += block_size(lows_class(container_count(&containers->of[i])));
    return bytes;
}

void containers_free(BlockRef ref)
{
    const Containers *containers = containers_at(ref);
    for (uint32_t i = 0; i < containers->count; i++)
        block_give(containers->of[i].lows, lows_class(container_count(&containers->of[i])));
    block_give(ref, containers_class(containers->count));
}

uint32_t container_place_after(const Container *container, uint16_t low)
{
    if (!container_is_array(container))
        return low + 1u;
    if (low == UINT16_MAX)
        return container_count(container);
    return first_not_below(container_lows(container), 0, container_count(container), (uint16_t)(low + 1));
}

void containers_read(const Containers *containers, uint32_t *ids)
{
    for (uint32_t i = 0; i < containers->count; i++) {
        const Container *container = &containers->of[i];
        uint32_t base = container_base(container);
        for (uint32_t j = 0; container_is_array(container) && j < container_count(container); j++)
            *ids++ = base | container_lows(container)[j];
        for (uint32_t j = 0; !container_is_array(container) && j < CONTAINER_WORDS; j++)
            for (uint64_t word = container_words(container)[j]; word != 0; word &= word - 1)
                *ids++ = base | (j * 64 + (uint32_t)__builtin_ctzll(word));
    }
}

const char *containers_wrong(BlockRef ref)
{
    const Containers *containers = containers_at(ref);
    uint32_t ids = 0;
    for (uint32_t i = 0; i < containers->count; i++) {
        const Container *container = &containers->of[i];
        uint32_t n = container_count(container), bits = 0;
        ids += n;
        if (i > 0 && containers->of[i - 1].key >= container->key)
            return "the containers of a set are not in the order of their keys";
        if (container_is_array(container)) {
            for (uint32_t j = 1; j < n; j++)
                if (container_lows(container)[j - 1] >= container_lows(container)[j])
                    return "the array of a container is not ascending";
            continue;
        }
        for (uint32_t j = 0; j < CONTAINER_WORDS; j++)
            bits += count_bits(container_words(container)[j]);
        if (bits != n)
            return "a container's count is not the number of bits in its bitset";
    }
    return ids == containers->ids ? NULL : "a set counts other IDs than its containers have";
}
