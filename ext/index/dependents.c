#include "index/dependents.h"

#include <stdlib.h>
#include <string.h>

#include "index/containers.h"

#define SORTED uint32_t
#include "index/sorted.h"

#define ARRAY_COUNT_SHIFT 32
#define ARRAY_COUNT_MASK ((1u << 24) - 1)
#define ARRAY_MOST 16384u /* IDs */

static bool is_array(const Dependents *set) { return set->word >> 62 == 1; }
static bool is_containers(const Dependents *set) { return set->word >> 61 == 1; }
static BlockRef block_of(const Dependents *set) { return (uint32_t)set->word & NO_ID; }
static uint32_t array_count(const Dependents *set) { return (uint32_t)(set->word >> ARRAY_COUNT_SHIFT) & ARRAY_COUNT_MASK; }
static unsigned class_of(uint32_t n) { return block_class(n * sizeof(uint32_t)); }

static uint64_t array_word(BlockRef ref, uint32_t n)
{
    return DEPENDENTS_ARRAY | ((uint64_t)n << ARRAY_COUNT_SHIFT) | ref;
}

/* The most IDs of this range that are kept in an array: from 64 IDs to a container on, containers take less memory. */
static uint32_t array_limit(uint32_t first, uint32_t last)
{
    uint32_t containers = (last >> 16) - (first >> 16) + 1;
    return containers < ARRAY_MOST / 64 ? 64 * containers : ARRAY_MOST;
}

/* The inline word of n ascending IDs, or 0 if they do not fit. */
static inline uint64_t inline_word(const uint32_t *ids, uint32_t n)
{
    if (n == 0 || n > DEPENDENTS_FEW)
        return 0;
    if (n <= 2)
        return DEPENDENTS_INLINE | ((uint64_t)(n == 2 ? ids[1] : NO_ID) << 32) | ids[0];
    unsigned bits = n == 4 ? 10 : 15;
    uint64_t word = DEPENDENTS_INLINE | (n == 4 ? DEPENDENTS_ARRAY : 0) | DEPENDENTS_GAPS | ids[0];
    for (uint32_t i = 1; i < n; i++) {
        uint32_t gap = ids[i] - ids[i - 1] - 1;
        if (gap >= (1u << bits) - 1) /* a gap of only 1 bits is excluded: dependents_only() would take the set for one ID */
            return 0;
        word |= (uint64_t)gap << (32 + bits * (i - 1));
    }
    return word;
}

/* --- adding -------------------------------------------------------------------------------------------------------- */

static bool add_to_containers(Dependents *set, BlockRef ref, const uint32_t *ids, uint32_t n)
{
    bool added = containers_add(&ref, ids, n);
    set->word = DEPENDENTS_CONTAINERS | ref;
    return added;
}

/* Adds IDs to a set with m IDs, which are inline or in the set's array; the set becomes an array, or containers. */
static bool add_to_array(Dependents *set, const uint32_t *others, uint32_t m, const uint32_t *ids, uint32_t n)
{
    bool owned = is_array(set);
    uint32_t total = m + count_missing(others, m, ids, n);
    uint32_t first = m == 0 || ids[0] < others[0] ? ids[0] : others[0];
    uint32_t last = m == 0 || ids[n - 1] > others[m - 1] ? ids[n - 1] : others[m - 1];
    if (total > array_limit(first, last)) {
        BlockRef ref = containers_of(others, m);
        if (ref == 0)
            return false;
        if (owned)
            block_give(block_of(set), class_of(m));
        return add_to_containers(set, ref, ids, n);
    }
    BlockRef ref = owned && class_of(m) == class_of(total) ? block_of(set) : block_take(class_of(total));
    if (ref == 0)
        return false;
    merge(block_at(ref), others, m, ids, n, total);
    if (owned && ref != block_of(set))
        block_give(block_of(set), class_of(m));
    set->word = array_word(ref, total);
    return true;
}

