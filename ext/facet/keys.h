/* KeyTable: for one watched dict, maps each name that some facet has to the facets of that name.
 *
 * A name is compared by value, because an event carries the key with which the program stored, and that key need not be
 * interned; nor does CPython promise that there is only one interned string of each value. Most often the key is the same
 * object as the name, so this is tried first.
 */
#ifndef DW_KEYS_H
#define DW_KEYS_H

#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "index/dependents.h"

struct Facet;

typedef struct KeySlot {
    PyObject *name;     /* owned, an exact str; NULL: empty */
    Py_hash_t hash;
    Dependents facets;
    struct Facet *only; /* borrowed: the facet, if facets has exactly one; updated by facets.c */
} KeySlot;

typedef struct KeyTable {
    KeySlot *slots;    /* owned; mask + 1 of them; NULL before the first name */
    uint32_t mask;
    uint32_t count;    /* names in the table, including those that no facet has any more */
    uint32_t in_use;   /* names that some facet has */
} KeyTable;

/* The hash of a str; -1 if it was not computed yet, because the str was never used as a dict key. */
static inline Py_hash_t str_hash(PyObject *str) { return ((PyASCIIObject *)str)->hash; }

/* Whether CPython refuses to assign attributes of the type, and its __bases__. */
static inline bool is_immutable(const PyTypeObject *type)
{
    return !PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_HEAPTYPE) ||
           PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_IMMUTABLETYPE);
}

/* Whether the type's __eq__ and __hash__ can never change: all classes of its MRO are immutable. A mutable type may get other
 * ones at any time, by an assignment to it, to one of its bases or to its __bases__, and CPython does not report that to the
 * watcher of a dict that has an instance as a key. */
static inline bool is_settled(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++)
        if (!is_immutable((PyTypeObject *)PyTuple_GET_ITEM(mro, i)))
            return false;
    return mro != NULL;
}

static inline bool has_slots_of_str(PyObject *key)
{
    return Py_TYPE(key)->tp_hash == PyUnicode_Type.tp_hash && Py_TYPE(key)->tp_richcompare == PyUnicode_Type.tp_richcompare;
}

/* Whether a dict compares this key by value and without running Python, as it does an exact str, now and later. */
static inline bool compares_as_str(PyObject *key)
{
    if (!PyUnicode_CheckExact(key) && (!PyUnicode_Check(key) || !has_slots_of_str(key) || !is_settled(Py_TYPE(key))))
        return false;
    return str_hash(key) != -1;
}

/* Whether comparing the key with a str runs no Python and says "not equal", now and later. Modules are excluded, because a
 * module can get another __class__; other instances of immutable types cannot. */
static inline bool never_equals_str(PyObject *key)
{
    richcmpfunc compare = Py_TYPE(key)->tp_richcompare;
    if (PyLong_CheckExact(key))
        return true;
    bool differs = compare == PyBaseObject_Type.tp_richcompare || compare == Py_TYPE(Py_None)->tp_richcompare ||
                   compare == PyLong_Type.tp_richcompare || compare == PyTuple_Type.tp_richcompare ||
                   compare == PyFloat_Type.tp_richcompare || compare == PyBytes_Type.tp_richcompare ||
                   compare == PyFrozenSet_Type.tp_richcompare || compare == PyComplex_Type.tp_richcompare ||
                   compare == PyCode_Type.tp_richcompare || compare == PyCFunction_Type.tp_richcompare;
    return differs && !PyModule_Check(key) && is_settled(Py_TYPE(key));
}

#define ANY_HASH (-1) /* unknown, so it may be any; no object has the hash -1 */

/* The key's hash, if finding it runs no Python, else ANY_HASH. */
static inline Py_hash_t hash_without_python(PyObject *key)
{
    hashfunc hash = Py_TYPE(key)->tp_hash;
    if (PyUnicode_Check(key) && hash == PyUnicode_Type.tp_hash)
        return str_hash(key);
    bool plain = hash == PyBaseObject_Type.tp_hash || hash == PyLong_Type.tp_hash || hash == PyFloat_Type.tp_hash ||
                 hash == PyBytes_Type.tp_hash;
    return plain ? hash(key) : ANY_HASH;
}

static inline bool same_str(PyObject *a, PyObject *b)
{
    return PyUnicode_GET_LENGTH(a) == PyUnicode_GET_LENGTH(b) && PyUnicode_KIND(a) == PyUnicode_KIND(b) &&
           memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)PyUnicode_GET_LENGTH(a) * PyUnicode_KIND(a)) == 0;
}

/* The first slot on the probe sequence of the hash. The table has slots. */
static inline const KeySlot *keys_first(const KeyTable *table, Py_hash_t hash)
{
    return &table->slots[(uint32_t)hash & table->mask];
}

/* The first slot from this one on that has the key itself or its hash. NULL: no facet has this name. */
static inline const KeySlot *keys_probe(const KeyTable *table, const KeySlot *slot, PyObject *key)
{
    Py_hash_t hash = str_hash(key);
    for (uint32_t i = (uint32_t)(slot - table->slots);;) {
        if (slot->name == key)
            return slot;
        if (slot->name == NULL)
            return NULL;
        if (slot->hash == hash)
            return slot;
        i = (i + 1) & table->mask;
        slot = &table->slots[i];
    }
}

/* The slot of this name; NULL: no facet has it. The key must be an exact str whose hash was computed. */
static inline KeySlot *keys_find(const KeyTable *table, PyObject *key)
{
    if (table->slots == NULL)
        return NULL;
    Py_hash_t hash = str_hash(key);
    for (uint32_t i = (uint32_t)hash & table->mask;; i = (i + 1) & table->mask) {
        KeySlot *slot = &table->slots[i];
        if (slot->name == NULL || slot->name == key)
            return slot->name == NULL ? NULL : slot;
        if (slot->hash == hash && same_str(slot->name, key))
            return slot;
    }
}

/* Safe points only. Add or remove one facet of the name; both return the name's slot, or keys_add NULL when out of memory. */
KeySlot *keys_add(KeyTable *table, PyObject *name, uint32_t facet);
KeySlot *keys_remove(KeyTable *table, PyObject *name, uint32_t facet);
void keys_free(KeyTable *table);

#endif
