#include "facet/stored_keys.h"

#include "facet/keys.h"
#include "watch/errors.h"

typedef struct StoredKey {
    Py_hash_t hash;
    PyObject *key; /* borrowed; NULL: deleted */
    PyObject *value;
} StoredKey;

/* As in pycore_dict.h, of 3.12 to 3.15. */
typedef struct Table {
    Py_ssize_t references;
    uint8_t log2_size;
    uint8_t log2_index_bytes;
    uint8_t kind;
    uint32_t version;
    Py_ssize_t usable;
    Py_ssize_t entries; /* also deleted ones */
    char indices[];
} Table;

#define ANY_KEYS 0 /* the kind of a table that may have other keys than exact strs */

static const StoredKey *keys_of(const Table *table)
{
    return (const StoredKey *)(table->indices + ((size_t)1 << table->log2_index_bytes));
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

/* Whether the table of {"name": None}, and of that with a number too, is what this file takes it for. */
static bool table_is_known(PyObject *dict, PyObject *name, PyObject *number)
{
    if (PyDict_SetItem(dict, name, Py_None) < 0 || ((const Table *)((PyDictObject *)dict)->ma_keys)->kind == ANY_KEYS ||
        PyDict_SetItem(dict, number, Py_None) < 0)
        return false;
    const Table *table = (const Table *)((PyDictObject *)dict)->ma_keys;
    const StoredKey *keys = keys_of(table);
    return table->kind == ANY_KEYS && table->entries == 2 && keys[0].key == name && keys[0].hash == PyObject_Hash(name) &&
           keys[1].key == number && keys[1].hash == PyObject_Hash(number) && keys[1].value == Py_None;
}

int check_stored_keys(void)
{
    static int known = -1;
    if (known < 0) {
        PyObject *dict = PyDict_New(), *name = PyUnicode_FromString("name"), *number = PyLong_FromLong(123456);
        known = dict != NULL && name != NULL && number != NULL && table_is_known(dict, name, number);
        if (PyErr_Occurred())
            known = -1; /* out of memory */
        Py_XDECREF(number);
        Py_XDECREF(name);
        Py_XDECREF(dict);
    }
    if (known == 0)
        PyErr_Format(Unwatchable_error, "names in dicts: this CPython (%s) keeps the keys of a dict in another way than the "
                                        "versions that depwatch knows; use one of those that docs/host-contract.md names",
                     Py_GetVersion());
    return known == 1 ? 0 : -1;
}
