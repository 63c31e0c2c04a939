/* AddressMap: maps the address of a live object to an item of ours. No Python.h.
 *
 * Open addressing with linear probing, at most half full, so a miss usually costs one cache line. A removal moves later
 * entries back and leaves no tombstone. So it never needs memory, and a callback can remove a dying object.
 */
#ifndef DW_ADDRESS_MAP_H
#define DW_ADDRESS_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct AddressSlot {
    const void *address; /* NULL: empty */
    void *item;          /* borrowed; must not move while it is in the map */
} AddressSlot;

typedef struct AddressMap {
    AddressSlot *slots; /* owned; mask + 1 of them; address_map_nothing before the first insertion */
    uint32_t mask;
    uint32_t count;
} AddressMap;

/* One empty slot, for maps without any: a look-up then needs no test for "no slots yet". */
extern AddressSlot address_map_nothing[1];

static inline uint32_t address_hash(const void *address)
{
    return (uint32_t)((((uintptr_t)address >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline void *address_map_find(const AddressMap *map, const void *address)
{
    for (uint32_t i = address_hash(address) & map->mask;; i = (i + 1) & map->mask) {
        if (map->slots[i].address == address)
            return map->slots[i].item;
        if (map->slots[i].address == NULL)
            return NULL;
    }
}

static inline void address_map_remove(AddressMap *map, const void *address)
{
    uint32_t hole = address_hash(address) & map->mask;
    while (map->slots[hole].address != address) {
        if (map->slots[hole].address == NULL)
            return;
        hole = (hole + 1) & map->mask;
    }
    for (uint32_t i = (hole + 1) & map->mask; map->slots[i].address != NULL; i = (i + 1) & map->mask) {
        uint32_t home = address_hash(map->slots[i].address) & map->mask;
        /* Move it into the hole unless its home lies after the hole (cyclically). */
        if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].address = NULL;
    map->count--;
}

/* Safe points only. Makes room for n entries in all, so that inserting them allocates nothing. False when out of memory; the
 * map is then as it was. */
static inline bool address_map_reserve(AddressMap *map, uint32_t n)
{
    uint32_t size = map->mask == 0 ? 64 : map->mask + 1;
    while (size / 2 < n)
        size *= 2;
    if (size == map->mask + 1)
        return true;
    AddressSlot *old = map->slots, *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i <= map->mask; i++) {
        if (old[i].address == NULL)
            continue;
        uint32_t j = address_hash(old[i].address) & (size - 1);
        while (slots[j].address != NULL)
            j = (j + 1) & (size - 1);
        slots[j] = old[i];
    }
    if (old != address_map_nothing)
        free(old);
    map->slots = slots;
    map->mask = size - 1;
    return true;
}

/* Inserts where address_map_reserve() has made room: allocates nothing. */
static inline void address_map_put(AddressMap *map, const void *address, void *item)
{
    uint32_t i = address_hash(address) & map->mask;
    while (map->slots[i].address != NULL)
        i = (i + 1) & map->mask;
    map->slots[i] = (AddressSlot){address, item};
    map->count++;
}

/* Safe points only: may allocate. False when out of memory; the map is then as it was. */
static inline bool address_map_insert(AddressMap *map, const void *address, void *item)
{
    if (map->count >= (map->mask + 1) / 2 && !address_map_reserve(map, map->count + 1))
        return false;
    address_map_put(map, address, item);
    return true;
}

#endif