/* Adds an ID to an empty set, or to a set of one lower ID, as is most frequent. False: the set is another, and unchanged. */
static bool add_one(Dependents *set, uint32_t id)
{
    uint32_t only = dependents_only(set);
    if (set->word == 0)
        set->word = inline_word(&id, 1);
    else if (only < id) /* then `only` is an ID: NO_ID is larger than all */
        set->word = inline_word((uint32_t[]){only, id}, 2);
    else
        return false;
    return true;
}

bool dependents_add_many(Dependents *set, const uint32_t *ids, uint32_t n)
{
    uint32_t few[DEPENDENTS_FEW], merged[DEPENDENTS_FEW], m = 0;
    if (n == 0 || (n == 1 && add_one(set, ids[0])))
        return true;
    if (is_containers(set))
        return add_to_containers(set, block_of(set), ids, n);
    if (is_array(set))
        return add_to_array(set, block_at(block_of(set)), array_count(set), ids, n);
    if (set->word != 0)
        m = dependents_few(set->word, few);
    uint32_t total = m + count_missing(few, m, ids, n);
    if (total > DEPENDENTS_FEW)
        return add_to_array(set, few, m, ids, n);
    merge(merged, few, m, ids, n, total);
    uint64_t word = inline_word(merged, total);
    if (word == 0)
        return add_to_array(set, few, m, ids, n);
    set->word = word;
    return true;
}

bool dependents_add(Dependents *set, uint32_t id) { return dependents_add_many(set, &id, 1); }

/* --- removing ------------------------------------------------------------------------------------------------------ */

static void remove_from_array(Dependents *set, const uint32_t *ids, uint32_t n)
{
    BlockRef ref = block_of(set);
    uint32_t *others = block_at(ref), m = array_count(set), left = keep_others(others, m, ids, n);
    uint64_t word = inline_word(others, left);
    if (left == 0 || word != 0) {
        set->word = word;
        block_give(ref, class_of(m));
        return;
    }
    if (class_of(left) != class_of(m)) {
        BlockRef smaller = block_take(class_of(left));
        if (smaller == 0) {
            block_shrink(ref, class_of(m), class_of(left));
        } else {
            memcpy(block_at(smaller), others, left * sizeof *others);
            block_give(ref, class_of(m));
            ref = smaller;
        }
    }
    set->word = array_word(ref, left);
}

/* Turns containers with few IDs into an array again: at half the limit at which an array becomes containers, so that a set near
 * the limit does not change its tier all the time. */
static void shrink_containers(Dependents *set)
{
    BlockRef ref = block_of(set);
    const Containers *containers = containers_at(ref);
    uint32_t n = containers->ids, last = containers->count - 1;
    if (n != 0 && n > array_limit(container_base(&containers->of[0]), container_base(&containers->of[last])) / 2)
        return;
    BlockRef array = n == 0 ? 0 : block_take(class_of(n));
    if (n != 0 && array == 0)
        return; /* out of memory: the set stays in containers */
    if (n != 0)
        containers_read(containers, block_at(array));
    set->word = n == 0 ? 0 : array_word(array, n);
    containers_free(ref);
    uint64_t word = n == 0 ? 0 : inline_word(block_at(array), n);
    if (word != 0) {
        set->word = word;
        block_give(array, class_of(n));
    }
}

void dependents_remove_many(Dependents *set, const uint32_t *ids, uint32_t n)
{
    if (set->word & DEPENDENTS_INLINE) {
        uint32_t few[DEPENDENTS_FEW], m = dependents_few(set->word, few), left = keep_others(few, m, ids, n);
        if (left != m)
            set->word = inline_word(few, left); /* always fits: two gaps of 10 bits add up to one of at most 15 bits */
    } else if (is_array(set)) {
        remove_from_array(set, ids, n);
    } else if (is_containers(set)) {
        BlockRef ref = block_of(set);
        containers_remove(&ref, ids, n);
        set->word = DEPENDENTS_CONTAINERS | ref;
        shrink_containers(set);
    }
}

void dependents_remove(Dependents *set, uint32_t id) { dependents_remove_many(set, &id, 1); }

void dependents_clear(Dependents *set)
{
    if (is_array(set))
        block_give(block_of(set), class_of(array_count(set)));
    else if (is_containers(set))
        containers_free(block_of(set));
    set->word = 0;
}

