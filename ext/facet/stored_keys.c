#include "facet/stored_keys.h"

#include "facet/values.h"
#include "watch/errors.h"

typedef struct StoredKey {
    Py_hash_t hash;
    PyObject *key; /* borrowed; NULL: deleted */
    PyObject *value;
} StoredKey;

typedef struct StoredStr {
    PyObject *key; /* borrowed; NULL: deleted */
    PyObject *value;
} StoredStr;

/* PyDictKeysObject as pycore_dict.h declares it in 3.12 to 3.15. */
typedef struct Table {
    Py_ssize_t references;
    uint8_t log2_size;
    uint8_t log2_index_bytes;
    uint8_t kind;
    uint32_t version;
    Py_ssize_t usable;
    Py_ssize_t entries; /* including deleted ones */
    char indices[];
} Table;

#define ANY_KEYS 0 /* the kind of a table that may have other keys than exact strs */

static const StoredKey *keys_of(const Table *table)
{
    return (const StoredKey *)(table->indices + ((size_t)1 << table->log2_index_bytes));
}

static const StoredStr *strs_of(const Table *table)
{
    return (const StoredStr *)(table->indices + ((size_t)1 << table->log2_index_bytes));
}

PyObject *odd_key_of(PyObject *dict, Py_hash_t hash)
{
    const Table *table = (const Table *)((PyDictObject *)dict)->ma_keys;
    const StoredKey *keys = keys_of(table);
    for (Py_ssize_t i = 0; table->kind == ANY_KEYS && i < table->entries; i++)
        if (keys[i].key != NULL && keys[i].hash == hash && !compares_as_str(keys[i].key) && !never_equals_str(keys[i].key))
            return keys[i].key;
    return NULL;
}

static bool table_known; /* see stored_keys_learn */

/* The i-th slot of the hash table: an index into the array of keys. Below 0 the slot has no key: none was ever there (NOTHING),
 * or it was deleted. */
#define NOTHING (-1)
static Py_ssize_t index_at(const Table *table, size_t i)
{
    return table->log2_size < 8    ? ((const int8_t *)table->indices)[i]
           : table->log2_size < 16 ? ((const int16_t *)table->indices)[i]
           : table->log2_size < 32 ? ((const int32_t *)table->indices)[i]
                                   : (Py_ssize_t)((const int64_t *)table->indices)[i];
}

static PyObject *scanned_value(PyObject *dict, PyObject *key)
{
    Py_ssize_t position = 0;
    PyObject *stored, *value;
    while (PyDict_Next(dict, &position, &stored, &value))
        if (same_value(stored, key))
            return value;
    return NULL;
}

/* Looks up as CPython does, but decides equality without running Python. */
static PyObject *look_up(PyObject *dict, PyObject *key, Py_hash_t hash)
{
    const Table *table = (const Table *)((PyDictObject *)dict)->ma_keys;
    size_t mask = ((size_t)1 << table->log2_size) - 1, perturb = (size_t)hash;
    for (size_t i = perturb & mask;; perturb >>= 5, i = (i * 5 + perturb + 1) & mask) {
        Py_ssize_t n = index_at(table, i);
        if (n == NOTHING)
            return NULL;
        if (n >= 0 && table->kind == ANY_KEYS && keys_of(table)[n].hash == hash && same_value(keys_of(table)[n].key, key))
            return keys_of(table)[n].value;
        if (n >= 0 && table->kind != ANY_KEYS && same_value(strs_of(table)[n].key, key))
            return strs_of(table)[n].value;
    }
}

PyObject *stored_value(PyObject *dict, PyObject *key)
{
    Py_hash_t hash = hash_without_python(key);
    if (!table_known || hash == ANY_HASH)
        return NULL;
    bool shares_keys = ((PyDictObject *)dict)->ma_values != NULL; /* a split table: it has at most 30 keys, so a scan is fast */
    return shares_keys ? scanned_value(dict, key) : look_up(dict, key, hash);
}

/* Whether the table of {"name": None}, and again after a number was added as a key, has the layout that this file assumes. */
static bool is_as_here(PyObject *dict, PyObject *name, PyObject *number)
{
    if (PyDict_SetItem(dict, name, Py_None) < 0 || ((const Table *)((PyDictObject *)dict)->ma_keys)->kind == ANY_KEYS ||
        look_up(dict, name, PyObject_Hash(name)) != Py_None || PyDict_SetItem(dict, number, Py_True) < 0)
        return false;
    const Table *table = (const Table *)((PyDictObject *)dict)->ma_keys;
    const StoredKey *keys = keys_of(table);
    return table->kind == ANY_KEYS && table->entries == 2 && keys[0].key == name && keys[0].hash == PyObject_Hash(name) &&
           keys[1].key == number && keys[1].hash == PyObject_Hash(number) && keys[1].value == Py_True &&
           look_up(dict, number, PyObject_Hash(number)) == Py_True;
}

bool stored_keys_learn(void)
{
    PyObject *dict = PyDict_New(), *name = PyUnicode_FromString("name"), *number = PyLong_FromLong(123456);
    table_known = dict != NULL && name != NULL && number != NULL && is_as_here(dict, name, number);
    Py_XDECREF(number);
    Py_XDECREF(name);
    Py_XDECREF(dict);
    return !PyErr_Occurred();
}

int check_stored_keys(void)
{
    if (!table_known)
        PyErr_Format(Unwatchable_error, "names in dicts: this CPython (%s) has another layout of dict keys than the versions "
                                        "that depwatch knows; use a version that docs/host-contract.md names",
                     Py_GetVersion());
    return table_known ? 0 : -1;
}
