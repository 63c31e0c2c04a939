/* What ext/facet/stored_keys.c reads of a dict, beside what CPython's own header says of it. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include "internal/pycore_dict.h"

_Static_assert(sizeof(Py_ssize_t) == 8 && offsetof(PyDictKeysObject, dk_log2_size) == 8 &&
                   offsetof(PyDictKeysObject, dk_log2_index_bytes) == 9 && offsetof(PyDictKeysObject, dk_kind) == 10 &&
                   offsetof(PyDictKeysObject, dk_usable) == 16 && offsetof(PyDictKeysObject, dk_nentries) == 24 &&
                   offsetof(PyDictKeysObject, dk_indices) == 32 && DICT_KEYS_GENERAL == 0 &&
                   sizeof(PyDictKeyEntry) == 24 && offsetof(PyDictKeyEntry, me_hash) == 0 &&
                   offsetof(PyDictKeyEntry, me_key) == 8 && offsetof(PyDictKeyEntry, me_value) == 16 &&
                   sizeof(PyDictUnicodeEntry) == 16 && offsetof(PyDictUnicodeEntry, me_key) == 0 &&
                   offsetof(PyDictUnicodeEntry, me_value) == 8 && DKIX_EMPTY == -1 && DKIX_DUMMY < -1,
               "the table of a dict is as stored_keys.c says");

/* stored(dict): [(hash, key), ...], or None if its table has exact strs only. */
static PyObject *stored(PyObject *self, PyObject *dict)
{
    const char *table = (const char *)((PyDictObject *)dict)->ma_keys;
    const PyDictKeyEntry *entries = (const PyDictKeyEntry *)(table + 32 + ((size_t)1 << *(const uint8_t *)(table + 9)));
    Py_ssize_t n = *(const Py_ssize_t *)(table + 24);
    if (*(const uint8_t *)(table + 10) != 0)
        Py_RETURN_NONE;
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; i < n; i++)
        if (entries[i].me_key != NULL)
            PyList_Append(list, Py_BuildValue("nO", entries[i].me_hash, entries[i].me_key));
    return list;
}

static PyMethodDef methods[] = {{"stored", stored, METH_O}, {NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostkeys", NULL, -1, methods};

PyMODINIT_FUNC PyInit_hostkeys(void) { return PyModule_Create(&definition); }