/* --- asking -------------------------------------------------------------------------------------------------------- */

uint32_t dependents_count(const Dependents *set)
{
    uint32_t few[DEPENDENTS_FEW];
    if (set->word == 0)
        return 0;
    if (is_array(set))
        return array_count(set);
    return is_containers(set) ? containers_at(block_of(set))->ids : dependents_few(set->word, few);
}

bool dependents_has(const Dependents *set, uint32_t id)
{
    uint32_t few[DEPENDENTS_FEW];
    if (set->word == 0)
        return false;
    if (is_containers(set))
        return containers_have(containers_at(block_of(set)), id);
    if (is_array(set))
        return count_missing(block_at(block_of(set)), array_count(set), &id, 1) == 0;
    return count_missing(few, dependents_few(set->word, few), &id, 1) == 0;
}

const Containers *dependents_containers(const Dependents *set)
{
    return is_containers(set) ? containers_at(block_of(set)) : NULL;
}

size_t dependents_memory(const Dependents *set)
{
    if (is_array(set))
        return block_size(class_of(array_count(set)));
    return is_containers(set) ? containers_memory(containers_at(block_of(set))) : 0;
}

uint32_t *dependents_copy(const Dependents *set, uint32_t *count)
{
    *count = dependents_count(set);
    if (*count == 0)
        return NULL;
    uint32_t *copy = malloc(*count * sizeof *copy), *end = copy;
    DependentsWalk walk;
    if (copy == NULL)
        return NULL;
    for (dependents_walk(&walk, set); dependents_next(&walk); end += walk.count)
        memcpy(end, walk.ids, walk.count * sizeof *end);
    return copy;
}

const char *dependents_wrong(const Dependents *set)
{
    if (set->word == 0)
        return NULL;
    if (!(set->word & (DEPENDENTS_INLINE | DEPENDENTS_ARRAY | DEPENDENTS_CONTAINERS)))
        return "the word of a set belongs to no tier";
    if (is_containers(set) && containers_wrong(block_of(set)) != NULL)
        return containers_wrong(block_of(set));
    DependentsWalk walk;
    uint32_t n = 0, last = 0, few[DEPENDENTS_FEW];
    FOR_EACH_DEPENDENT(id, walk, set) {
        if (id >= NO_ID || (n != 0 && id <= last))
            return "the IDs of a set are not ascending";
        if (n < DEPENDENTS_FEW)
            few[n] = id;
        last = id;
        n++;
    }
    if (n != dependents_count(set) || n == 0)
        return "a set's count is not the number of its IDs";
    if (is_array(set) && n <= DEPENDENTS_FEW && inline_word(few, n) != 0)
        return "a set whose IDs fit inline is an array";
    return NULL;
}

/* --- walking; runs inside callbacks ------------------------------------------------------------------------------ */

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
    walk->ids = (const uint32_t *)block_at((uint32_t)word & NO_ID) + walk->place;
    walk->count = ((uint32_t)(word >> 32) & ((1u << 24) - 1)) - walk->place;
    walk->next = 0;
    return true;
}

void dependents_walk_after(DependentsWalk *walk, const Dependents *set, uint32_t id)
{
    dependents_walk(walk, set);
    if (is_containers(set)) {
        const Containers *containers = containers_at(block_of(set));
        while (walk->container < containers->count && container_base(&containers->of[walk->container]) + 0xffff <= id)
            walk->container++;
        const Container *container = &containers->of[walk->container];
        if (walk->container < containers->count && container_base(container) <= id)
            walk->place = container_place_after(container, (uint16_t)id);
    } else if (is_array(set)) {
        walk->place = first_not_below(block_at(block_of(set)), 0, array_count(set), id + 1);
        walk->next = walk->place == array_count(set) ? 0 : walk->next;
    } else if (set->word != 0) {
        uint32_t few[DEPENDENTS_FEW], n = dependents_few(set->word, few);
        walk->next = few[n - 1] <= id ? 0 : walk->next;
    }
}
