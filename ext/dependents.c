#include "dependents.h"

#include <stdlib.h>
#include <string.h>

static uint64_t inline_word(uint32_t first, uint32_t second)
{
    return DEPENDENTS_INLINE | ((uint64_t)second << 32) | first;
}

static SortedIds *sorted_ids(const Dependents *set) { return (SortedIds *)(uintptr_t)set->word; }

/* Size classes: 6, 14, 30, ... so that header and IDs fill a power of two; above 4096 bytes they grow by a quarter. */
static uint32_t grown(uint32_t capacity)
{
    if (capacity == 0)
        return 6;
    return capacity < 1022 ? 2 * capacity + 2 : capacity + capacity / 4;
}

static uint32_t lower_bound(const SortedIds *array, uint32_t id)
{
    /* Handles are numbered upwards, so the newest ID usually goes to the end. */
    if (array->count == 0 || array->ids[array->count - 1] < id)
        return array->count;
    uint32_t low = 0, high = array->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (array->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_to_array(Dependents *set, uint32_t id)
{
    SortedIds *array = sorted_ids(set);
    uint32_t place = lower_bound(array, id);
    if (place < array->count && array->ids[place] == id)
        return true;
    if (array->count == array->capacity) {
        uint32_t capacity = grown(array->capacity);
        array = realloc(array, sizeof *array + (size_t)capacity * sizeof *array->ids);
        if (array == NULL)
            return false;
        array->capacity = capacity;
        set->word = (uint64_t)(uintptr_t)array;
    }
    memmove(&array->ids[place + 1], &array->ids[place], (array->count - place) * sizeof *array->ids);
    array->ids[place] = id;
    array->count++;
    return true;
}

bool dependents_add(Dependents *set, uint32_t id)
{
    if (set->word == 0) {
        set->word = inline_word(id, NO_ID);
        return true;
    }
    if (!(set->word & DEPENDENTS_INLINE))
        return add_to_array(set, id);
    uint32_t first = (uint32_t)set->word, second = (uint32_t)(set->word >> 32) & NO_ID;
    if (id == first || id == second)
        return true;
    if (second == NO_ID) {
        set->word = id < first ? inline_word(id, first) : inline_word(first, id);
        return true;
    }
    SortedIds *array = malloc(sizeof *array + grown(0) * sizeof *array->ids);
    if (array == NULL)
        return false;
    array->capacity = grown(0);
    array->count = 2;
    array->ids[0] = first;
    array->ids[1] = second;
    set->word = (uint64_t)(uintptr_t)array;
    return add_to_array(set, id);
}

void dependents_remove(Dependents *set, uint32_t id)
{
    if (set->word == 0)
        return;
    if (set->word & DEPENDENTS_INLINE) {
        uint32_t first = (uint32_t)set->word, second = (uint32_t)(set->word >> 32) & NO_ID;
        if (id == second)
            set->word = inline_word(first, NO_ID);
        else if (id == first)
            set->word = second == NO_ID ? 0 : inline_word(second, NO_ID);
        return;
    }
    SortedIds *array = sorted_ids(set);
    uint32_t place = lower_bound(array, id);
    if (place == array->count || array->ids[place] != id)
        return;
    array->count--;
    memmove(&array->ids[place], &array->ids[place + 1], (array->count - place) * sizeof *array->ids);
    if (array->count == 2) {
        set->word = inline_word(array->ids[0], array->ids[1]);
        free(array);
    } else if (array->count < array->capacity / 4) {
        SortedIds *smaller = realloc(array, sizeof *array + (size_t)array->capacity / 2 * sizeof *array->ids);
        if (smaller != NULL) {
            smaller->capacity /= 2;
            set->word = (uint64_t)(uintptr_t)smaller;
        }
    }
}

void dependents_clear(Dependents *set)
{
    if (set->word != 0 && !(set->word & DEPENDENTS_INLINE))
        free(sorted_ids(set));
    set->word = 0;
}

uint32_t dependents_count(const Dependents *set)
{
    uint32_t count = 0;
    for (DependentsWalk walk = dependents_walk(set); dependents_next(&walk);)
        count += walk.count;
    return count;
}

uint32_t *dependents_copy(const Dependents *set, uint32_t *count)
{
    *count = dependents_count(set);
    if (*count == 0)
        return NULL;
    uint32_t *copy = malloc(*count * sizeof *copy), *end = copy;
    if (copy == NULL)
        return NULL;
    for (DependentsWalk walk = dependents_walk(set); dependents_next(&walk); end += walk.count)
        memcpy(end, walk.ids, walk.count * sizeof *end);
    return copy;
}
