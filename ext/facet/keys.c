#include "facet/keys.h"

#include <stdlib.h>

/* Rebuilds the table with room for one more name, and without the names that no facet has any more. */
static bool make_room(KeyTable *table)
{
    uint32_t size = 8;
    while (size < 3 * (table->in_use + 1))
        size *= 2;
    KeySlot *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; table->slots != NULL && i <= table->mask; i++) {
        KeySlot *old = &table->slots[i];
        if (old->name == NULL)
            continue;
        if (dependents_empty(&old->facets)) {
            Py_DECREF(old->name); /* an exact str: no destructor to run */
            continue;
        }
        uint32_t j = (uint32_t)old->hash & (size - 1);
        while (slots[j].name != NULL)
            j = (j + 1) & (size - 1);
        slots[j] = *old;
    }
    free(table->slots);
    table->slots = slots;
    table->mask = size - 1;
    table->count = table->in_use;
    return true;
}

KeySlot *keys_add(KeyTable *table, PyObject *name, uint32_t facet)
{
    Py_hash_t hash = PyObject_Hash(name); /* an exact str: cannot fail */
    KeySlot *slot = keys_find(table, name);
    if (slot == NULL) {
        if ((table->slots == NULL || 2 * (table->count + 1) > table->mask + 1) && !make_room(table))
            return NULL;
        uint32_t i = (uint32_t)hash & table->mask;
        while (table->slots[i].name != NULL)
            i = (i + 1) & table->mask;
        slot = &table->slots[i];
        *slot = (KeySlot){.name = Py_NewRef(name), .hash = hash};
        table->count++;
    }
    bool was_empty = dependents_empty(&slot->facets);
    if (!dependents_add(&slot->facets, facet))
        return NULL;
    table->in_use += was_empty;
    return slot;
}

KeySlot *keys_remove(KeyTable *table, PyObject *name, uint32_t facet)
{
    KeySlot *slot = keys_find(table, name);
    bool was_empty = dependents_empty(&slot->facets);
    dependents_remove(&slot->facets, facet);
    table->in_use -= !was_empty && dependents_empty(&slot->facets);
    return slot;
}

void keys_free(KeyTable *table)
{
    for (uint32_t i = 0; table->slots != NULL && i <= table->mask; i++) {
        dependents_clear(&table->slots[i].facets);
        Py_XDECREF(table->slots[i].name);
    }
    free(table->slots);
    *table = (KeyTable){0};
}
